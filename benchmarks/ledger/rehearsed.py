"""Orders through the shape of a cluster, beside what `rehearse` and `check` say of them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.ledger.entries import DISK, EXACT, MEMORY, RATE, Entry
from benchmarks.orders import orders
from benchmarks.rehearsal import ORDERS, PER_SECOND, compared, environments, observed
from stacks.environment.sizing import flow, resident_bytes
from stacks.rehearse.recording import spans_of
from stacks.rehearse.sides import side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stacks.environment.model import Environment
    from stacks.rehearse.recording import Trace


def how(part: float) -> str:
    """Sentence on what is done."""
    return (
        f"{ORDERS * part:,.0f} orders in VirtEngine's shape, {PER_SECOND:g} a second, through two agents and three gateways with the rules "
        "of production, but slow from 1s on."
    )


def share(say: Callable[[str], None], part: float) -> Iterator[Entry]:
    """Orders under a baseline without a limit."""
    yield from _run("share", say, part)


def limit(say: Callable[[str], None], part: float) -> Iterator[Entry]:
    """Orders under a limit on the baseline's rate."""
    yield from _run("limit", say, part)


def _run(name: str, say: Callable[[str], None], part: float) -> Iterator[Entry]:
    named, traces = environments()[name], list(orders(round(ORDERS * part), begin=time.time(), per_second=PER_SECOND))
    environment = _told(named.environment, traces)
    named = replace(named, environment=environment)
    foreseen = side(named, traces, say=say)
    found = observed(named, traces, say)
    kept = compared(foreseen, found.kept, named, traces)
    sure = kept.rehearsed - kept.limited_rehearsed
    yield Entry(
        "rehearse", "the very traces that failed, were slow or are drawn without a limit", "traces", sure, sure - kept.missing, EXACT
    )
    yield Entry("rehearse", "traces kept that it does not foresee", "traces", 0, kept.unforeseen, EXACT)
    if kept.limited_rehearsed:
        spans = (kept.limited_spans_rehearsed, kept.limited_spans_kept)
        yield Entry("rehearse", "spans that the limit lets pass", "spans", *spans, RATE)
        yield Entry("rehearse", "traces that the limit lets pass", "traces", kept.limited_rehearsed, kept.limited_kept, RATE)
    whole, stored = spans_of(traces), spans_of([trace for trace in traces if trace.id in found.kept])
    yield Entry("check", "kept share of the spans, told how many traces fail", "share", flow(environment).kept_share, stored / whole, DISK)
    series = {metric: count for metric, count in foreseen.series.items() if not metric.startswith("traces_kept_")}
    yield Entry(
        "rehearse", "series of spans in all agents and of the graph", "series", sum(series.values()), sum(found.series.values()), EXACT
    )
    rate = flow(environment).recorded / flow(environment).gateways
    yield Entry("check", "memory of a gateway", "bytes", resident_bytes(environment, rate), max(found.resident.values()), MEMORY)


def _told(environment: Environment, traces: Sequence[Trace]) -> Environment:
    """The environment with the load that these orders are."""
    spans = spans_of(traces)
    slow = environment.sampling.tail.slow
    seconds = (max(trace.arrived for trace in traces) - min(trace.arrived for trace in traces)) or 1.0
    failed = spans_of([trace for trace in traces if trace.failed])
    late = spans_of([trace for trace in traces if not trace.failed and slow is not None and trace.seconds >= slow.total_seconds()])
    load = environment.load.model_copy(
        update={
            "spans_per_second": spans / seconds,
            "bytes_per_span": round(sum(trace.bytes for trace in traces) / spans),
            "bytes_per_resource": round(sum(one.resource.ByteSize() for trace in traces for one in trace.spans) / spans),
            "spans_per_trace": spans / len(traces),
            "failed": failed / spans,
            "slow": late / spans,
        }
    )
    return environment.model_copy(update={"load": load})
