"""A rehearsal of orders held against what gateways really keep of them: ``python -m benchmarks.rehearsal``.

Orders in VirtEngine's shape are rehearsed under two environments, and sent to each of them in the shape of a cluster on this machine, at
the speed of the recording. Prints which traces differ. Of 20,000 orders a side takes half an hour.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.orders import orders, replay, used_bytes
from components.local.instances import read_listing
from stacks.environment.source import read
from stacks.placement.small import deploy
from stacks.rehearse.recording import spans_of
from stacks.rehearse.sides import BASELINE, side
from stacks.show.search import find_traces
from stacks.trial.account import QUEUED, intake
from stacks.trial.counters import Counters, samples
from stacks.trial.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from components.local.instances import Listed
    from stacks.environment.source import Named
    from stacks.placement.outputs import Outputs
    from stacks.rehearse.recording import Trace
    from stacks.rehearse.sides import Side

ORDERS, PER_SECOND, NODES = 20_000, 12.0, 2
STALL_SECONDS, SETTLED_SECONDS = 30.0, 3.0
MOST_OFF = 0.05
"""Difference allowed of what a limit on a rate lets pass."""
_DECIDED = "otelcol_processor_tail_sampling_global_count_traces_sampled_total"


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

    @property
    def right(self) -> bool:
        """Whether the same traces were kept, and within 5 % as many where a rate decides."""
        return (
            not self.missing
            and not self.unforeseen
            and abs(self.limited_kept - self.limited_rehearsed) <= MOST_OFF * self.limited_rehearsed
        )


def environments() -> dict[str, Named]:
    """Production with a baseline that has no limit, and with one that its limit cuts."""
    named = read("prod")
    tail = named.environment.sampling.tail.model_copy(update={"slow": timedelta(seconds=1)})
    changes = {"share": {"baseline": 0.2, "baseline_limit": None}, "limit": {"baseline": 0.5, "baseline_limit": 20}}
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
class Observed:
    """What the shape of a cluster made of a load.

    ``kept`` are the ids of stored traces. ``resident`` is the most memory of each gateway in bytes. ``series`` are those of the agents
    together and those of the graph in one gateway, by metric. ``disk`` are the bytes of the store's files.
    """

    kept: set[bytes]
    resident: Mapping[str, int]
    series: Mapping[str, int]
    disk: int


def observed(named: Named, traces: Sequence[Trace], say: Callable[[str], None]) -> Observed:
    """Send a load to the shape of a cluster."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        state = Path(folder)
        with deploy(named, nodes=NODES, say=lambda _line: None, state=state) as running:
            listed = read_listing(state / named.name)
            memory = Memory(state / named.name, [one.instance for one in listed if one.workload == "gateway"]).start()
            try:
                kept = kept_by(state / named.name, running.outputs, named, traces, say)
            finally:
                memory.stop()
            (volume,) = running.plan.workload("jaeger").volumes
            return Observed(kept, memory.most, _series(listed), used_bytes(Path(volume.path)))


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


def kept_by(folder: Path, outputs: Outputs, named: Named, traces: Sequence[Trace], say: Callable[[str], None]) -> set[bytes]:
    """The traces that what runs in ``folder`` keeps, once it has decided on all of them and has stored what it keeps."""
    listed = read_listing(folder)
    collectors = {
        one.instance: f"http://{one.address}:{one.ports['telemetry']}/metrics" for one in listed if one.workload in {"agent", "gateway"}
    }
    # A trace that comes in pieces is decided on twice, so that as many decisions as traces do not tell that all are decided on.
    settled = named.environment.sampling.tail.wait.total_seconds() + SETTLED_SECONDS
    counters = Counters(collectors).start()
    try:
        began = replay(traces, intake(listed, outputs), say)
        while counters.still_seconds(_DECIDED) < settled or counters.now(QUEUED) > 0:
            time.sleep(1.0)
    finally:
        counters.stop()
    decided, sampled = (sum(counters.grown(_DECIDED, *labels).values()) for labels in ((), ('decision="sampled"',)))
    if decided != len(traces):
        say(f"{decided:,.0f} decisions on {len(traces):,} traces: some came in pieces")
    roots = {trace.root.service for trace in traces}
    kept, since = set[str](), time.monotonic()
    while len(kept) < sampled and time.monotonic() - since < STALL_SECONDS:
        found = set(find_traces(outputs, {}, since=began - 60, until=time.time(), services=roots).trace_ids)
        if found != kept:
            kept, since = found, time.monotonic()
        time.sleep(1.0)
    return {bytes.fromhex(trace_id) for trace_id in kept}


def main() -> int:
    """Compare both environments. Returns 1 where a rehearsal was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal", description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS, help=f"default: {ORDERS:,}")
    parser.add_argument("--per-second", type=float, default=PER_SECOND, help="orders a second (default: 12, some 500 spans/s)")
    given = parser.parse_args()
    found = {name: run(name, given.orders, given.per_second, _say) for name in environments()}
    sys.stdout.write(json.dumps({name: asdict(one) for name, one in found.items()}, indent=2) + "\n")
    return 0 if all(one.right for one in found.values()) else 1


def run(name: str, count: int, per_second: float, say: Callable[[str], None]) -> Compared:
    """Rehearse so many orders under one of the environments, send them to it, and compare."""
    named, traces = environments()[name], list(orders(count, begin=time.time(), per_second=per_second))
    foreseen = side(named, traces, say=say)
    return compared(foreseen, observed(named, traces, say).kept, named, traces)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
