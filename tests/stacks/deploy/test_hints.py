"""What the engine says, and the next command with the names that are known."""

from __future__ import annotations

import re

import pytest

from stacks.deploy.hints import Place, hint, stopped

PLACE = Place("dev", "observability", "somewhere")
PULL = 'Failed to pull image "127.0.0.1:1/none/jaeger:2": failed to do request: Head "https://127.0.0.1:1/v2/": dial tcp: '


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ("error: the stack is currently locked by 1 lock(s).", "python -m stacks recover dev"),
        ("error: the current deployment has 1 resource(s) with pending operations", "python -m stacks recover dev"),
        ("error: incorrect passphrase", "export PULUMI_CONFIG_PASSPHRASE="),
        ('resource "urn" cannot be deleted\nbecause it is protected.', "environment.backend.protect: false in Pulumi.dev.yaml"),
        ("Cannot connect to the Docker daemon at unix:///x.", "correct environment.target.host"),
        ('Conflict. The container name "/a" is already in use by container', "python -m stacks recover dev"),
        ("Bind for 127.0.0.1:4317 failed: port is already allocated", "stop it"),
        ('context "nowhere" does not exist', "environment.target.context in Pulumi.dev.yaml"),
        ("configured Kubernetes cluster is unreachable: unable to load schema", "kubectl --context somewhere cluster-info"),
        ("failed to read resource state due to unreachable cluster.", "kubectl --context somewhere cluster-info"),
        ("dial tcp 10.0.0.1:6443: i/o timeout", "kubectl --context somewhere cluster-info"),
        (f"{PULL}lookup registry.example: no such host", "environment.images in Pulumi.dev.yaml"),
        (f"{PULL}127.0.0.1:1: connect: connection refused", "environment.images in Pulumi.dev.yaml"),
        ("[ImagePullBackOff] Back-off pulling image: dial tcp 10.0.0.1:443: i/o timeout", "environment.images in Pulumi.dev.yaml"),
        ('Unable to read Docker image into resource: error pulling image: Get "https://r/": no such host', "environment.images"),
        ('namespaces "tracing" already exists', "python -m stacks recover dev"),
        ('namespaces "shop" not found', "kubectl --context somewhere create namespace shop"),
        ('namespaces "observability" not found', "python -m stacks recover dev"),
        (
            'pods "gateway-2" is forbidden: exceeded quota: backbone, requested: pods=1, used: pods=14, limited: pods=14',
            "kubectl --context somewhere --namespace observability describe resourcequota backbone",
        ),
        (
            'limitranges is forbidden: User "ann" cannot create resource "limitranges" in API group "" in the namespace "observability"',
            "the rights in docs/deploying.md",
        ),
        ("error: Unauthorized", "kubectl --context somewhere auth whoami"),
        ("error: no resource plugin 'pulumi-resource-docker' found in the workspace at version v5.2.0 or on your $PATH", "resource-docker"),
        ("error: no language plugin 'pulumi-language-python' found in the workspace", "pulumi-language-python"),
        ("could not get latest version for plugin kubernetes: dial tcp: lookup get.pulumi.com: no such host", "get.pulumi.com"),
        ("failed to download plugin: kubernetes-4.34.2: 403 HTTP error fetching plugin from https://get.pulumi.com/x", "get.pulumi.com"),
        ("container failed to be in healthy state", "docker ps --all --filter name=observability-"),
        (
            "the Kubernetes API server reported that it failed to fully initialize or become live",
            "kubectl --context somewhere --namespace observability get pods",
        ),
        ('"x" failed to fully initialize: requests.storage: Forbidden: field can not be less than', "to what it was, or more"),
        ("something new", "python -m stacks preview dev"),
    ],
)
def test_what_the_engine_says_is_followed_by_the_next_command(said: str, then: str) -> None:
    told = hint(said, PLACE)
    assert told.startswith(said)
    assert then in told.splitlines()[-1]
    assert hint(said, PLACE, shown=True) == "\n".join(told.splitlines()[len(said.splitlines()) :])
    # No place to fill in by hand is left where a name is known.
    assert re.findall(r"\b[A-Z]{4,}\b|[{}]", told.splitlines()[-1].replace("PULUMI_CONFIG_PASSPHRASE", "").replace("PATH", "")) == []


def test_a_missing_right_is_told_with_its_user_verb_and_resource() -> None:
    said = 'limitranges is forbidden: User "ann" cannot create resource "limitranges" in API group "" in the namespace "x"'
    assert "dev: ann may not create limitranges" in hint(said, PLACE)


def test_a_message_that_names_the_next_command_is_left_alone_and_repeated_last() -> None:
    said = "Pulumi.dev.yaml: wrong, and protected\nthen: python -m stacks check dev"
    assert hint(said, PLACE) == said
    assert hint(f"{said}\nerror: program exited with code 1", PLACE, shown=True) == "then: python -m stacks check dev"


def test_what_a_stopped_engine_has_no_note_of_is_recovered_first() -> None:
    verdict = "dev: observability/jaeger-0: image x cannot be pulled\nthen: python -m stacks up dev"
    assert stopped(verdict, "dev") == verdict
    assert stopped(verdict, "dev", ["Service jaeger"]).splitlines()[-1] == "then, before that: python -m stacks recover dev"
