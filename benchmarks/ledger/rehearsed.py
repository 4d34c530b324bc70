"""Orders through the shape of a cluster, beside what `rehearse`, `check` and `size` say of them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.ledger.entries import CPU, DISK, EXACT, MEMORY, RATE, Entry
from benchmarks.ledger.told import told
from benchmarks.orders import orders
from benchmarks.rehearsal import NODES, ORDERS, PER_SECOND, compared, environments, observed, too_busy
from stacks.environment.figures import figures
from stacks.environment.scaling import BUSY_SHARE, tiers
from stacks.rehearse.recording import spans_of
from stacks.rehearse.sides import side, stored_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from benchmarks.rehearsal import Observed
    from stacks.environment.source import Named
    from stacks.rehearse.recording import Trace
    from stacks.rehearse.sides import Side


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


@dataclass(frozen=True, slots=True)
class _Orders:
    """Orders: the environment that was told of them, their rehearsal, and what the servers made of them."""

    named: Named
    traces: Sequence[Trace]
    foreseen: Side
    found: Observed

    @property
    def kept(self) -> Sequence[Trace]:
        return [trace for trace in self.traces if trace.id in self.found.kept]


def _run(name: str, say: Callable[[str], None], part: float) -> Iterator[Entry]:
    named, traces = environments()[name], list(orders(round(ORDERS * part), begin=time.time(), per_second=PER_SECOND))
    named = replace(named, environment=told(named.environment, traces, nodes=NODES))
    those = _Orders(named, traces, side(named, traces, say=say), observed(named, traces, say))
    yield from _kept(those)
    yield from _made(those)
    yield from _used(those)


def _kept(those: _Orders) -> Iterator[Entry]:
    """Which traces are kept."""
    kept = compared(those.foreseen, those.found.kept, those.named, those.traces)
    wait = those.named.environment.sampling.tail.wait.total_seconds()
    if (reason := too_busy(kept, those.found.sent, those.traces, wait)) is not None:
        raise SystemExit(reason)
    sure = kept.rehearsed - kept.limited_rehearsed
    very = "the very traces that failed, were slow or are drawn without a limit"
    yield Entry("rehearse", "policies.*.*.traces", very, "traces", sure, sure - kept.missing, EXACT)
    yield Entry("rehearse", "kept.*.traces", "traces kept that it does not foresee", "traces", 0, kept.unforeseen, EXACT)
    if those.named.environment.sampling.tail.baseline_limit is None:
        services, right = _services(those)
        words = "services of which as many spans are kept as it says"
        yield Entry("rehearse", "services.*.kept.*.spans", words, "services", services, right, EXACT)
        spans = (spans_of([trace for trace in those.traces if trace.id in those.foreseen.kept]), spans_of(those.kept))
        yield Entry("rehearse", "kept.*.spans", "spans kept", "spans", *spans, EXACT)
    else:
        spans, traces = (
            (kept.limited_spans_rehearsed, kept.limited_spans_kept),
            (kept.limited_rehearsed, kept.limited_kept),
        )
        yield Entry("rehearse", "policies.*.*.spans", "spans that the limit lets pass", "spans", *spans, RATE)
        yield Entry("rehearse", "policies.*.*.traces", "traces that the limit lets pass", "traces", *traces, RATE)
        dropped = len(those.foreseen.limited)
        yield Entry("rehearse", "sides.*.limited", "traces that the limit drops", "traces", dropped, dropped + traces[0] - traces[1], RATE)


def _services(those: _Orders) -> tuple[int, int]:
    """Number of services, and of those that have as many spans in the kept traces as in those that the rehearsal keeps."""

    def by_service(traces: Iterable[Trace]) -> Mapping[str, int]:
        return Counter(one.service for trace in traces for one in trace.spans)

    foreseen, kept = by_service(trace for trace in those.traces if trace.id in those.foreseen.kept), by_service(those.kept)
    names = by_service(those.traces)
    return len(names), sum(foreseen.get(name, 0) == kept.get(name, 0) for name in names)


def _made(those: _Orders) -> Iterator[Entry]:
    """What is made of the spans: series, stored bytes."""
    series = {metric: count for metric, count in those.foreseen.series.items() if not metric.startswith("traces_kept_")}
    words = "series of spans in all agents and of the graph"
    yield Entry("rehearse", "sides.*.series.*", words, "series", sum(series.values()), sum(those.found.series.values()), EXACT)
    kept, whole = spans_of(those.kept), spans_of(those.traces)
    computed = figures(those.named.environment)
    share = "kept share of the spans, told how many traces fail"
    yield Entry("check", "figures.kept_share", share, "share", computed.kept_share, kept / whole, DISK)
    disk = stored_bytes(those.named.environment, those.kept) * kept
    yield Entry("rehearse", "sides.*.disk.needed", "disk of the kept spans", "bytes", disk, those.found.disk, DISK)


def _used(those: _Orders) -> Iterator[Entry]:
    """What the servers use."""
    environment, sent, used = those.named.environment, those.found.sent, those.found.used
    computed, size = figures(environment), {tier.name: tier for tier in tiers(environment, environment.load.spans_per_second)}
    yield Entry(
        "check", "figures.bytes_resident", "memory of a gateway", "bytes", computed.bytes_resident, used.resident["gateway"], MEMORY
    )
    yield Entry("size", "tiers.*.memory", "memory of an agent", "bytes", size["agent"].memory, used.resident["agent"], MEMORY)
    rate, seconds = size["gateway"].spans_per_second, sent.seconds
    taken = max(sent.spans.values()) / seconds
    yield Entry("size", "tiers.*.spans_per_second", "spans of the busiest gateway", "spans/s", rate, taken, RATE)
    spans = {"agent": spans_of(those.traces), "gateway": spans_of(those.traces), "jaeger": spans_of(those.kept)}
    for name, count in spans.items():
        tier = size[name]
        foreseen = (tier.cores or 0.0) * BUSY_SHARE / tier.spans_per_second
        words = f"processor time of a span in {'the store' if name == 'jaeger' else f'an {name}' if name == 'agent' else f'a {name}'}"
        yield Entry("size", "tiers.*.cores", words, "µs", foreseen * 1e6, used.cpu[name] / count * 1e6, CPU)
    most = computed.spans_with_agent or 0
    # The agents of a rehearsal share the services, and not the load.
    waiting = sum(sent.waiting.values()) / len(sent.waiting)
    yield Entry("check", "figures.spans_with_agent", "spans that an agent alone has", "spans", most, waiting, RATE, "at most")
