"""The policy pack as the engine starts it, and asked as the engine asks it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from stacks.environment.source import ROOT
from stacks.placement.manifests import kubernetes_objects
from stacks.policies.judge import POLICIES
from stacks.policies.settings import read_settings
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.server
PACK = ROOT / "policies"


@pytest.fixture(scope="module")
def analyzer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """The pack in an environment of its own, as its page says."""
    folder = tmp_path_factory.mktemp("policies")
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", folder / "venv", "--python", sys.executable], check=True)
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", folder / "venv", "-r", PACK / "requirements.txt"], check=True)
    with subprocess.Popen([folder / "venv/bin/python", "-u", PACK], stdout=subprocess.PIPE, text=True, cwd=PACK) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            process.kill()


def ask(
    analyzer: analyzer_pb2_grpc.AnalyzerStub, changes: dict[str, object], config: dict[str, dict[str, Any]], *, busier: int = 1
) -> set[tuple[str, str]]:
    """Ask for a stack's violations: the name of each policy, and its message. Its component tells of so many times the load."""
    analyzer.Configure(
        analyzer_pb2.ConfigureAnalyzerRequest(
            policyConfig={
                name: analyzer_pb2.PolicyConfig(properties=json_format.ParseDict(properties, Struct()))
                for name, properties in config.items()
            }
        )
    )
    plan = samples.planned(changes=changes)
    protected = {"traces-jaeger-0"} if changes.get("backend.protect") is not False else set()
    resources = [
        analyzer_pb2.AnalyzerResource(
            type=f"kubernetes:{mapping['apiVersion']}:{mapping['kind']}",
            properties=json_format.ParseDict(json.loads(json.dumps(mapping)), Struct()),
            name=mapping["metadata"]["name"],
            urn=f"urn:pulumi:prod::virtengine-tracing::kubernetes:{mapping['kind']}::{mapping['metadata']['name']}",
            options=analyzer_pb2.AnalyzerResourceOptions(protect=mapping["metadata"]["name"] in protected),
        )
        for objects in kubernetes_objects(plan).values()
        for mapping in objects
    ]
    settings = samples.named(changes=changes).environment.model_dump(mode="json")
    settings["load"]["spans_per_second"] *= busier
    told = json_format.ParseDict({"settings": json.dumps(settings)}, Struct())
    resources.append(analyzer_pb2.AnalyzerResource(type="virtengine:tracing:TracingBackbone", properties=told, name="tracing"))
    answer = analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources))
    assert not [one.message for one in answer.diagnostics if "can't run" in one.message]
    return {(one.policyName, one.message) for one in answer.diagnostics}


def test_the_pack_has_every_policy_at_its_level(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    told = json_format.MessageToDict(analyzer.GetAnalyzerInfo(Empty()))
    levels = {one["name"]: one.get("enforcementLevel", "ADVISORY").lower() for one in told["policies"] if one["name"] != "all"}
    assert levels == {policy.name: policy.level for policy in POLICIES}


def test_a_good_stack_is_passed_but_for_its_tags(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    assert {name for name, _ in ask(analyzer, {}, {})} == {"image-digests"}


def test_a_bad_stack_is_refused_by_the_policy_that_it_breaks(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    changes = {"backend.protect": False, "ingest.token_secret": samples.ABSENT, "retention.traces": "180d", "backend.volume.size": "4Ti"}
    found = ask(analyzer, changes, {})
    assert {name for name, _ in found} == {"image-digests", "protected-store", "intake", "retention"}
    assert any("set environment.retention.traces between 1d and 90d" in message for _, message in found)


def test_a_load_that_the_component_tells_of_is_held_against_the_disk(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    (found,) = (message for name, message in ask(analyzer, {}, {}, busier=10) if name == "disk")
    assert "PersistentVolumeClaim traces-jaeger-0 has 1Ti" in found
    assert "environment.backend.volume.size" in found


def test_the_engine_s_configuration_moves_the_bounds(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    config: dict[str, dict[str, Any]] = {"retention": {"maximum": "7d"}, "image-digests": {"exempt": ["docker.io/", "quay.io/"]}}
    found = ask(analyzer, {}, config)
    assert {name for name, _ in found} == {"retention"}
    assert "ConfigMap jaeger keeps traces for 30d" in next(iter(found))[1]


def test_the_configuration_for_production_is_one_that_check_takes() -> None:
    assert read_settings(PACK / "production.json").of("image-digests").enforcementLevel == "mandatory"
