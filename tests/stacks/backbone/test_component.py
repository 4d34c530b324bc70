"""The backbone as a component of a program of others: its tree, its outputs, and what is refused before anything is registered."""

from __future__ import annotations

import inspect
import json
from functools import cache
from typing import TYPE_CHECKING

from stacks.backbone import TracingBackbone
from stacks.environment.parse import parse
from stacks.environment.source import read as named
from tests import program
from tests.stacks.backbone.programs import settings
from tracing_lib.contract.outputs import Outputs

if TYPE_CHECKING:
    from tests.program import Deployed

PLACED = ("otel", "settings", "plan")
"""The outputs beside the contract."""


@cache
def ran(name: str) -> Deployed:
    return program.run("dev", program=f"tests.stacks.backbone.programs:{name}", secrets={"token": "a-token"})


def test_backbones_of_one_program_are_named_after_their_components() -> None:
    found = ran("several").resources.values()
    ours = [r for r in found if r.parent or r.type == "virtengine:tracing:TracingBackbone"]
    assert {r.name.partition("-")[0] for r in ours} == {"shop", "stall", "bank"}
    assert len({(r.type, r.name) for r in found}) == len(found)
    assert not any(r.former_root for r in found), "a new program has no former place of anything"


def test_a_provider_of_the_program_is_used_in_place_of_an_own_one() -> None:
    found = ran("several")
    objects = [r for r in found.resources.values() if r.type.startswith("kubernetes:")]
    assert {r.provider.rpartition("::")[2] for r in objects} == {"theirs-id"}
    assert set(found.by_type("pulumi:providers:kubernetes")) == {"theirs"}
    assert set(found.by_type("pulumi:providers:docker")) == {"shop-docker", "theirs"}
    networks = found.by_type("docker:index/network:Network")
    assert {name: r.provider.rpartition("::")[2] for name, r in networks.items()} == {
        "shop-tracing-network": "shop-docker-id",
        "stall-tracing-network": "theirs-id",
    }


def test_the_settings_are_an_input_that_previews_and_policies_see() -> None:
    found = ran("several").by_type("virtengine:tracing:TracingBackbone")
    assert parse(json.loads(found["bank"].inputs["settings"]), source="x", name="x") == named("prod").environment


def test_everything_below_waits_for_what_the_component_depends_on() -> None:
    objects = [r for r in ran("several").resources.values() if r.type.startswith("kubernetes:") and r.name != "services"]
    assert len(objects) > 30
    assert [r.name for r in objects if "services" not in r.depends_on] == []


def test_the_outputs_are_the_contract_and_the_token_in_them_is_secret() -> None:
    found = ran("several")
    shop, bank = found.outputs["shop"], found.outputs["bank"]
    assert Outputs.parse(shop).environment == "shop-test"
    assert Outputs.parse(bank).otlp_token is not None
    assert json.loads(bank["plan"])["environment"] == "dev", "the name of the stack"
    assert found.secret_outputs == {"bank"}
    assert set(bank) == {*Outputs.model_fields, *PLACED} - {"otlp_certificate", "query_protocol", "also"}
    assert bank["otel"]["OTEL_EXPORTER_OTLP_HEADERS"] == "authorization=Bearer%20a-token"


def test_every_output_has_the_name_and_a_docstring_of_the_contract() -> None:
    assert tuple(TracingBackbone.__annotations__) == (*Outputs.model_fields, *PLACED)
    source = inspect.getsource(TracingBackbone)
    assert [name for name in TracingBackbone.__annotations__ if f"    {name}: pulumi.Output" not in source] == []


def test_wrong_arguments_are_refused_before_anything_is_registered() -> None:
    found = ran("refused")
    assert found.tree() == []
    said = found.outputs["said"]
    sampling, access = "TracingBackbone shop: environment.sampling.tail", "TracingBackbone shop: secrets.tracing-access"
    begins = {
        "no mapping": "TracingBackbone shop: environment: text stands where a mapping of settings belongs",
        "unknown key": f"{sampling}.slowest: unknown key; did you mean slow?",
        "wrong unit": 'TracingBackbone shop: environment.retention.traces: "30" has no unit; write "30d"',
        "a rule": "TracingBackbone shop: environment.ingest",
        "too small": "TracingBackbone shop: environment.",
        "local": "TracingBackbone shop: environment.target.kind: local is not deployed by Pulumi",
        "a missing secret": "TracingBackbone shop: secrets.tracing-ingest-token.token: is a secret that this stack needs, and missing",
        "a wrong secret": f"{access}.cookie-secret: is 5 bytes, and no base64 of a key either",
        "an unknown secret": f"{access}.cookie-sekret: nothing reads it; what is read: ",
        "a certificate": 'TracingBackbone shop: certificate: "no PEM" is no certificate',
        "a name": 'TracingBackbone shop: environment_name: "a/b" names no environment',
    }
    assert said.keys() == begins.keys()
    assert {what: text[: len(begins[what])] for what, text in said.items()} == begins
    steps = {what: text.splitlines()[-1] for what, text in said.items()}
    assert {step.partition(" ")[0] for step in steps.values()} == {"then:"}
    assert steps["unknown key"] == "then: pulumi preview"
    assert steps["a missing secret"].startswith('then: give secrets the entry "tracing-ingest-token.token"')


def test_the_host_of_the_package_places_what_a_python_program_places() -> None:
    found = ran("hosted")
    by_name: dict[str, dict[tuple[str, str], tuple[str, object]]] = {"bank": {}, "shop": {}}
    for r in found.resources.values():
        owner, _, short = r.name.partition("-")
        by_name[owner][r.type, short] = (r.parent.removeprefix(owner), r.inputs)
    assert len(by_name["bank"]) > 40
    assert by_name["bank"] == by_name["shop"]
    state, outputs = found.outputs["hosted"], found.outputs["imported"]
    assert {name.lower(): value for name, value in state.items()} == {name.replace("_", ""): value for name, value in outputs.items()}
    assert settings("prod")["sampling"]["targets"], "names that a user chose, of a section below another"


def test_the_program_of_the_page_places_a_backbone_on_its_own_cluster() -> None:
    found = ran("documented")
    assert found.outputs["endpoint"] == "https://agent.virtengine-observability.svc:4318"
    assert found.secret_outputs == {"variables"}
    (agent,) = found.by_type("kubernetes:apps/v1:DaemonSet").values()
    assert agent.provider.endswith("::cluster-id")
    assert "shop" in agent.depends_on
