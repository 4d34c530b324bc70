"""Alerts of what gateways make of traces: decisions of tail sampling, span metrics and the service graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alerts.parts import collectors
from components.alerts.rule import PREFIX, Rule, Trial, grown, selected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.alerts.parts import Collector
    from components.alerts.rule import Times
    from components.workload import Plan

_MINUTES_5, _MINUTES_10, _MINUTES_15 = 300, 600, 900

ON_MEMORY = "otelcol_processor_tail_sampling_sampling_traces_on_memory"
LATE = "otelcol_processor_tail_sampling_early_releases_from_cache_decision_total"
"""Spans that come after the decision on their trace, which the sampler remembers. Its `late_span_age` is of those that it has forgotten."""
ACCEPTED = "otelcol_receiver_accepted_spans_total"
CALLS = "traces_span_metrics_calls_total"
DROPPED_EDGES = "otelcol_connector_servicegraph_dropped_spans_total"

_RISING, _STILL = "0+60x150", "5x150"


def traces(plan: Plan, times: Times) -> Iterator[Rule]:
    """The alerts of tail sampling and of the metrics that are made of traces."""
    for found in collectors(plan):
        if (held := found.traces_held) is not None:
            yield _held(found, held, times)
            yield _late(found, times)
        if "service_graph" in found.has_connector:
            yield _edges(found, times)
        if "span_metrics" in found.has_connector:
            yield _series(found, times)


def _own(found: Collector, **labels: str) -> dict[str, str]:
    return {"namespace": found.plan.namespace, "job": found.name, **labels}


def _held(found: Collector, held: int, times: Times) -> Rule:
    pod = f"{found.name}-0"
    series = selected(ON_MEMORY, **_own(found, pod=pod))
    return Rule(
        name=f"{PREFIX}SamplingFull",
        workload=found.name,
        # A sampler that is full takes a wait's worth of traces at once, decides on them at once, and is empty in between.
        expression=f"max by (pod) (max_over_time({selected(ON_MEMORY, **_own(found))}[{times.range(_MINUTES_5)}])) > {round(held * 0.9)}",
        pending=_MINUTES_10,
        severity="warning",
        summary="{{ $labels.pod }} holds nearly as many traces as may wait for their decision",
        description="Nothing is lost: once the bound is reached spans are taken as fast as traces are decided, and their senders wait. "
        "The bound follows from the memory of a gateway and the expected size of a span.",
        firing=Trial({series: " ".join([str(held), str(held), "0"] * 50)}, {"pod": pod}),
        quiet={series: f"{held // 2}x150"},
    )


def _late(found: Collector, times: Times) -> Rule:
    pod, window = f"{found.name}-0", times.range(_MINUTES_15)
    # Its other receivers are a gateway's own.
    own = _own(found, receiver="otlp")
    late, taken = selected(LATE, **_own(found, pod=pod), sampled="true"), selected(ACCEPTED, **own, pod=pod)
    rates = (f"sum by (pod) (rate({series}[{window}]))" for series in (selected(LATE, **_own(found)), selected(ACCEPTED, **own)))
    return Rule(
        name=f"{PREFIX}LateSpans",
        workload=found.name,
        expression=f"{' / '.join(rates)} > 0.01",
        pending=0,
        severity="warning",
        summary="{{ $labels.pod }} gets spans of traces that it has decided on",
        description="They follow the decision and are not looked at, so a trace with a failure among them may be lost. Traces that take "
        "longer than the tail-sampling wait, and an agent that was down, cause it.",
        firing=Trial({late: _RISING, taken: "0+600x150"}, {"pod": pod}),
        quiet={late: _STILL, taken: "0+600x150"},
    )


def _edges(found: Collector, times: Times) -> Rule:
    pod = f"{found.name}-0"
    series = selected(DROPPED_EDGES, **_own(found, pod=pod))
    return Rule(
        name=f"{PREFIX}ServiceGraphFull",
        workload=found.name,
        expression=grown(selected(DROPPED_EDGES, **_own(found)), "pod", times.range(_MINUTES_5)),
        pending=_MINUTES_5,
        severity="warning",
        summary="{{ $labels.pod }} does not count all calls between services",
        description="No span is lost. Calls that wait for their other side are more than `aggregation.service_graph.max_edges`, and those "
        "above it are missing in the service graph.",
        firing=Trial({series: _RISING}, {"pod": pod}),
        quiet={series: _STILL},
    )


def _series(found: Collector, times: Times) -> Rule:
    own = _own(found, otel_metric_overflow="true")
    series = selected(CALLS, **own, service_name="portal")
    whole = selected(CALLS, **_own(found, service_name="portal", span_name="order"))
    return Rule(
        name=f"{PREFIX}SpanMetricsFull",
        workload=found.name,
        expression=grown(selected(CALLS, **own), "service_name", times.range(_MINUTES_5)),
        pending=_MINUTES_5,
        severity="warning",
        summary="{{ $labels.service_name }} has more kinds of spans than its span metrics may have series",
        description="No span is lost. Spans above `aggregation.span_metrics.cardinality_limit` are counted under one series without names.",
        firing=Trial({series: _RISING}, {"service_name": "portal"}),
        quiet={whole: _RISING},
    )
