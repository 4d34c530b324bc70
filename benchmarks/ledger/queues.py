"""Outages on the shape of a cluster until a queue is full, beside the time that `check` says."""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ledger.entries import DISK, RATE, Entry
from benchmarks.ledger.told import told
from benchmarks.orders import orders, replay, used_bytes
from components.local.faults import Faults
from components.local.instances import read_listing
from stacks.environment.figures import figures
from stacks.environment.floors import LEAST_QUEUE
from stacks.environment.source import read
from stacks.placement.outputs import Outputs
from stacks.placement.small import deploy
from stacks.trial.account import QUEUED, intake
from stacks.trial.counters import Counters
from stacks.trial.load import Load, Pace
from stacks.trial.traces import RESOURCE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from components.local.instances import Listed
    from stacks.environment.model import Environment
    from stacks.environment.source import Named

NODES = 2
ORDERS, ORDERS_PER_SECOND = 2_100, 12.0
SPANS_PER_SECOND, SPANS, SPAN_BYTES = 500, 10, 1000
BEFORE_SECONDS, LONGEST_SECONDS = 40.0, 600.0
POLL_SECONDS = 0.2
STORED = 'exporter="otlp_grpc"'
"""The queue of a gateway that is on its disk."""
_JOINED, _TAKEN = "otelcol_processor_batch_batch_send_size_sum", "otelcol_receiver_accepted_spans_total"
"""Counters of the spans that a gateway has decided to keep, and of those that an agent has taken."""


def how_gateway(_: float) -> str:
    """Sentence on what is done."""
    return f"{ORDERS_PER_SECOND:g} orders a second, all kept, to one gateway with a queue on 64Mi; the store goes when they are under way."


def how_agent(_: float) -> str:
    """Sentence on what is done."""
    return f"{SPANS_PER_SECOND:,} spans/s of {SPAN_BYTES:,} bytes from two nodes, each of whose agents has a queue on 64Mi."


def gateway(say: Callable[[str], None], _part: float) -> Iterator[Entry]:
    """The store is away until a gateway's queue is full."""
    traces = list(orders(ORDERS, begin=time.time(), per_second=ORDERS_PER_SECOND))
    named = _changed(lambda environment: told(environment, traces, nodes=NODES))
    with _running(named) as place:
        ways = intake(read_listing(place), Outputs.read(place / "outputs.json"))
        sender = threading.Thread(target=replay, args=(traces, ways, say), name="orders", daemon=True)
        sender.start()
        found = _until(place, "jaeger-0", "gateway", "otelcol_exporter_enqueue_failed_spans_total", _JOINED)
        sender.join()
    foreseen = figures(at_rate(named.environment, found.spans_per_second))
    seconds = foreseen.outage_seconds or 0.0
    yield Entry("check", "figures.outage_seconds", "outage that a gateway's queue covers", "seconds", seconds, found.covered_seconds, DISK)
    words = "bytes of a kept span in a queue"
    yield Entry("check", "figures.kept_span_bytes", words, "bytes", foreseen.kept_span_bytes, found.span_bytes, DISK)
    words = "disk of a gateway's queue that is full"
    yield Entry("size", "tiers.*.disk", words, "bytes", named.environment.collectors.gateway.queue.size, found.disk, RATE, "at most")


def agent(_say: Callable[[str], None], _part: float) -> Iterator[Entry]:
    """A gateway is away until the queues of agents are full."""
    load: dict[str, float] = {"spans_per_second": SPANS_PER_SECOND, "bytes_per_span": SPAN_BYTES, "bytes_per_resource": RESOURCE_BYTES}
    load |= {"failed": 1.0, "nodes": NODES}
    named = _changed(lambda environment: environment.model_copy(update={"load": environment.load.model_copy(update=load)}))
    pace = Pace(SPANS_PER_SECOND / SPANS, LONGEST_SECONDS + 60, spans=SPANS, span_bytes=SPAN_BYTES, give_up_seconds=1.0)
    with _running(named) as place:
        sender = Load(intake(read_listing(place), Outputs.read(place / "outputs.json")), pace, "ledger").start()
        try:
            found = _until(place, "gateway-0", "agent", "otelcol_receiver_refused_spans_total", _TAKEN)
        finally:
            sender.stop()
    # What waits for an answer while nothing fails is taken off in the figure, so that the seconds are held against it as they are.
    covered = figures(at_rate(named.environment, found.spans_per_second)).absence_seconds or 0.0
    words = "absence of a gateway that an agent's queue covers"
    yield Entry("check", "figures.absence_seconds", words, "seconds", covered, found.seconds, DISK)
    queue = named.environment.collectors.agent.queue
    size = queue.size if queue is not None else 0
    yield Entry("size", "tiers.*.disk", "disk of an agent's queue that is full", "bytes", size, found.disk, RATE, "at most")


def _changed(load: Callable[[Environment], Environment]) -> Named:
    """Production with one gateway, small queues, and a load of which everything is kept."""
    named = read("prod")
    collectors, sampling = named.environment.collectors, named.environment.sampling
    queue = collectors.gateway.queue.model_copy(update={"size": LEAST_QUEUE})
    gateways = collectors.gateway.model_copy(update={"replicas": 1, "queue": queue})
    waiting = collectors.agent.queue.model_copy(update={"size": LEAST_QUEUE}) if collectors.agent.queue else None
    agents = collectors.agent.model_copy(update={"queue": waiting})
    tail = sampling.tail.model_copy(update={"baseline": 1.0, "baseline_limit": None})
    changed: Mapping[str, object] = {
        "collectors": collectors.model_copy(update={"gateway": gateways, "agent": agents}),
        "sampling": sampling.model_copy(update={"tail": tail}),
    }
    return replace(named, environment=load(named.environment.model_copy(update=changed)))


def at_rate(environment: Environment, spans_per_second: float) -> Environment:
    """The environment with the load that came in fact: a busy machine sends at another rate than it should."""
    return environment.model_copy(update={"load": environment.load.model_copy(update={"spans_per_second": spans_per_second})})


@dataclass(frozen=True, slots=True)
class Full:
    """A queue that an absence of ``seconds`` has filled.

    ``before`` and ``queued`` are the bytes in it when the absence began and at its end, ``spans`` those that came meanwhile, and ``disk``
    the bytes of its files.
    """

    seconds: float
    before: float
    queued: float
    spans: float
    disk: int

    @property
    def spans_per_second(self) -> float:
        """Rate at which spans came."""
        return self.spans / self.seconds

    @property
    def span_bytes(self) -> float:
        """Bytes of each span that came."""
        return (self.queued - self.before) / self.spans

    @property
    def covered_seconds(self) -> float:
        """Absence that would have filled the queue had it been empty: a busy store is behind, so that some is queued already."""
        return self.seconds * self.queued / (self.queued - self.before)


def _until(place: Path, away: str, workload: str, refused: str, came: str) -> Full:
    """Take an instance away, and wait until a counter of what a workload refuses grows; ``came`` counts the spans of its queue."""
    listed = [one for one in read_listing(place) if one.workload == workload]
    # The load is under way, and what came first is stored.
    time.sleep(BEFORE_SECONDS)
    counters = Counters({one.instance: f"http://{one.address}:{one.ports['telemetry']}/metrics" for one in listed}).start()
    try:
        # Until the end of the instance is noticed, a busy machine takes a while.
        began, before = time.monotonic(), counters.now(QUEUED, STORED)
        Faults(place).refuse(away)
        while not any(counters.grown(refused).values()):
            if time.monotonic() - began > LONGEST_SECONDS:
                raise SystemExit(f"{refused} does not grow within {LONGEST_SECONDS:g} s")
            time.sleep(POLL_SECONDS)
        seconds, queued, spans = time.monotonic() - began, counters.now(QUEUED, STORED), sum(counters.grown(came).values())
        return Full(seconds, before, queued, spans, max(_disk(one) for one in listed))
    finally:
        counters.stop()


def _disk(instance: Listed) -> int:
    """Bytes of the files of an instance's queue."""
    return used_bytes(Path(instance.volumes["queue"]))


@contextmanager
def _running(named: Named) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder, deploy(named, nodes=NODES, say=lambda _: None, state=Path(folder)):
        yield Path(folder) / named.name
