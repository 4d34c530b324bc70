"""A rehearsal of orders held against what gateways really keep of them, and what the servers use meanwhile.

Orders in VirtEngine's shape are rehearsed under two environments, and sent to each of them in the shape of a cluster on this machine, at
the speed of the recording. Of 20,000 orders a side takes half an hour: ``make ledger ARGS="--only orders-share orders-limit"``.
"""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.orders import replay, used_bytes
from benchmarks.repeated import repeated
from benchmarks.usage import Usage, Used
from components.local.instances import read_listing
from stacks.environment.source import read
from stacks.placement.small import deploy
from stacks.rehearse.recording import spans_of
from stacks.rehearse.sides import BASELINE
from stacks.show.search import find_traces
from stacks.trial.account import QUEUED, TAKEN, intake
from stacks.trial.counters import Counters, samples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from components.local.instances import Listed
    from stacks.environment.source import Named
    from stacks.placement.outputs import Outputs
    from stacks.rehearse.recording import Trace
    from stacks.rehearse.sides import Side

ORDERS, PER_SECOND, NODES = 20_000, 16.0, 2
STALL_SECONDS, SETTLED_SECONDS = 30.0, 3.0
_ACCEPTED = "otelcol_receiver_accepted_spans_total"
_ANSWERED = "otelcol_exporter_sent_spans_total"
_DECIDED = "otelcol_processor_tail_sampling_global_count_traces_sampled_total"
_LATE = "otelcol_processor_tail_sampling_early_releases_from_cache_decision_total"
"""Counter of spans that come after the decision on their trace, which they follow."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What one environment really kept beside its rehearsal.

    Traces: ``rehearsed`` and ``kept``; ``missing`` and ``unforeseen`` are those of policies without a rate that are in one of both alone;
    ``limited_rehearsed`` and ``limited_kept`` those that the limit of the baseline let pass, 0 without such a limit, and their spans.
    """

    traces: int
    rehearsed: int
    kept: int
    missing: int
    unforeseen: int
    limited_rehearsed: int
    limited_kept: int
    limited_spans_rehearsed: int
    limited_spans_kept: int


def environments() -> dict[str, Named]:
    """Production with a baseline that has no limit, and with one that its limit cuts."""
    named = read("prod")
    tail = named.environment.sampling.tail.model_copy(update={"slow": timedelta(seconds=1)})
    changes: Mapping[str, dict[str, object]] = {
        "share": {"baseline": 0.2, "baseline_limit": None},
        "limit": {"baseline": 0.5, "baseline_limit": 20},
    }
    return {
        name: replace(
            named,
            environment=named.environment.model_copy(
                update={"sampling": named.environment.sampling.model_copy(update={"tail": tail.model_copy(update=changed)})}
            ),
        )
        for name, changed in changes.items()
    }


def compared(foreseen: Side, kept: set[bytes], named: Named, traces: Sequence[Trace]) -> Compared:
    """Compare a rehearsal with the traces that were kept."""
    limit = named.environment.sampling.tail.baseline_limit
    by_rate = {trace_id for trace_id, policy in foreseen.kept.items() if limit is not None and policy == BASELINE}
    # Which of the drawn traces find room under a limit, hangs on a second; that all of them are drawn ones does not.
    sure, drawn = set(foreseen.kept) - by_rate, by_rate | foreseen.limited
    passed = (kept - sure) & drawn
    return Compared(
        traces=len(traces),
        rehearsed=len(foreseen.kept),
        kept=len(kept),
        missing=len(sure - kept),
        unforeseen=len(kept - sure - drawn),
        limited_rehearsed=len(by_rate),
        limited_kept=len(passed),
        limited_spans_rehearsed=spans_of([trace for trace in traces if trace.id in by_rate]),
        limited_spans_kept=spans_of([trace for trace in traces if trace.id in passed]),
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """A load that gateways have decided on: when it began, in seconds since 1970, its seconds, and how many decisions were to keep.

    ``spans`` are those that each gateway took, ``late`` how many of them came after the decision on their trace, ``waiting`` the most spans
    that each agent had taken and no gateway had answered for.
    """

    began: float
    seconds: float
    sampled: int
    spans: Mapping[str, float]
    late: int
    waiting: Mapping[str, float]


def too_busy(found: Compared, sent: Sent, traces: Sequence[Trace], wait_seconds: float) -> str | None:
    """Reason why a comparison tells of the machine alone; None where it tells of the rehearsal.

    A gateway that meets a span only after the decision on its trace does not see that the trace has failed, or is slow. A rehearsal takes
    spans for arrived when they ended.
    """
    recorded = sum(len(trace.after(wait_seconds)) for trace in traces)
    if sent.late <= recorded or not (found.missing or found.unforeseen):
        return None
    late = f"{sent.late:,} spans came after the decision on their trace, and {recorded:,} are recorded so"
    apart = f"{found.missing:,} traces of policies without a rate are missing, {found.unforeseen:,} were not foreseen"
    return f"this machine is too busy: {late}; {apart}"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the shape of a cluster made of a load, and used for it.

    ``kept`` are the ids of the stored traces. ``series`` are those of the agents together and those of the graph in one gateway, by
    metric. ``disk`` are the bytes of the store's files.
    """

    sent: Sent
    kept: set[bytes]
    used: Used
    series: Mapping[str, int]
    disk: int


def observed(named: Named, traces: Sequence[Trace], say: Callable[[str], None]) -> Observed:
    """Send a load to the shape of a cluster."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        state = Path(folder)
        with deploy(named, nodes=NODES, say=lambda _line: None, state=state) as running:
            with Usage(state / named.name) as usage:
                sent = send(state / named.name, running.outputs, named, traces, say)
            (volume,) = running.plan.workload("jaeger").volumes
            disk, series = used_bytes(Path(volume.path)), _series(read_listing(state / named.name))
            kept = stored(running.outputs, traces, sent)
            if len(kept) < sent.sampled:
                say(f"of {sent.sampled:,} traces that gateways decided to keep {len(kept):,} can be read")
            return Observed(sent, kept, usage.used, series, disk)


def _series(listed: Sequence[Listed]) -> Mapping[str, int]:
    """Series of span metrics in all agents, and of the graph in the gateway that has the most."""
    found: Counter[str] = Counter()
    graphs = []
    for one in (one for one in listed if "span-metrics" in one.ports):
        with urllib.request.urlopen(f"http://{one.address}:{one.ports['span-metrics']}/metrics") as answer:
            names = Counter(sample.name for sample in samples(answer.read().decode()))
        found += Counter({name: count for name, count in names.items() if name.startswith("traces_span_metrics_")})
        graphs.append(Counter({name: count for name, count in names.items() if name.startswith("traces_service_graph_")}))
    return found + max(graphs, key=lambda graph: graph.total())


def send(folder: Path, outputs: Outputs, named: Named, traces: Sequence[Trace], say: Callable[[str], None]) -> Sent:
    """Send a load to what runs in ``folder``, and wait until it has decided on all traces and handed on what it keeps."""
    listed = read_listing(folder)
    collectors = {
        one.instance: f"http://{one.address}:{one.ports['telemetry']}/metrics" for one in listed if one.workload in {"agent", "gateway"}
    }
    gateways = [one.instance for one in listed if one.workload == "gateway"]
    # A trace that comes in pieces is decided on twice, so that as many decisions as traces do not tell that all are decided on.
    settled = named.environment.sampling.tail.wait.total_seconds() + SETTLED_SECONDS
    counters = Counters(collectors).start()
    waiting = dict.fromkeys((one.instance for one in listed if one.workload == "agent"), 0.0)

    def look() -> None:
        taken, answered = counters.grown(_ACCEPTED), counters.grown(_ANSWERED)
        waiting.update((name, max(most, taken[name] - answered[name])) for name, most in waiting.items())

    try:
        with repeated(look, 1.0):
            began = replay(traces, intake(listed, outputs), say)
            seconds = time.time() - began
            while counters.still_seconds(_DECIDED) < settled or counters.now(QUEUED) > 0:
                time.sleep(1.0)
    finally:
        counters.stop()
    decided, sampled = (sum(counters.grown(_DECIDED, *labels).values()) for labels in ((), ('decision="sampled"',)))
    if decided != len(traces):
        say(f"{decided:,.0f} decisions on {len(traces):,} traces: some came in pieces")
    spans, late = counters.grown(_ACCEPTED, TAKEN), round(sum(counters.grown(_LATE).values()))
    return Sent(began, seconds, round(sampled), {name: spans[name] for name in gateways}, late, waiting)


def stored(outputs: Outputs, traces: Sequence[Trace], sent: Sent) -> set[bytes]:
    """The ids of the traces in the store, once there are as many as were kept, or none has come for a while."""
    roots = {trace.root.service for trace in traces}
    kept, since = set[str](), time.monotonic()
    while len(kept) < sent.sampled and time.monotonic() - since < STALL_SECONDS:
        found = set(find_traces(outputs, {}, since=sent.began - 60, until=time.time(), services=roots).trace_ids)
        if found != kept:
            kept, since = found, time.monotonic()
        time.sleep(1.0)
    return {bytes.fromhex(trace_id) for trace_id in kept}
