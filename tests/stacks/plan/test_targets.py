"""What differs between targets: addresses, paths, the peer resolver, TLS and enrichment, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.documents import ports, wall
from components.local.addresses import Block
from stacks.placement.surroundings import lay_out
from stacks.plan.addresses import Bound
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.workload import Plan

Place = tuple[str, ...]


def flat(value: object, path: Place = ()) -> Iterator[tuple[Place, object]]:
    """Every value of a document with its path."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from flat(child, (*path, str(name)))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for index, child in enumerate(value):
            yield from flat(child, (*path, str(index)))
    else:
        yield path, value


def neutral(plan: Plan, target: str) -> Mapping[str, Mapping[Place, object]]:
    """The documents of a plan with each address and path replaced by what it stands for."""
    addresses = samples.TARGETS[target]
    gateway, number = Bound(addresses, "gateway"), plan.workload("gateway").port("otlp-http").number
    hosts_of_gateways = addresses.replica_hosts("gateway", plan.workload("gateway").replicas)
    meanings = [(f"{host}:{number}", f"<gateway {index}>") for index, host in enumerate(hosts_of_gateways)]
    itself = (gateway, Bound(addresses, plan.stores[0].kind))
    meanings += [(bound.own(port), f"<{port} of itself>") for bound in itself for port in (ports.COPY, ports.FLUSH)]
    for workload in plan.workloads:
        for port in workload.ports:
            hosts = (addresses.call_host(workload.name), addresses.listen_host(workload.name))
            meanings += [(f"{host}:{port.number}", f"<{port.name} of {workload.name}>") for host in hosts]
    for folder in ("ingest", "issuer", "store"):
        meanings.append((addresses.secrets(folder), f"<secrets of {folder}>"))
    for workload in plan.workloads:
        meanings += [(volume.path, f"<{volume.name}>") for volume in workload.volumes]
        meanings.append((workload.documents_path, "<documents>"))
    found: dict[str, Mapping[Place, object]] = {}
    for workload in plan.workloads:
        host = addresses.listen_host(workload.name)
        # Of the gateways an agent sees each by itself.
        own = [(f"{host}:{port.number}", f"<{port.name}>") for port in workload.ports]
        for document in workload.documents:
            text = document.text
            for written, meaning in own + meanings:
                text = text.replace(written, meaning)
            text = text.replace(f": {host}\n", ": <host>\n").replace(f"= {host}\n", "= <host>\n")
            for port in workload.ports:
                text = text.replace(f"port: {port.number}\n", f"port: <{port.name}>\n")
                text = text.replace(f"port = {port.number}\n", f"port = <{port.name}>\n")
            found[f"{workload.name}/{document.name}"] = (
                dict(flat(yaml.safe_load(text))) if document.name.endswith((".yaml", ".json")) else {(): text}
            )
    return found


def differences(base: str, one: str, other: str) -> dict[str, set[Place]]:
    left, right = (neutral(samples.planned(base, target), target) for target in (one, other))
    found: dict[str, set[Place]] = {}
    for name in left.keys() & right.keys():
        places = {place for place in left[name].keys() | right[name].keys() if left[name].get(place) != right[name].get(place)}
        if places:
            found[name] = places
    return found


@pytest.mark.parametrize("base", samples.FILES)
def test_on_one_host_containers_and_processes_differ_in_addresses_and_paths_alone(base: str) -> None:
    assert differences(base, "docker", "local") == {}
    assert [w.name for w in samples.planned(base, "docker").workloads] == [w.name for w in samples.planned(base, "local").workloads]


@pytest.mark.parametrize("base", samples.FILES)
def test_a_cluster_and_its_shape_in_small_differ_in_what_only_kubernetes_has(base: str) -> None:
    found = differences(base, "kubernetes", "small")
    assert {place[:3] for place in found.pop("agent/collector.yaml")} == {
        ("processors", "k8s_attributes", "auth_type"),
        ("processors", "k8s_attributes", "extract"),
        ("processors", "k8s_attributes", "filter"),
        ("processors", "k8s_attributes", "pod_association"),
        ("service", "pipelines", "traces"),
    }
    # In small Tempo has an address of its own, and its parts would look for each other on 127.0.0.1.
    own = {("querier", "frontend_worker", "frontend_address"), ("backend_worker", "backend_scheduler_addr")}
    assert found == ({"tempo/tempo.yaml": own} if base.startswith("prod-tempo") else {})
    cluster, small = samples.planned(base, "kubernetes"), samples.planned(base, "small")
    for there, here in zip(cluster.workloads, small.workloads, strict=True):
        # Paths stand in documents and arguments, and are the addresses' to say.
        unlike = ("documents", "arguments", "documents_path", "volumes", "secret_files", "environment")
        assert dataclasses.replace(here, **{name: getattr(there, name) for name in unlike}) == there
    assert small.edges == cluster.edges
    assert small.quota == cluster.quota


@pytest.mark.parametrize("base", samples.FILES)
def test_of_the_environment_in_small_only_the_ways_to_login_and_prometheus_differ(base: str) -> None:
    environment, plan = samples.named(base).environment, samples.planned(base)
    layout = lay_out(plan, Block("127.64.0"), nodes=2)
    before, after = environment.model_dump(), layout.environment(environment).model_dump()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == (set() if base == "dev" else {"access"} | ({"monitoring"} if environment.monitoring.prometheus else set()))
    monitoring = {name for name in before["monitoring"] if before["monitoring"][name] != after["monitoring"][name]}
    assert monitoring <= {"prometheus"}
    if changed:
        ways = {name for name in before["access"] if before["access"][name] != after["access"][name]}
        assert ways == {"host", "oidc_issuer", "oidc_ca_secret", "trusted_proxies"}


@pytest.mark.parametrize("base", samples.FILES)
def test_a_cluster_differs_in_who_redacts_counts_and_keeps_and_in_the_login(base: str) -> None:
    found = differences(base, "kubernetes", "docker")
    gateway = found.pop("gateway/collector.yaml")
    assert {place[:2] for place in gateway} == {
        *(("processors", name) for name in wall.NAMES),
        ("connectors", "span_metrics"),
        # Agents keep what a gateway has not decided on, and it answers them when it has.
        ("receivers", "otlp"),
        ("receivers", "otlp/copy"),
        ("receivers", "otlp/flush"),
        ("processors", "resource/first"),
        ("processors", "transform/strip"),
        ("exporters", "otlp_grpc/copy"),
        ("exporters", "otlp_grpc/flush"),
        ("exporters", "debug/waited"),
        ("service", "pipelines"),
    }
    if base != "dev":
        # One host has strategies in plain text on loopback, as it has its intake.
        guarded = {("extensions", "basicauth"), ("extensions", "remote_sampling"), ("service", "extensions")}
        assert {place[:2] for place in found.pop("sampling/sampling.yaml")} == guarded
    if base == "prod-opensearch":
        # Gateways keep what Jaeger has not had time to write, and it answers them when it has.
        late = {place[:2] for place in found.pop("jaeger/jaeger.yaml")}
        assert {name for _, name in late} >= {
            "otlp/copy",
            "otlp/flush",
            "attributes/first",
            "jaeger_storage_exporter/waited",
            "jaeger_storage",
        }
    # On one host no agent is shown, and no volume of one.
    boards = {name for name in found if name.startswith("grafana/boards/")}
    assert {place[:1] for name in boards for place in found.pop(name)} <= {("panels",)}
    assert bool(boards) == (base == "prod-tempo")
    # Grafana writes its own links, so behind the login proxy it knows the address of that.
    assert found == ({"grafana/grafana.ini": {()}} if base.startswith("prod-tempo") else {})


@pytest.mark.parametrize("base", samples.FILES)
def test_the_agent_adds_only_shards_tls_and_enrichment_to_the_gateways_intake(base: str) -> None:
    cluster, host = samples.planned(base, "kubernetes"), samples.planned(base, "docker")
    agent: dict[str, Any] = yaml.safe_load(samples.document(cluster, "agent", "collector.yaml"))
    alone: dict[str, Any] = yaml.safe_load(samples.document(host, "gateway", "collector.yaml"))
    shares = {name for name in agent["processors"] if name.startswith(("filter/", "batch/"))}
    assert agent["processors"].keys() - alone["processors"].keys() - shares == {"k8s_attributes"}
    for shared in wall.NAMES:
        assert agent["processors"][shared] == alone["processors"][shared]
    added = {place for place, _ in flat(agent["receivers"])} - {place for place, _ in flat(alone["receivers"])}
    assert {place[-2] for place in added} == (set() if base == "dev" else {"tls", "auth"})
    replicas = cluster.workload("gateway").replicas
    names = {f"otlp_http/gateway-{index}" for index in range(replicas)}
    assert agent["exporters"].keys() == names | {"prometheus"}
