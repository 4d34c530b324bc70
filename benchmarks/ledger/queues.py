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
from stacks.environment.sizing import LEAST_QUEUE
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
_JOINED = "otelcol_processor_batch_batch_send_size_sum"
"""Counter of the spans that a gateway has decided to keep."""


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
    foreseen = figures(named.environment)
    with _running(named) as place:
        ways = intake(read_listing(place), Outputs.read(place / "outputs.json"))
        sender = threading.Thread(target=replay, args=(traces, ways, say), name="orders", daemon=True)
        sender.start()
        found = _until(place, "jaeger-0", "gateway", "otelcol_exporter_enqueue_failed_spans_total")
        sender.join()
    seconds = foreseen.outage_seconds or 0.0
    yield Entry("check", "figures.outage_seconds", "outage that a gateway's queue covers", "seconds", seconds, found.seconds, DISK)
    each = found.queued / found.joined
    yield Entry("check", "figures.kept_span_bytes", "bytes of a kept span in a queue", "bytes", foreseen.kept_span_bytes, each, DISK)
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
            found = _until(place, "gateway-0", "agent", "otelcol_receiver_refused_spans_total")
        finally:
            sender.stop()
    covered = figures(named.environment).absence_seconds or 0.0
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


@dataclass(frozen=True, slots=True)
class _Full:
    """A queue that is full: after how many seconds, its bytes, the spans that were kept meanwhile, and the bytes of its files."""

    seconds: float
    queued: float
    joined: float
    disk: int


def _until(place: Path, away: str, workload: str, refused: str) -> _Full:
    """Take an instance away, and wait until a counter of what a workload refuses grows."""
    listed = [one for one in read_listing(place) if one.workload == workload]
    # The load is under way, and what came first is stored.
    time.sleep(BEFORE_SECONDS)
    counters = Counters({one.instance: f"http://{one.address}:{one.ports['telemetry']}/metrics" for one in listed}).start()
    try:
        # Until the end of the instance is noticed, a busy machine takes a while.
        began = time.monotonic()
        Faults(place).refuse(away)
        while not any(counters.grown(refused).values()):
            if time.monotonic() - began > LONGEST_SECONDS:
                raise SystemExit(f"{refused} does not grow within {LONGEST_SECONDS:g} s")
            time.sleep(POLL_SECONDS)
        seconds, queued, joined = time.monotonic() - began, counters.now(QUEUED, STORED), sum(counters.grown(_JOINED).values())
        return _Full(seconds, queued, joined, max(_disk(one) for one in listed))
    finally:
        counters.stop()


def _disk(instance: Listed) -> int:
    """Bytes of the files of an instance's queue."""
    return used_bytes(Path(instance.volumes["queue"]))


@contextmanager
def _running(named: Named) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder, deploy(named, nodes=NODES, say=lambda _: None, state=Path(folder)):
        yield Path(folder) / named.name
