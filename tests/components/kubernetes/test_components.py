"""What Pulumi is asked to place: the tree of resources, their order, what is protected and what is secret."""

from __future__ import annotations

import ast
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.kubernetes.pods import SECRETS as SECRETS_DIGEST
from components.kubernetes.pods import secrets_digest
from stacks.environment.model import KEY
from stacks.environment.source import ROOT
from tests import program
from tests.components.kubernetes import plans
from tests.pem import certificate

if TYPE_CHECKING:
    from tests.program import Deployed, Registered

TREES = Path(__file__).with_name("trees")
SECRETS = {
    "tracing-access.client-secret": "a-client-secret",
    "tracing-access.cookie-secret": "a-cookie-secret-",
    "tracing-ingest-token.token": "a-token",
    "tracing-bucket.access-key": "an-access-key",
    "tracing-bucket.secret-key": "a-secret-key",
    "cassandra-tracing.username": "a-user-of-the-store",
    "cassandra-tracing.password": "a-password-of-the-store",
    "opensearch-tracing.username": "a-user-of-the-store",
    "opensearch-tracing.password": "a-password-of-the-store",
}
each = pytest.mark.parametrize("variant", plans.VARIANTS)


@cache
def deployed(variant: str) -> Deployed:
    """The program of a variant, run against a recording monitor."""
    plan = plans.planned(variant)
    needed = {f"{name}.{key}": SECRETS.get(f"{name}.{key}") for name, keys in plan.secrets.items() for key in keys}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"Pulumi.{variant}.yaml"
        file.write_text(yaml.safe_dump({"config": {KEY: plans.settings(variant)}}, sort_keys=False))
        return program.run(variant, file=file, secrets={key: value for key, value in needed.items() if value is not None})


def kubernetes(variant: str) -> list[Registered]:
    return [r for r in deployed(variant).resources.values() if r.type.startswith("kubernetes:")]


def plain(value: Any) -> Any:  # noqa: ANN401 - any part of an object
    """A value as it was before it went over the wire, where every number is a float."""
    if isinstance(value, dict):
        return {name: plain(child) for name, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _annotations(mapping: dict[str, Any]) -> dict[str, Any]:
    """The annotations of the pods that an object makes; empty for one that makes none."""
    found: dict[str, Any] = mapping.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
    return found


def _digests(secrets: dict[str, str]) -> dict[str, str]:
    """The digest of the secrets that its pods read, by the name of each object of production that has one."""
    named = {f"{name}.{key}" for name, keys in plans.planned("prod").secrets.items() for key in keys}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "Pulumi.prod.yaml"
        file.write_text(yaml.safe_dump({"config": {KEY: plans.settings("prod")}}, sort_keys=False))
        given = {key: value for key, value in secrets.items() if key in named}
        placed = [plain(r.inputs) for r in program.run("prod", file=file, secrets=given).resources.values()]
    return {
        mapping["metadata"]["name"]: _annotations(mapping)[SECRETS_DIGEST] for mapping in placed if SECRETS_DIGEST in _annotations(mapping)
    }


def test_a_rotated_secret_restarts_its_readers_and_nobody_else() -> None:
    before = _digests(SECRETS)
    assert set(before) == {"agent", "access", "sampling"}
    assert _digests(SECRETS) == before
    rotated = _digests(SECRETS | {"tracing-access.cookie-secret": "b-cookie-secret-"})
    assert rotated["agent"] == before["agent"]
    assert rotated["access"] != before["access"]


def test_a_digest_tells_nothing_of_a_secret_and_differs_by_backbone() -> None:
    assert secrets_digest("one/agent", {"s.token": "a"}) != secrets_digest("two/agent", {"s.token": "a"})
    assert secrets_digest("one/agent", {"s.token": "a", "s.other": "b"}) != secrets_digest("one/agent", {"s.token": "b", "s.other": "a"})
    # So short that many texts have the same, which leaves nothing to confirm a guess with.
    assert len(secrets_digest("one/agent", {"s.token": "a"})) == 10


@each
def test_the_tree_of_resources_is_the_one_that_was_reviewed(variant: str) -> None:
    file = TREES / f"{variant}.txt"
    now = "\n".join(deployed(variant).tree()) + "\n"
    assert now == file.read_text(), f"resources differ from the reviewed ones; write them to {file} and review the difference"


@each
def test_what_is_placed_is_what_is_rendered_and_the_secrets(variant: str) -> None:
    placed = [plain(r.inputs) for r in kubernetes(variant) if not r.type.endswith(":Secret")]
    rendered = plans.objects(plans.planned(variant))

    def key(mapping: dict[str, Any]) -> tuple[str, str, str]:
        return mapping["kind"], mapping["metadata"].get("namespace", ""), mapping["metadata"]["name"]

    assert sorted(map(key, placed)) == sorted(map(key, rendered))
    for mapping in placed:
        _annotations(mapping).pop(SECRETS_DIGEST, None)  # made of secrets, which no rendered file holds
    by_key = {key(mapping): mapping for mapping in placed}
    assert [mapping for mapping in rendered if by_key[key(mapping)] != mapping] == []


@each
def test_every_object_has_the_named_provider_and_a_finished_component_above_it(variant: str) -> None:
    found = deployed(variant)
    components = {urn for urn, r in found.resources.items() if r.type.startswith("virtengine:tracing:")}
    assert components <= found.finished
    names = {found.resources[urn].name for urn in components}
    assert {r.parent for r in kubernetes(variant)} < names
    assert [r.name for r in kubernetes(variant) if "pulumi:providers:kubernetes::kubernetes::" not in r.provider] == []
    (provider,) = found.by_type("pulumi:providers:kubernetes").values()
    assert provider.inputs["context"] == plans.settings(variant)["target"]["context"]


@each
def test_what_a_stack_made_without_a_parent_is_known_by_its_former_place(variant: str) -> None:
    found = deployed(variant)
    (backbone,) = found.by_type("virtengine:tracing:TracingBackbone").values()
    below = {r.name for r in found.resources.values() if r.parent == backbone.name}
    assert {"kubernetes", "tracing", "backend", "collectors", "consumers"} <= below
    assert {r.name for r in found.resources.values() if r.former_root} == below


@each
def test_stored_traces_and_their_namespace_are_protected_where_the_file_says_so(variant: str) -> None:
    protected = {(r.type.rpartition(":")[2], r.inputs["metadata"]["name"]) for r in kubernetes(variant) if r.protect}
    backend = plans.planned(variant).stores[0].kind
    claims = {("PersistentVolumeClaim", f"traces-{backend}-0"), ("Namespace", "virtengine-observability")}
    kept = plans.settings(variant)["backend"].get("protect", True) and any(
        w.volumes for w in plans.planned(variant).workloads if w.role == "backend"
    )
    assert protected == (claims if kept else set())


@each
def test_secrets_are_secret_to_the_engine_and_stand_nowhere_else(variant: str) -> None:
    for resource in deployed(variant).resources.values():
        if resource.type.endswith(":Secret"):
            assert resource.secret == {"stringData"}
        else:
            assert not resource.secret
            assert [value for value in SECRETS.values() if value in str(resource.inputs)] == []


def test_a_consumer_finds_token_and_addresses_in_its_own_namespace() -> None:
    found = {r.type.rpartition(":")[2]: r.inputs for r in kubernetes("prod") if r.parent == "consumers"}
    assert {inputs["metadata"]["namespace"] for inputs in found.values()} == {"virtengine"}
    assert found["ConfigMap"]["data"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://agent.virtengine-observability.svc:4318"
    assert "a-token" in str(found["Secret"]["stringData"])


@each
def test_pods_come_after_all_that_they_use_and_go_before_it(variant: str) -> None:
    found, plan = kubernetes(variant), plans.planned(variant)
    by_kind: dict[str, list[Registered]] = {}
    for resource in found:
        by_kind.setdefault(resource.type.rpartition(":")[2], []).append(resource)
    controllers = {r.inputs["metadata"]["name"]: r for kind in ("DaemonSet", "Deployment", "StatefulSet") for r in by_kind.get(kind, ())}
    assert controllers.keys() == {workload.name for workload in plan.workloads}
    for name, pods in controllers.items():
        used = [r for kind in ("ConfigMap", "ServiceAccount", "NetworkPolicy", "PersistentVolumeClaim") for r in by_kind[kind]]
        own = {r.name for r in used if r.inputs["metadata"]["labels"].get("app.kubernetes.io/name") == name}
        called = {controllers[edge.destination].name for edge in plan.edges if edge.source == name and edge.destination in controllers}
        namespace = {r.name for r in found if r.parent == "tracing"}
        assert {f"{pods.parent}-{name}", *own, *called, *namespace} <= pods.depends_on, name


def test_every_constructor_of_a_component_is_shorter_than_sixty_lines() -> None:
    lengths = {
        node.name: [
            (item.end_lineno or 0) - item.lineno + 1 for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"
        ]
        for path in sorted((ROOT / "components" / "kubernetes").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and "ComponentResource" in ast.unparse(node)
    }
    assert lengths.keys() == {"Consumers", "Group", "Monitoring", "Namespace"}
    assert all(0 < length < 60 for (length,) in lengths.values())


def test_a_given_certificate_is_a_secret_of_its_type_and_half_of_one_is_refused(tmp_path: Path) -> None:
    pair = dict(zip(("tracing-ingest-tls.tls.crt", "tracing-ingest-tls.tls.key"), certificate(tmp_path, "agent"), strict=True))
    given = {name: value for name, value in SECRETS.items() if "bucket" not in name}
    found = program.run("prod", secrets=given | pair)
    types = {
        r.inputs["metadata"]["name"]: r.inputs["type"] for r in found.by_type("kubernetes:core/v1:Secret").values() if r.parent == "tracing"
    }
    assert types == {"tracing-access": "Opaque", "tracing-ingest-token": "Opaque", "tracing-ingest-tls": "kubernetes.io/tls"}
    with pytest.raises(program.ProgramError, match=r"tracing-ingest-tls\.tls\.key: is a secret that this stack needs, and missing"):
        program.run("prod", secrets=given | {"tracing-ingest-tls.tls.crt": pair["tracing-ingest-tls.tls.crt"]})
