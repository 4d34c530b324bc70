"""What stands around the engine: the copy of the stack file, the probe's spans, warnings, hints, the forms of the outputs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stacks.changes.diff import WorkloadChange, difference
from stacks.cli.verbs import _text
from stacks.deploy.engine import Engine, EngineError, Event, _differing, ended_by
from stacks.deploy.hints import Place, killed
from stacks.deploy.probe import _spans
from stacks.deploy.up import Deployment, RefusedError, losses, renewals, rotations, show_difference, up
from stacks.deploy.workspace import _copy, _passphrase, backend_configured, past_proxies
from stacks.environment.source import ROOT, Named, read
from stacks.placement.outputs import OTLP_HEADERS, ContractError, consumer_config, consumer_secret, exported, otlp_headers, outputs
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.pem import certificate
from tests.program import ProgramError, run
from tracing_lib import Outputs, TracingSettings

if TYPE_CHECKING:
    from pathlib import Path

    from components.workload import Plan


def _plan(named: Named) -> Plan:
    return plan(named.environment, addresses_of(named), name=named.name)


def _tail(**changes: Any) -> Any:  # noqa: ANN401 - an environment, changed in place of a file
    environment = read("prod").environment
    tail = environment.sampling.tail.model_copy(update=changes)
    return environment.model_copy(update={"sampling": environment.sampling.model_copy(update={"tail": tail})})


def test_the_engine_writes_to_a_copy_that_keeps_its_salt_and_takes_every_change(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text((ROOT / "Pulumi.dev.yaml").read_text())
    before, named = file.read_bytes(), read(str(file))
    copy = _copy(named, tmp_path / "stacks")
    copy.write_text(copy.read_text() + "encryptionsalt: v1:grain\n")
    file.write_text(file.read_text().replace("retention:\n      traces: 7d", "retention:\n      traces: 3d"))
    again = yaml.safe_load(_copy(named, tmp_path / "stacks").read_text())
    assert again["encryptionsalt"] == "v1:grain"
    assert again["config"] == yaml.safe_load(file.read_text())["config"]
    assert b"salt" not in file.read_bytes()
    assert before != file.read_bytes()


def test_the_salt_of_the_stack_file_is_stronger_than_that_of_the_copy(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text((ROOT / "Pulumi.dev.yaml").read_text())
    copy = _copy(read(str(file)), tmp_path / "stacks")
    copy.write_text(copy.read_text() + "encryptionsalt: v1:copy\n")
    file.write_text(file.read_text() + "encryptionsalt: v1:file\n")
    assert yaml.safe_load(_copy(read(str(file)), tmp_path / "stacks").read_text())["encryptionsalt"] == "v1:file"


def test_a_revision_is_not_deployed(tmp_path: Path) -> None:
    named = replace(read("dev"), source="Pulumi.dev.yaml@HEAD")
    with pytest.raises(EngineError, match="only a file can be deployed"):
        _copy(named, tmp_path)


def test_a_passphrase_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    file = _passphrase(tmp_path / "passphrase")
    first = file.read_text()
    assert len(first) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert _passphrase(file).read_text() == first


def test_a_backend_that_the_user_has_configured_is_used(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert not backend_configured(home)
    assert backend_configured(home | {"PULUMI_BACKEND_URL": "s3://states"})
    assert backend_configured(home | {"PULUMI_ACCESS_TOKEN": "pul-x"})
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / ".pulumi" / "credentials.json").write_text(json.dumps({"current": ""}))
    assert not backend_configured(home)
    (tmp_path / ".pulumi" / "credentials.json").write_text(json.dumps({"current": "https://api.pulumi.com"}))
    assert backend_configured(home)
    assert not backend_configured({"HOME": str(tmp_path), "PULUMI_HOME": str(tmp_path / "elsewhere")})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "registry.example, 127.0.0.1"}, "registry.example,127.0.0.1,localhost,::1"),
        ({"no_proxy": ".local", "NO_PROXY": ".example"}, ".local,.example,127.0.0.1,localhost,::1"),
    ],
)
def test_the_engine_reaches_loopback_past_every_proxy_and_what_the_user_excepts(given: dict[str, str], kept: str) -> None:
    assert past_proxies(given | {"HTTPS_PROXY": "http://proxy.example:3128"}) == {"no_proxy": kept, "NO_PROXY": kept}


@pytest.mark.parametrize(("code", "name"), [(-9, "SIGKILL"), (137, "SIGKILL"), (-15, "SIGTERM")])
def test_an_engine_that_a_signal_ended_is_told_with_the_signal_and_recover(code: int, name: str) -> None:
    ended = ended_by(code)
    assert ended == name
    assert killed(ended, "dev").splitlines() == [
        f"dev: the engine was ended by {name} and could not note what it was doing",
        "then: python -m stacks recover dev",
    ]


@pytest.mark.parametrize("code", [0, 1, 2, 127, 128, 255])
def test_an_engine_that_ended_by_itself_was_ended_by_no_signal(code: int) -> None:
    assert ended_by(code) is None


@pytest.mark.parametrize(
    ("changes", "traces", "failed", "seconds"),
    [
        ({}, 1, False, 3),
        ({"slow": None}, 1, True, 0),
        ({"slow": None, "errors": False, "baseline": 1.0}, 1, False, 0),
        ({"slow": None, "errors": False, "baseline": 0.05}, 360, False, 0),
    ],
)
def test_the_probe_is_what_the_tail_sampler_keeps(changes: dict[str, Any], traces: int, failed: bool, seconds: int) -> None:  # noqa: FBT001
    environment = _tail(**changes)
    body, ids = _spans(environment)
    spans = json.loads(body)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert [span["traceId"] for span in spans] == ids
    assert len(set(ids)) == traces
    assert (spans[0]["status"] == {}) is not failed
    lasts = timedelta(microseconds=(int(spans[0]["endTimeUnixNano"]) - int(spans[0]["startTimeUnixNano"])) / 1000)
    assert round(lasts.total_seconds()) == seconds
    if environment.sampling.tail.slow is not None:
        assert lasts > environment.sampling.tail.slow


@pytest.mark.parametrize(
    ("name", "kind", "inputs"),
    [
        ("dev", "docker:index/volume:Volume", {"name": "virtengine-observability-jaeger-traces"}),
        ("prod", "kubernetes:core/v1:PersistentVolumeClaim", {"metadata": {"name": "traces-jaeger-0"}}),
    ],
)
def test_a_deployment_that_deletes_stored_traces_says_so(name: str, kind: str, inputs: dict[str, Any]) -> None:
    named = read(name)
    deployment = Deployment(named, Engine("no engine is asked", {}, Place(name, "observability"), ROOT), named)
    other = {"name": "virtengine-observability-gateway-queue", "metadata": {"name": "queue-gateway-0"}}
    for operation in ("delete", "replace"):
        assert len(losses(deployment, [Event(operation, "urn", kind, inputs, {})])) == 1
        assert losses(deployment, [Event(operation, "urn", kind, other, {})]) == []
    for operation in ("same", "create", "update"):
        assert losses(deployment, [Event(operation, "urn", kind, inputs, {})]) == []


def test_a_rotated_secret_is_said_with_who_restarts_and_one_that_nobody_reads_is_not() -> None:
    named = read("prod")
    deployment = Deployment(named, Engine("no engine is asked", {}, Place("prod", "observability"), ROOT), named)

    def step(operation: str, name: str) -> Event:
        inputs = {"metadata": {"name": name}, "stringData": "[secret]"}
        return Event(operation, "urn", "kubernetes:core/v1:Secret", inputs, inputs)

    steps = [step("update", "tracing-access"), step("update", "virtengine-tracing"), step("same", "tracing-ingest-token")]
    assert rotations(deployment, steps) == ["Secret tracing-access has other values: access will restart"]
    labelled = [replace(one, differing=frozenset({"metadata"})) for one in steps]
    assert rotations(deployment, labelled) == []
    assert rotations(deployment, [replace(one, differing=frozenset({"metadata", "stringData"})) for one in steps]) != []


@pytest.mark.parametrize(
    ("name", "kind", "workload", "old", "new"),
    [
        ("prod", "kubernetes:apps/v1:DaemonSet", "agent", {"spec": {"template": {"metadata": 1}}}, {"spec": {"template": {"metadata": 2}}}),
        ("prod", "kubernetes:apps/v1:StatefulSet", "jaeger", {"spec": {"template": 1}}, {"spec": {"template": 2}}),
        ("dev", "docker:index/container:Container", "gateway", {}, {}),
    ],
)
def test_what_restarts_because_of_another_version_of_this_project_is_said(
    name: str, kind: str, workload: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    named = read(name)
    deployment = Deployment(named, Engine("no engine is asked", {}, Place(name, "observability"), ROOT), named)
    operation = "update" if name == "prod" else "replace"
    called = {"metadata": {"name": workload}} if name == "prod" else {"name": f"virtengine-observability-{workload}"}
    same = difference(named, named)
    step = Event(operation, "urn", kind, called | old, called | new)
    sentence, *starts = renewals(deployment, [step], same)
    assert sentence.endswith(f": {workload} will restart")
    assert [start.split(" takes")[0] for start in starts] == (["a start of Jaeger on Badger"] if workload == "jaeger" else [])
    # It is said once, and nothing is said of what stays or only scales.
    assert renewals(deployment, [step], None) == []
    assert renewals(deployment, [replace(step, operation="same")], same) == []
    assert renewals(deployment, [replace(step, operation="update", new=step.old)], same) == []
    told = replace(same, workloads=(WorkloadChange(workload, "restarts", ("collector.yaml",)),))
    assert renewals(deployment, [step], told) == []


def test_what_differs_is_read_from_the_detailed_difference_where_there_is_one() -> None:
    # So the provider of Kubernetes tells of a Secret with another label.
    labelled = {"diffs": None, "detailedDiff": {'metadata.labels["example.org/team"]': {"diffKind": "add"}}}
    assert _differing(labelled) == {"metadata"}
    assert _differing({"diffs": ["envs"], "detailedDiff": None}) == {"envs"}
    assert _differing({}) == frozenset()


def test_what_is_left_of_a_deployment_is_not_said_to_be_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    engine, named = Engine("no engine is asked", {}, Place("dev", "observability"), ROOT), read("dev")
    show_difference(Deployment(named, engine, named))
    assert "are the same" in capsys.readouterr().out
    show_difference(Deployment(named, engine, named, gone=("gateway", "jaeger")))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "dev: not whole after what was interrupted: gateway, jaeger will be made again\n"


def test_nothing_is_deployed_over_what_a_killed_up_had_begun() -> None:
    named = read("dev")
    with pytest.raises(RefusedError, match="python -m stacks recover dev"):
        up(Deployment(named, Engine("no engine is asked", {}, Place("dev", "observability"), ROOT), named, begun=("jaeger-server",)))


def test_consumer_outputs_configure_both_libraries_with_the_token_in_the_secret() -> None:
    contract = outputs(_plan(read("prod")), certificate=None)
    config, secret = consumer_config(contract), consumer_secret(contract, "t0ken")
    assert "t0ken" not in json.dumps(config)
    assert set(config) & set(secret) == set()
    settings = TracingSettings.from_environment(config | secret, service_name="portal")
    assert settings.endpoint == "https://agent.virtengine-observability.svc:4318"
    assert settings.token is not None
    assert settings.token.get_secret_value() == "t0ken"
    assert secret[OTLP_HEADERS] == "authorization=Bearer%20t0ken"


def test_a_token_that_no_header_can_hold_is_refused() -> None:
    with pytest.raises(ContractError, match="the token of the intake"):
        otlp_headers(outputs(_plan(read("prod"))), "two\nlines")


def test_outputs_are_printed_without_the_token_unless_it_is_asked_for() -> None:
    whole = Outputs.parse({**outputs(_plan(read("prod"))).to_mapping(), "otlp_token": "t0ken"})
    for form in ("env", "json", "k8s"):
        assert "t0ken" not in _text(whole, form, certificate=None, show_secrets=False)
        assert "t0ken" in _text(whole, form, certificate=None, show_secrets=True)
    objects = list(yaml.safe_load_all(_text(whole, "k8s", certificate=None, show_secrets=True)))
    assert [(found["kind"], found["metadata"]["name"]) for found in objects] == [
        ("ConfigMap", "virtengine-tracing"),
        ("Secret", "virtengine-tracing"),
    ]


def test_what_is_exported_is_found_again_in_full() -> None:
    for name in ("dev", "prod"):
        named = read(name)
        told = json.loads(json.dumps(exported(outputs(_plan(named)), _plan(named), named.environment)))
        assert Outputs.parse(told) == outputs(_plan(named))
        assert type(named.environment).model_validate(json.loads(told["settings"])) == named.environment


SECRETS = {
    "tracing-ingest-token.token": "t0ken",
    "tracing-access.client-secret": "cl1ent",
    "tracing-access.cookie-secret": "c00kie-of-16-byt",
}


def test_secret_outputs_of_prod_are_secrets_and_no_other_output_holds_one() -> None:
    deployed = run("prod", secrets=SECRETS)
    assert deployed.secret_outputs == {"otlp_token", "otel"}
    assert deployed.outputs["otlp_token"] == "t0ken"
    assert deployed.outputs["otel"][OTLP_HEADERS] == "authorization=Bearer%20t0ken"
    open_outputs = {name: value for name, value in deployed.outputs.items() if name not in deployed.secret_outputs}
    assert not [value for value in SECRETS.values() if value in json.dumps(open_outputs)]


def test_every_input_that_holds_a_secret_is_one() -> None:
    for resource in run("prod", secrets=SECRETS).resources.values():
        holding = {name for name, value in resource.inputs.items() if any(secret in json.dumps(value) for secret in SECRETS.values())}
        assert holding <= resource.secret, resource.name


def test_a_private_authority_of_the_issuer_may_come_from_elsewhere_or_from_the_stack(tmp_path: Path) -> None:
    document = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())
    document["config"]["virtengine-tracing:environment"]["access"]["oidc_ca_secret"] = "login-ca"
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(yaml.safe_dump(document))
    secrets = "kubernetes:core/v1:Secret"
    assert "tracing-login-ca" not in run("prod", file=file, secrets=SECRETS).by_type(secrets)
    filled = run("prod", file=file, secrets=SECRETS | {"login-ca.ca.crt": certificate(tmp_path, "authority")[0]}).by_type(secrets)[
        "tracing-login-ca"
    ]
    assert filled.inputs["metadata"]["name"] == "login-ca"


def test_a_missing_secret_is_said_before_anything_is_placed_with_the_next_command() -> None:
    some = dict(list(SECRETS.items())[:1])
    with pytest.raises(ProgramError) as refused:
        run("prod", secrets=some)
    assert str(refused.value).splitlines() == [
        "Pulumi.prod.yaml: virtengine-tracing:tracing-access.client-secret: is a secret that this stack needs, and missing",
        "Pulumi.prod.yaml: virtengine-tracing:tracing-access.cookie-secret: is a secret that this stack needs, and missing",
        "then: python -m stacks secret prod tracing-access.client-secret",
    ]


def test_a_secret_that_its_server_would_refuse_is_said_before_anything_is_placed() -> None:
    with pytest.raises(ProgramError) as refused:
        run("prod", secrets=SECRETS | {"tracing-access.cookie-secret": "five5", "tracing-ingest-token.token": "two words"})
    said = str(refused.value)
    assert "Pulumi.prod.yaml: virtengine-tracing:tracing-access.cookie-secret: is 5 bytes" in said
    assert "Pulumi.prod.yaml: virtengine-tracing:tracing-ingest-token.token: is no bearer token" in said
    assert "python -m stacks secret prod tracing-access.cookie-secret" in said.splitlines()[-1]
    assert "two words" not in said
