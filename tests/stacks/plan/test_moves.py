"""Two stores side by side: each has its own workloads, claims, ports, queue and rules, and nothing of the other's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.alerts.rules import rules
from components.dashboards.panels import WINDOW
from components.documents.delivery import DELIVERY_BYTES
from components.documents.ports import BY_WORKLOAD
from components.kubernetes.objects import workload_objects
from components.workload import Outside
from stacks.environment.scaling import tiers
from stacks.environment.sizing import disk_need, held_bytes, needs, queue_seconds
from stacks.placement.outputs import outputs
from stacks.plan.addresses import InSmall
from stacks.plan.plan import plan
from stacks.plan.watching import dashboards
from tests.components.kubernetes import plans
from tests.stacks import samples

if TYPE_CHECKING:
    from components.workload import Plan
    from stacks.plan.addresses import Addresses

MOVE = samples.settings("prod-move")["backend"]
TEMPO = {"kind": "tempo", "storage": {"kind": "volume", "size": "1Ti"}}
BUCKET = {"kind": "tempo", "name": "s3", "storage": {"kind": "s3", "bucket": "traces", "endpoint": "s3.example.org"}}
NAMES = [*BY_WORKLOAD, *(f"{name}-{store}" for name in ("jaeger", "query", "tempo", "grafana") for store in ("search", "s3"))]
MOVES: dict[str, samples.Changes] = {
    "Badger to OpenSearch": {},
    "Tempo to a bucket": {"backend": BUCKET | {"also": {"store": TEMPO}}},
    "Cassandra to OpenSearch": {
        "backend.also.store": {"kind": "jaeger", "storage": {"kind": "cassandra", "servers": ["cassandra.databases.svc:9042"]}}
    },
    "Badger to a store that is there already": {
        "access": None,
        "backend": samples.settings("prod-otlp")["backend"] | {"name": "managed", "also": MOVE["also"]},
    },
}
_HOSTS = {name: (f"127.64.0.{index}",) for index, name in enumerate(NAMES, start=10)}
TARGETS: dict[str, Addresses] = {**samples.TARGETS, "small": InSmall("/state/sample", _HOSTS)}


def planned(move: str, target: str = "kubernetes") -> Plan:
    return plan(samples.named("prod-move", MOVES[move]).environment, TARGETS[target], name="sample")


each_move = pytest.mark.parametrize("move", MOVES)
each_target = pytest.mark.parametrize("target", samples.TARGETS)


def gateway(move: str, target: str = "kubernetes") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(samples.document(planned(move, target), "gateway", "collector.yaml"))
    return found


@each_move
def test_gateways_send_to_each_store_from_a_queue_of_its_own(move: str) -> None:
    found, made = gateway(move), planned(move)
    exporters = [store.exporter for store in made.stores]
    assert len(set(exporters)) == 2
    assert found["service"]["pipelines"]["traces/sampled"]["exporters"][:2] == exporters
    queues = [found["exporters"][name]["sending_queue"] for name in exporters]
    alone = yaml.safe_load(samples.document(samples.planned("prod"), "gateway", "collector.yaml"))["exporters"]["otlp_grpc"][
        "sending_queue"
    ]
    for queue in queues:
        assert queue["storage"] == alone["storage"], "a file for each exporter"
        assert queue["queue_size"] == pytest.approx(alone["queue_size"] / 2, rel=0.01), "half of the claim"
        assert "block_on_overflow" not in queue
    named = {store.exporter for store in made.stores if "/" in store.exporter}
    assert len(named) == 1, "the one without a name has the queue that it had"


@each_target
@each_move
def test_a_plan_of_two_stores_shares_no_name_port_file_or_host(move: str, target: str) -> None:
    made = planned(move, target)
    names = [workload.name for workload in made.workloads] + [job.name for job in made.jobs]
    assert len(set(names)) == len(names)
    if target in {"docker", "local"}:
        numbers = [(edge.destination, edge.port.number) for edge in made.edges if edge.source in {"operators", "consumers"}]
        assert len({number for _, number in set(numbers)}) == len(set(numbers)), "published on one host"
    paths = [(file.path, file.secret, file.key) for workload in made.workloads for file in workload.secret_files]
    assert len({path for path, *_ in paths}) == len(set(paths)), "a folder of secret files is of one store"
    for variables in (workload.secret_variables for workload in made.workloads):
        assert len({entry.variable for entry in variables}) == len(variables)


@each_move
def test_a_store_elsewhere_is_reached_by_its_own_servers_of_jaeger_alone(move: str) -> None:
    made = planned(move)
    reached = {name: {edge.source for edge in made.edges if edge.destination == name} for name in ("trace-store", "named-trace-store")}
    wanted = {
        "Badger to OpenSearch": (set(), {"jaeger-search", "query-search", "cleaner-search"}),
        "Tempo to a bucket": (set(), set()),
        "Cassandra to OpenSearch": ({"jaeger", "query"}, {"jaeger-search", "query-search", "cleaner-search"}),
        "Badger to a store that is there already": (set(), {"gateway"}),
    }
    assert tuple(reached.values()) == wanted[move]
    assert all(name in made.outside for name, sources in reached.items() if sources)


@each_move
def test_people_come_to_the_first_store_by_the_login_and_to_the_other_by_no_policy(move: str) -> None:
    made = planned(move)
    if not any(workload.name == "access" for workload in made.workloads):
        return
    shown = {edge.destination for edge in made.edges if edge.source == "access" and edge.destination != "oidc-issuer"}
    assert shown == {{"jaeger": "query-search", "tempo": "grafana-s3"}[made.stores[0].kind]}
    assert {edge.destination for edge in made.edges if edge.source == "operators"} == {"access"}
    forwarded = [edge for edge in made.edges if edge.source == "port-forwards"]
    other = made.stores[1]
    if other.ui is None or "svc" not in other.ui:
        assert forwarded == []
        return
    # Its Service has the port of its URL, and no policy lets anybody in.
    (edge,) = forwarded
    (service,) = plans.of_kind(workload_objects(made, made.workload(edge.destination)), "Service")
    assert edge.port.number in {port["port"] for port in service["spec"]["ports"]}
    assert other.ui.endswith(f"svc:{edge.port.number}")
    assert made.outside["port-forwards"] == Outside()


@each_target
@each_move
def test_the_contract_has_the_urls_of_both_stores_and_of_one_only_its_own(move: str, target: str) -> None:
    made = planned(move, target)
    contract = outputs(made)
    first, second = made.stores
    assert contract.also is not None
    assert (contract.query_url, contract.also.query_url) == (first.query, second.query)
    assert (contract.retention_seconds, contract.also.retention_seconds) == (first.retention_seconds, second.retention_seconds)
    assert first.query != second.query
    assert outputs(samples.planned("prod")).also is None


@each_move
def test_each_server_of_both_stores_has_an_alert_and_a_section_of_the_runbook(move: str) -> None:
    made = planned(move)
    found = rules(made)
    assert len({rule.alert for rule in found}) == len(found)
    told = {rule.workload for rule in found if rule.name.endswith("Down")}
    assert told == {workload.name for workload in made.workloads if workload.metrics}
    assert all("-" not in rule.alert for rule in found)


def test_dashboards_show_what_is_sent_to_each_store() -> None:
    environment = samples.named("prod-move").environment
    text = "".join(dashboards(environment, samples.TARGETS["kubernetes"]).values()).replace(WINDOW, "")
    for what in ('exporter=\\"otlp_grpc/search\\"', 'exporter=\\"otlp_grpc\\"', 'job=\\"jaeger-search\\"', 'job=\\"jaeger\\"'):
        assert what in text


def test_check_and_size_reckon_with_both_stores() -> None:
    both, alone = samples.named("prod-move").environment, samples.named("prod").environment
    assert queue_seconds(both) == pytest.approx(queue_seconds(alone) / 2, rel=0.01)
    assert held_bytes(both, 100) - held_bytes(alone, 100) == 20 * DELIVERY_BYTES
    assert [need.key for need in needs(both)] == ["backend.also.store.volume.size", "collectors.gateway.resources.memory"]
    found = {tier.name: tier for tier in tiers(both, 1_000)}
    assert found.keys() == {"agent", "gateway", "jaeger-search", "query-search", "opensearch-search", "jaeger"}
    assert found["gateway"].sent == pytest.approx(found["jaeger"].received + found["jaeger-search"].received)
    kept = disk_need(both.stores[1])
    assert kept is not None
    assert "30d" in kept.arithmetic, "its own retention"
