"""Many orders: what tail sampling keeps, what the metrics count, and what is found nowhere."""

from __future__ import annotations

import math
import os
from collections import Counter
from typing import TYPE_CHECKING

from components.documents.series import series
from examples.virtengine.system import SERVICES
from stacks.plan.collectors import trace_metrics
from tests.examples.system.conftest import ORDER
from tests.examples.virtengine.processes import get
from tests.servers.conftest import named
from tests.servers.test_series import scraped_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from examples.virtengine.load import Outcome
    from stacks.show.stored import Span, Trace
    from tests.examples.system.conftest import Town, VirtEngine
    from tests.servers.test_series import Sample

ORDERS = int(os.environ.get("ORDERS", "300"))
"""Orders of the test, by hand 2000: they take two cores two minutes and more."""
PER_SECOND = 25.0
BASELINE = 0.1
SLOW_NS = 10**9
WITHIN = 0.01
SETTINGS: dict[str, object] = {
    "sampling": {"tail": {"baseline": "10 %", "wait": "10s", "slow": "1s"}},
    "aggregation": {"flush_interval": "1s"},
    "load": {"spans_per_second": 2000},
    "retention": {"traces": "1d"},
    "backend": {"volume": {"size": "200Gi"}},
}


def of(traces: Iterable[Trace], name: str) -> list[tuple[Trace, Span]]:
    return [(trace, span) for trace in traces for span in trace.spans if span.name == name]


def orders_of(spans: Iterable[tuple[Trace, Span]], chosen: Callable[[Trace, Span], bool]) -> set[object]:
    return {span.attributes[ORDER] for trace, span in spans if chosen(trace, span)}


def took(trace: Trace) -> int:
    return max(span.end_ns for span in trace.spans) - min(span.start_ns for span in trace.spans)


def placed(outcome: Outcome, kind: str) -> set[object]:
    return {order.id for order in outcome.placed if order.kind == kind}


def assert_failed_and_slow_are_kept(outcome: Outcome, traces: list[Trace]) -> None:
    executed, provisioned = of(traces, "execute transaction"), of(traces, "process provision")
    assert orders_of(executed, lambda _, span: span.status == "error") == placed(outcome, "unfunded")
    assert orders_of(provisioned, lambda _, span: span.status == "error") == placed(outcome, "broken")
    assert orders_of(provisioned, lambda _, span: span.duration_ns >= SLOW_NS) >= placed(outcome, "slow")


def assert_the_share_of_the_rest_is_kept(outcome: Outcome, traces: list[Trace]) -> None:
    """Of the requests of customers, all ordinary: a binomial share, within four standard deviations."""
    kept = [trace for trace, _ in of(traces, "POST /orders") if took(trace) < SLOW_NS and all(s.status != "error" for s in trace.spans)]
    slow = len(of(traces, "POST /orders")) - len(kept)
    wanted = (len(outcome.placed) - slow) * BASELINE
    assert abs(len(kept) - wanted) <= 4 * math.sqrt(wanted * (1 - BASELINE)), f"{len(kept)} kept, {wanted:.0f} expected"


def total(samples: Iterable[Sample], **labels: str) -> float:
    return sum(value for found, value in samples if labels.items() <= found.items())


def assert_close(found: Mapping[str, float], wanted: Mapping[str, float]) -> None:
    wrong = {name: (found[name], value) for name, value in wanted.items() if abs(found[name] - value) > WITHIN * value}
    assert not wrong, f"found and expected: {wrong}"


def assert_span_metrics_agree(outcome: Outcome, samples: Iterable[Sample]) -> None:
    kinds, asked = outcome.kinds, outcome.requests
    bids = len(outcome.placed) - kinds["unfunded"]
    settled = bids - kinds["broken"]
    closed = kinds["broken"] + kinds["cancelled"]
    served = {f"portal/{route}/SPAN_KIND_SERVER": float(count) for route, count in asked.items() if route != "watch"}
    wanted = served | {
        "provider-daemon/process provision/SPAN_KIND_CONSUMER": bids,
        "provider-daemon/process release/SPAN_KIND_CONSUMER": closed,
        "chain/market.keeper.CreateOrder/SPAN_KIND_INTERNAL": len(outcome.placed),
        "chain/execute transaction/SPAN_KIND_INTERNAL": asked["POST /customers"] + len(outcome.placed) + bids + settled + closed,
        "waldur/POST /api/marketplace-orders//SPAN_KIND_SERVER": bids,
    }
    found: Counter[str] = Counter()
    for labels, value in samples:
        found[f"{labels['service_name']}/{labels['span_name']}/{labels['span_kind']}"] += round(value)
    assert_close(found, wanted)
    failed = total(samples, service_name="chain", span_name="execute transaction", status_code="STATUS_CODE_ERROR")
    assert failed == kinds["unfunded"]
    assert total(samples, span_name="process provision", status_code="STATUS_CODE_ERROR") == kinds["broken"]


def assert_the_graph_agrees(outcome: Outcome, samples: Iterable[Sample], waldur_requests: int) -> None:
    kinds = outcome.kinds
    bids = len(outcome.placed) - kinds["unfunded"]
    calls = sum(count for route, count in outcome.requests.items() if route != "watch")
    wanted = {"portal → chain": calls, "provider-daemon → chain": 2 * bids, "provider-daemon → waldur": waldur_requests}
    found: Counter[str] = Counter()
    for labels, value in samples:
        if not labels["connection_type"]:
            found[f"{labels['client']} → {labels['server']}"] += round(value)
    assert_close(found, wanted)


def assert_series_are_those_of_the_plan(found: Mapping[str, list[Sample]]) -> None:
    wanted = series(trace_metrics(named("dev", **SETTINGS).environment, ""))
    names = {one.name for one in wanted if one.kind == "counter"}
    names |= {f"{one.name}_{part}" for one in wanted if one.kind == "histogram" for part in ("sum", "count", "bucket")}
    assert set(found) == names
    for one in wanted:
        for labels, _ in found[one.name if one.kind == "counter" else f"{one.name}_count"]:
            assert set(labels) == set(one.labels), one.name


def assert_no_customer_is_found(town: VirtEngine, canaries: Iterable[str], traces: list[Trace], metrics: str) -> None:
    logs = {path.name: path.read_text(errors="replace") for path in town.system.log("portal").parent.glob("*.log")}
    logs |= {name: town.running.supervisor.log(name).read_text(errors="replace") for name in ("gateway", "jaeger", "sampling")}
    everywhere = logs | {"Jaeger": repr(traces), "metrics": metrics}
    assert {name: len(text) for name, text in everywhere.items() if name in ("portal.log", "Jaeger", "metrics") and not text} == {}
    found = {(place, word) for place, text in everywhere.items() for word in canaries if word.lower() in text.lower()}
    assert not found


def test_many_orders_are_sampled_counted_and_kept_private_as_planned(virtengine: Town) -> None:
    with virtengine(**SETTINGS) as town:
        load = town.loading()
        outcome = town.run(load, ORDERS, per_second=PER_SECOND)
        asked = get(f"{town.system.url('waldur')}/stats").json()["requests"]
        town.system.close()
        traces = town.settled()
        metrics = get(town.outputs.span_metrics_url).text
        found = scraped_values(metrics)
        assert_failed_and_slow_are_kept(outcome, traces)
        assert_the_share_of_the_rest_is_kept(outcome, traces)
        assert_span_metrics_agree(outcome, found["traces_span_metrics_calls_total"])
        assert_the_graph_agrees(outcome, found["traces_service_graph_request_total"], asked)
        assert_series_are_those_of_the_plan(found)
        assert {span.service for trace in traces for span in trace.spans} == set(SERVICES)
        assert_no_customer_is_found(town, [word for one in load.customers for word in one.canaries], traces, metrics)
