"""The Docker placement: which containers a plan becomes, and the resource tree that Pulumi is asked for."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from components.docker import containers
from stacks.environment.model import KEY
from stacks.environment.source import ROOT, read
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.program import config_of, run
from tests.stacks import samples

if TYPE_CHECKING:
    from pathlib import Path

    from components.workload import Plan
    from tests.program import Deployed

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"


@pytest.fixture(scope="module")
def dev() -> Plan:
    named = read("dev")
    return plan(named.environment, addresses_of(named), name="dev")


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    return run("dev")


def test_the_resource_tree_of_dev_is_this_one(deployed: Deployed) -> None:
    host, workload = "virtengine:tracing:DockerHost", "virtengine:tracing:DockerWorkload"
    image = "docker:index/remoteImage:RemoteImage"
    assert deployed.tree() == [
        " > virtengine:tracing:TracingBackbone backbone",
        "backbone > pulumi:providers:docker docker",
        f"backbone > {host} tracing",
        f"backbone > {workload} gateway",
        f"backbone > {workload} jaeger",
        f"backbone > {workload} sampling",
        f"gateway > {CONTAINER} gateway-preparation",
        f"gateway > {CONTAINER} gateway-server",
        f"gateway > {VOLUME} gateway-documents",
        f"gateway > {VOLUME} gateway-queue",
        f"jaeger > {CONTAINER} jaeger-preparation",
        f"jaeger > {CONTAINER} jaeger-server",
        f"jaeger > {VOLUME} jaeger-documents",
        f"jaeger > {VOLUME} jaeger-traces",
        f"sampling > {CONTAINER} sampling-preparation",
        f"sampling > {CONTAINER} sampling-server",
        f"sampling > {VOLUME} sampling-documents",
        f"tracing > {CONTAINER} tracing-tools",
        "tracing > docker:index/network:Network tracing-network",
        f"tracing > {image} tracing-busybox",
        f"tracing > {image} tracing-jaeger",
        f"tracing > {image} tracing-otelcol-contrib",
        f"tracing > {VOLUME} tracing-tools-volume",
    ]


def test_everything_goes_to_the_daemon_that_the_stack_names(deployed: Deployed) -> None:
    named = deployed.by_type("pulumi:providers:docker")["docker"]
    assert named.inputs["host"] == "unix:///var/run/docker.sock"
    placed = [r for r in deployed.resources.values() if r.type.startswith("docker:")]
    assert placed
    assert all(r.provider.endswith("::docker::docker-id") for r in placed)


def test_every_component_registers_its_outputs(deployed: Deployed) -> None:
    components = {urn for urn, r in deployed.resources.items() if r.type.startswith("virtengine:tracing:")}
    assert len(components) == 5
    assert components <= deployed.finished


def test_what_a_stack_made_without_a_parent_is_known_by_its_former_place(deployed: Deployed) -> None:
    former = {r.name for r in deployed.resources.values() if r.former_root}
    assert (
        former
        == {r.name for r in deployed.resources.values() if r.parent == "backbone"}
        == {"docker", "tracing", "gateway", "jaeger", "sampling"}
    )


def test_only_otlp_strategies_and_the_user_interface_are_published_on_loopback(deployed: Deployed) -> None:
    ports = {(name, port["external"], port["ip"]) for name, r in deployed.by_type(CONTAINER).items() for port in r.inputs.get("ports", [])}
    assert ports == {
        ("gateway-server", 4317, "127.0.0.1"),
        ("gateway-server", 4318, "127.0.0.1"),
        ("sampling-server", 5778, "127.0.0.1"),
        ("sampling-server", 5779, "127.0.0.1"),
        ("jaeger-server", 16686, "127.0.0.1"),
    }


def test_every_server_is_confined_limited_and_asked_for_its_health(deployed: Deployed, dev: Plan) -> None:
    servers = {name: r.inputs for name, r in deployed.by_type(CONTAINER).items() if name.endswith("-server")}
    assert len(servers) == len(dev.workloads)
    for workload in dev.workloads:
        inputs = servers[f"{workload.name}-server"]
        assert inputs["readOnly"] is True
        assert inputs["user"] == f"{workload.identity.user_id}:{workload.identity.user_id}"
        assert inputs["securityOpts"] == ["no-new-privileges:true"]
        assert inputs["capabilities"] == {"drops": ["ALL"]}
        assert inputs["memory"] * 2**20 == inputs["memorySwap"] * 2**20 == workload.resources.memory_bytes
        assert inputs["healthcheck"]["tests"][-1].endswith(f":{workload.port(workload.health.port).number}{workload.health.path}")
        assert inputs["wait"] is True
        assert inputs["destroyGraceSeconds"] == inputs["stopTimeout"] == workload.grace_in_place


def test_a_server_reads_its_documents_and_cannot_write_them(deployed: Deployed) -> None:
    for name, resource in deployed.by_type(CONTAINER).items():
        mounts = {mount["containerPath"]: mount.get("readOnly", False) for mount in resource.inputs["volumes"]}
        if name.endswith("-server"):
            assert mounts["/etc/virtengine-tracing"] is True
            assert resource.depends_on >= {name.replace("-server", "-preparation"), "tracing-tools"}


def test_containers_whose_names_others_call_are_deleted_before_they_are_replaced(deployed: Deployed) -> None:
    assert all(r.delete_before_replace for r in deployed.by_type(CONTAINER).values())


def test_images_stay_on_the_host_when_the_stack_goes(deployed: Deployed) -> None:
    images = deployed.by_type("docker:index/remoteImage:RemoteImage")
    assert all(image.inputs["keepLocally"] is True for image in images.values())


def test_a_job_runs_once_a_day_in_a_container_that_is_told_secrets_alone(tmp_path: Path) -> None:
    store = {"kind": "opensearch", "servers": ["http://search.example.org:9200"], "credentials_secret": "search"}
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(samples.text(samples.settings("dev", {"backend": {"kind": "jaeger", "storage": store}})))
    found = run("dev", file=file, secrets={"search.username": "user-of-the-store", "search.password": "password-of-the-store"})
    job = found.by_type(CONTAINER)["cleaner-job"]
    (command,) = job.inputs["command"]
    assert "/go/bin/es-index-cleaner-linux --index-prefix=dev " in command
    assert command.endswith("busybox sleep 86400 & wait $!; done")
    assert job.inputs["readOnly"] is True
    assert "ES_PASSWORD=password-of-the-store" in str(job.inputs["envs"])
    for resource in found.resources.values():
        open_to_all = {name: value for name, value in resource.inputs.items() if name not in resource.secret}
        assert "of-the-store" not in str(open_to_all), resource.name


def test_protection_covers_the_traces_alone_and_only_where_it_is_asked_for(deployed: Deployed, tmp_path: Path) -> None:
    assert not any(r.protect for r in deployed.resources.values())
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text((ROOT / "Pulumi.dev.yaml").read_text().replace("protect: false", "protect: true"))
    protected = {r.name for r in run("dev", file=file).resources.values() if r.protect}
    assert protected == {"jaeger-traces"}


def test_a_document_read_at_start_replaces_the_server_and_a_watched_one_does_not(dev: Plan) -> None:
    sampling = dev.workload("sampling")
    start, watched = sampling.documents
    assert (start.on_change, watched.on_change) == ("restart", "reload")
    other_start = replace(sampling, documents=(replace(start, text=start.text + "\n"), watched))
    other_watched = replace(sampling, documents=(start, replace(watched, text=watched.text + "\n")))
    assert containers.server(dev, other_start) != containers.server(dev, sampling)
    assert containers.server(dev, other_watched) == containers.server(dev, sampling)
    assert containers.preparation(dev, other_watched) != containers.preparation(dev, sampling)


def test_the_preparation_writes_every_document_and_owns_every_volume_of_the_user(dev: Plan) -> None:
    for workload in dev.workloads:
        arguments = containers.preparation(dev, workload)
        assert {upload["file"]: upload["content"] for upload in arguments["uploads"]} == {
            f"{workload.documents_path}/{document.name}": document.text for document in workload.documents
        }
        wanted = [volume.path for volume in workload.volumes]
        assert arguments["command"] == (
            ["chown", f"{workload.identity.user_id}:{workload.identity.user_id}", *wanted] if wanted else ["true"]
        )
        assert arguments["network_mode"] == "none"


def test_a_workload_that_wants_secret_files_is_refused_and_not_run_without_them(dev: Plan) -> None:
    from components.workload import SecretFile

    workload = replace(dev.workload("gateway"), secret_files=(SecretFile("tls", "tls.key", "/etc/tls.key"),))
    with pytest.raises(ValueError, match="gateway: wants secrets as files"):
        containers.server(dev, workload)


def test_the_outputs_are_those_of_the_plan_and_hold_what_is_deployed(deployed: Deployed) -> None:
    from json import loads

    from stacks.environment.parse import parse
    from stacks.placement.outputs import Outputs, outputs

    named = read("dev")
    here = plan(named.environment, addresses_of(named), name="dev")
    assert Outputs.parse(deployed.outputs) == outputs(here)
    assert parse(loads(deployed.outputs["settings"]), source="outputs", name="dev") == named.environment
    assert {w["name"] for w in loads(deployed.outputs["plan"])["workloads"]} == {w.name for w in here.workloads}
    assert deployed.outputs["otel"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"
    assert KEY in config_of(ROOT / "Pulumi.dev.yaml")


def _functions() -> list[tuple[str, int]]:
    files = [*(ROOT / "components").rglob("*.py"), *(ROOT / "stacks").rglob("*.py"), ROOT / "__main__.py"]
    return [
        (f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_every_constructor_and_every_function_has_less_than_60_lines() -> None:
    assert [name for name, lines in _functions() if lines >= 60] == []
    assert sum(name.endswith("__init__") for name, _ in _functions()) >= 4
