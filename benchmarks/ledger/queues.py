"""Outages on the shape of a cluster until a queue is full, beside the time that `check` says."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ledger.entries import DISK, Entry
from components.local.faults import Faults
from components.local.instances import read_listing
from stacks.environment.sizing import LEAST_QUEUE, away_seconds, queue_seconds
from stacks.environment.source import read
from stacks.placement.outputs import Outputs
from stacks.placement.small import deploy
from stacks.trial.account import intake
from stacks.trial.counters import Counters
from stacks.trial.load import Load, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stacks.environment.source import Named

NODES, SPANS_PER_SECOND, SPANS, SPAN_BYTES = 2, 1000, 10, 1000
LONGEST_SECONDS = 600.0
POLL_SECONDS = 0.2


def how_gateway(_: float) -> str:
    """Sentence on what is done."""
    return f"{SPANS_PER_SECOND:,} spans/s of {SPAN_BYTES:,} bytes, all kept, to one gateway with a queue of 64Mi."


def how_agent(_: float) -> str:
    """Sentence on what is done."""
    return f"{SPANS_PER_SECOND:,} spans/s of {SPAN_BYTES:,} bytes from two nodes, each of whose agents has a queue of 64Mi."


def gateway(_say: Callable[[str], None], _part: float) -> Iterator[Entry]:
    """The store is away until a gateway's queue is full."""
    named = _named()
    wait = named.environment.sampling.tail.wait.total_seconds()
    with _running(named) as running:
        seconds = running.until("jaeger-0", "gateway", "otelcol_exporter_enqueue_failed_spans_total")
    # The first span that the queue has no room for was decided on a wait after it came.
    yield Entry("check", "outage that a gateway's queue covers", "seconds", queue_seconds(named.environment), seconds - wait, DISK)


def agent(_say: Callable[[str], None], _part: float) -> Iterator[Entry]:
    """A gateway is away until the queues of agents are full."""
    named = _named()
    with _running(named) as running:
        seconds = running.until("gateway-0", "agent", "otelcol_receiver_refused_spans_total")
    yield Entry("check", "absence of a gateway that an agent's queue covers", "seconds", away_seconds(named.environment), seconds, DISK)


def _named() -> Named:
    """Production with one gateway, small queues, and a load of which everything is kept."""
    named = read("prod")
    environment = named.environment
    collectors = environment.collectors
    queue = collectors.gateway.queue.model_copy(update={"size": LEAST_QUEUE})
    gateways = collectors.gateway.model_copy(update={"replicas": 1, "queue": queue})
    waiting = collectors.agent.queue.model_copy(update={"size": LEAST_QUEUE}) if collectors.agent.queue else None
    agents = collectors.agent.model_copy(update={"queue": waiting})
    load = environment.load.model_copy(
        update={"spans_per_second": SPANS_PER_SECOND, "bytes_per_span": SPAN_BYTES, "failed": 1.0, "nodes": NODES}
    )
    changed = {"collectors": collectors.model_copy(update={"gateway": gateways, "agent": agents}), "load": load}
    return replace(named, environment=environment.model_copy(update=changed))


@dataclass(frozen=True, slots=True)
class _Running:
    folder: Path
    load: Load

    def until(self, refused: str, workload: str, metric: str) -> float:
        """Seconds from when an instance is away until a counter of a workload grows."""
        listed = [one for one in read_listing(self.folder) if one.workload == workload]
        counters = Counters({one.instance: f"http://{one.address}:{one.ports['telemetry']}/metrics" for one in listed}).start()
        try:
            # The load is under way, and what came first is stored.
            time.sleep(20)
            Faults(self.folder).refuse(refused)
            began = time.monotonic()
            while not any(counters.grown(metric).values()):
                if time.monotonic() - began > LONGEST_SECONDS:
                    raise SystemExit(f"{metric} does not grow within {LONGEST_SECONDS:g} s")
                time.sleep(POLL_SECONDS)
            return time.monotonic() - began
        finally:
            counters.stop()


@contextmanager
def _running(named: Named) -> Iterator[_Running]:
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder, deploy(named, nodes=NODES, say=lambda _: None, state=Path(folder)):
        place = Path(folder) / named.name
        pace = Pace(SPANS_PER_SECOND / SPANS, LONGEST_SECONDS + 60, spans=SPANS, span_bytes=SPAN_BYTES, give_up_seconds=1.0)
        load = Load(intake(read_listing(place), Outputs.read(place / "outputs.json")), pace, "ledger").start()
        try:
            yield _Running(place, load)
        finally:
            load.stop()
