"""The shape of a cluster on one machine: what runs, where, that it works, and that killed parts come back."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections import Counter
from typing import TYPE_CHECKING

from components.documents import held
from components.documents.queues import FLUSH_SECONDS
from stacks.placement.outputs import Outputs
from stacks.trial.account import intake, trial
from stacks.trial.counters import Counters
from stacks.trial.load import Pace
from tests.servers.small.conftest import NODES, WAIT_SECONDS
from tests.waiting import until

if TYPE_CHECKING:
    from tests.servers.small.conftest import Cluster


def test_each_instance_of_each_workload_runs_on_an_address_of_its_own(production: Cluster) -> None:
    plan, listed = production.running.plan, production.instances()
    wanted = {w.name: NODES if w.spread == "every-node" else w.replicas for w in plan.workloads}
    assert Counter(one.workload for one in listed if one.workload in wanted) == wanted
    assert {one.workload for one in listed} - wanted.keys() == {"issuer", "ingress", "prometheus", "cluster"}
    assert len({one.address for one in listed}) == len(listed)
    assert all(one.pid for one in listed)
    for one in listed:
        if one.workload in wanted:
            assert one.ports == {port.name: port.number for port in plan.workload(one.workload).ports}


def wait_for_what_others_have_sent(production: Cluster) -> None:
    """Wait until no gateway takes a span for longer than it may have one that it has not counted: another test's is none of a trial's.

    A gateway counts a span when it answers for it, after the decision.
    """
    gateways = production.instances("gateway")
    counters = Counters({one.instance: f"http://{one.address}:{one.ports['telemetry']}/metrics" for one in gateways})
    counters.start()
    began = time.monotonic()
    try:
        still = held.Hold("", "", WAIT_SECONDS).longest_seconds + 2 * FLUSH_SECONDS
        until(lambda: min(counters.still_seconds("otelcol_receiver_accepted_spans_total"), time.monotonic() - began) > still, every=0.2)
    finally:
        counters.stop()


def test_a_trace_cut_between_two_nodes_is_whole_in_the_backend_and_counted_once(production: Cluster) -> None:
    wait_for_what_others_have_sent(production)
    with trial(production.folder, Pace(20, 3), late_after=10) as load:
        account = load.settle()
    assert account.sent == account.acknowledged == account.readable > 0
    assert account.counted == account.spans
    # The real gateways take exactly what the kit computes for each, so what it says of living ones is about theirs.
    assert {name: share.taken for name, share in account.shares.items()} == {name: share.spans for name, share in account.shares.items()}
    assert sum(share.spans for share in account.shares.values()) == account.spans
    assert account.in_pieces == 0
    assert all(size > 2**20 for size in account.resident.values())
    assert account.stored_twice == 0
    assert min(share.taken for share in account.shares.values()) > 0, "every gateway has its share"


def test_prometheus_scrapes_every_port_that_the_plan_lets_it_reach(production: Cluster) -> None:
    prometheus = next(iter(production.instances("prometheus")))
    url = f"http://{prometheus.address}:{prometheus.ports['prometheus']}/api/v1"
    wanted = {
        f"{one.address}:{edge.port.number}"
        for edge in production.running.plan.edges
        if edge.source == "scrapers"
        for one in production.instances(edge.destination)
    }
    wanted |= {f"{one.address}:{one.ports['cluster']}" for one in production.instances("cluster")}

    def up() -> set[str]:
        targets = json.loads(production.client().get(f"{url}/targets").text)["data"]["activeTargets"]
        return {target["labels"]["instance"] for target in targets if target["health"] == "up"}

    assert until(lambda: up() == wanted, lambda: wanted - up(), progress=lambda: len(up()))
    asked = urllib.parse.quote("traces_span_metrics_calls_total")
    until(lambda: json.loads(production.client().get(f"{url}/query?query={asked}").text)["data"]["result"], "span metrics in Prometheus")


def test_services_of_all_nodes_are_told_one_token_and_one_authority(production: Cluster) -> None:
    outputs = Outputs.read(production.folder / "outputs.json")
    told = intake(production.instances(), outputs)
    assert len(told.urls) == NODES
    assert all(url.startswith("https://") for url in told.urls)
    assert str(outputs.otlp_http_endpoint) in told.urls
    assert told.token
    assert told.certificate
    assert (production.folder / "outputs.json").stat().st_mode & 0o777 == 0o600


def test_a_killed_gateway_starts_again_and_a_refused_one_stays_down_until_released(production: Cluster) -> None:
    faults, first = production.faults, production.faults.find("gateway-1").pid
    faults.kill("gateway-1")
    until(lambda: faults.find("gateway-1").pid not in {None, first}, "another process")
    until(lambda: faults.is_healthy("gateway-1"), "health")
    faults.refuse("gateway-1")
    assert faults.find("gateway-1").pid is None
    assert not faults.is_healthy("gateway-1")
    faults.release("gateway-1")
    until(lambda: faults.is_healthy("gateway-1"), "health")
    faults.hang("gateway-1")
    assert not faults.is_healthy("gateway-1")
    faults.release("gateway-1")
    until(lambda: faults.is_healthy("gateway-1"), "health")
