"""The account of a load on an environment that runs on this machine: what was sent, what became of it, and how long that took."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from components.documents.kafka import partition_of
from components.documents.shards import shard_of
from components.local.errors import NotRunningError
from components.local.instances import read_listing
from stacks.placement.outputs import Outputs
from stacks.show.fetch import protocol_of
from stacks.trial.counters import PERIOD_SECONDS, Counters
from stacks.trial.load import Intake, Load, Pace
from stacks.trial.memory import Memory
from stacks.trial.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from components.local.instances import Listed
    from stacks.trial.counters import Move
    from stacks.trial.load import Sent

SETTLED_SECONDS = 60.0
"""A trace that has not come for so long after the last one that has is taken for lost, where no collector has anything in a queue."""

QUEUED = "otelcol_exporter_queue_size"
"""Gauge of what a queue of a collector holds."""

COUNTED = "traces_span_metrics_calls_total"
TAKEN, READ = 'receiver="otlp"', 'receiver="kafka"'
"""The receivers by which spans of agents reach a gateway, directly and by a topic; its others are a gateway's own."""

OFFSET = "otelcol_kafka_receiver_current_offset_ratio"
"""Gauge of a gateway for each partition of which it has read anything."""

BEGUN, ENDED = (f"otelcol_kafka_receiver_partition_{what}_total" for what in ("start", "close"))
"""Counters of the partitions that a gateway was given, and that were taken from it."""

GROUP_SECONDS = 60.0
"""Time for gateways to share the topic, before the load begins."""

WITHOUT_THE_FAILED = ('policy="errors"', 'decision="not_sampled"')
"""Decisions that found no failed span. Each trace of a load has one, so such a decision was on a piece of a trace."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a load that one gateway decides on: its spans, those that the gateway took, and its traces that were late or are lost.

    By a topic a share moves. Spans are of the gateway that read their partition next. Traces that are late or lost are of the one that had
    read it last when they began, because it is its absence that they waited for.
    """

    spans: int
    taken: int
    late: int
    lost: int


@dataclass(frozen=True, slots=True)
class Account:
    """Account of a load: sent, acknowledged, readable, twice, counted.

    Traces: ``sent``, ``acknowledged`` as a whole, ``readable`` of those in the backend, ``late`` of those more than ``late_after`` seconds
    after their start, ``in_pieces`` decided in two pieces. Spans: ``stored_twice`` in the backend, ``counted`` by span metrics of those
    ``spans`` that were sent; ``shares`` by gateway. Bytes: ``resident``, the most memory that each gateway occupied. Seconds: ``slowest``
    from the start of a trace until it could be read, ``whole_after`` from the fault until the last late trace could be read, 0 where none
    was late and None where some are missing, ``reading`` from when the first trace could be read until the last one could.
    """

    sent: int
    acknowledged: int
    readable: int
    late: int
    late_after: float
    in_pieces: int
    spans: int
    stored_twice: int
    counted: int
    shares: Mapping[str, Share]
    resident: Mapping[str, int]
    slowest: float
    whole_after: float | None
    reading: float

    @property
    def passed_per_second(self) -> float:
        """Spans per second that came through."""
        return self.readable * self.spans / max(1, self.sent) / max(1.0, self.reading)

    @property
    def lost(self) -> int:
        """Traces that were acknowledged and cannot be read."""
        return self.acknowledged - self.readable

    def rows(self) -> Mapping[str, object]:
        """The account in the words of operators, in the order of a load's way."""
        whole = "not yet" if self.whole_after is None else f"{self.whole_after:.0f} s"
        return {
            "traces sent": self.sent,
            "acknowledged whole": self.acknowledged,
            "of these readable": self.readable,
            "of these lost": self.lost,
            f"readable later than {self.late_after:g} s": self.late,
            "slowest to be readable": f"{self.slowest:.0f} s",
            "decided in pieces": self.in_pieces,
            "spans sent": self.spans,
            **{f"taken by {name}": f"{share.taken} of {share.spans}" for name, share in self.shares.items()},
            **{f"most memory of {name}": f"{size / 2**20:.0f} MiB" for name, size in self.resident.items()},
            "counted by span metrics": self.counted,
            "stored twice": self.stored_twice,
            "whole again after the fault": whole,
        }


@dataclass(slots=True)
class Trial:
    """A load under way: where it goes, who watches it, and when the fault was."""

    folder: Path
    load: Load
    store: Store
    metrics: Counters
    own: Counters
    memory: Memory
    gateways: tuple[str, ...]
    late_after: float
    partitions: int = 0
    faults: list[float] = field(default_factory=list)

    def fault(self) -> None:
        """Note that the fault is now."""
        self.faults.append(time.time())

    def taken(self) -> Mapping[str, float]:
        """Spans that each gateway has taken of agents."""
        return self.own.grown("otelcol_receiver_accepted_spans_total", READ if self.partitions else TAKEN)

    def reads(self) -> Mapping[int, Sequence[Move]]:
        """The reads of each partition of a topic, in the order of time."""
        found: dict[int, list[Move]] = {partition: [] for partition in range(self.partitions)}
        for move in list(self.own.moves):
            found[int(move.labels["partition"])].append(move)
        return found

    def spans_of(self, sent: Iterable[Sent]) -> Counter[str | None]:
        """Spans of traces, by the gateway whose share they are of; None where none has read them."""
        return self._by_share(sent, self.load.pace.spans, _reader)

    def _by_share(self, sent: Iterable[Sent], each: int, which: Callable[[Sequence[Move], float], str | None]) -> Counter[str | None]:
        """Sum of ``each`` over the share of each gateway; of the reads of a partition, ``which`` finds the gateway of a moment."""
        reads, found = self.reads(), Counter[str | None]()
        for one in sent:
            if self.partitions:
                name = which(reads[partition_of(one.trace.id, self.partitions)], one.trace.start / 1e9)
            else:
                name = self.gateways[shard_of(one.trace.id, len(self.gateways))]
            found[name] += each
        return found

    def settle(self, *, seconds: float = SETTLED_SECONDS) -> Account:
        """Wait until the load is sent and every acknowledged trace can be read, or none has come for so long; give the account.

        While collectors have something in their queues, traces that have not come are late and not lost.
        """
        self.load.wait()
        ended = time.monotonic()
        self.store.wait(seconds=seconds, under_way=lambda: self.own.now(QUEUED) > 0)
        # Span metrics are handed on at intervals.
        while min(self.metrics.still_seconds(COUNTED), time.monotonic() - ended) < self.late_after:
            time.sleep(1.0)
        self.store.stop()
        twice = self.store.twice()
        self.metrics.stop()
        self.own.stop()
        self.memory.stop()
        return self._account(twice)

    def _counted(self) -> Mapping[str, float]:
        return self.metrics.grown(COUNTED, f'service_name="{self.load.service}"')

    def _account(self, twice: int) -> Account:
        load, found = self.load, self.store.found
        read = [(sent, found[sent.trace.id].first) for sent in load.acknowledged if sent.trace.id in found]
        waited = [(first - sent.trace.start / 1e9, first, sent) for sent, first in read]
        late = [(first, sent) for seconds, first, sent in waited if seconds > self.late_after]
        whole = max(first for first, _ in late) - self.faults[0] if late and self.faults else 0.0
        in_part = sum(self.own.grown("otelcol_processor_tail_sampling_count_traces_sampled_total", *WITHOUT_THE_FAILED).values())
        return Account(
            sent=len(load.sent),
            acknowledged=len(load.acknowledged),
            readable=len(read),
            late=len(late),
            late_after=self.late_after,
            in_pieces=round(in_part) + self.store.in_pieces(),
            spans=len(load.sent) * load.pace.spans,
            stored_twice=twice,
            counted=round(sum(self._counted().values())),
            shares=self._shares([sent for _, sent in late], self.store.missing()),
            resident=self.memory.most,
            slowest=max((seconds for seconds, _, _ in waited), default=0.0),
            whole_after=None if len(read) < len(load.acknowledged) else whole,
            reading=max(first for _, first in read) - min(first for _, first in read) if read else 0.0,
        )

    def _shares(self, late: Sequence[Sent], lost: Sequence[Sent]) -> Mapping[str, Share]:
        """The share of each gateway, in the order of their names."""
        accepted, own = self.taken(), self.spans_of(self.load.sent)
        behind, away = (self._by_share(some, 1, _holder) for some in (late, lost))
        return {name: Share(own[name], round(accepted[name]), behind[name], away[name]) for name in self.gateways}


def _reader(reads: Sequence[Move], moment: float) -> str | None:
    """The gateway that read a partition next after a moment, or last of all; None where none has."""
    if not reads:
        return None
    return reads[min(bisect_left(reads, moment, key=lambda read: read.at), len(reads) - 1)].where


def _holder(reads: Sequence[Move], moment: float) -> str | None:
    """The gateway that had read a partition last at a moment, or first of all; None where none has."""
    if not reads:
        return None
    return reads[max(0, bisect_right(reads, moment, key=lambda read: read.at) - 1)].where


def _shared(own: Counters, gateways: Sequence[str]) -> int:
    """Wait until each gateway has partitions of the topic, and return how many there are; as many as are given out if one has none."""
    deadline = time.monotonic() + GROUP_SECONDS
    while True:
        begun, ended = own.at_each(BEGUN), own.at_each(ENDED)
        held = [round(begun[name] - ended[name]) for name in gateways]
        if min(held) > 0 or time.monotonic() > deadline:
            return sum(held)
        time.sleep(PERIOD_SECONDS)


@contextmanager
def trial(folder: Path, pace: Pace, *, late_after: float) -> Iterator[Trial]:
    """Send a load to the environment whose state is in ``folder``, and watch what becomes of it, for as long as the context lasts.

    A trace that can be read more than ``late_after`` seconds after its start is late. Raises NotRunningError when nothing runs there.
    """
    listed = read_listing(folder)
    outputs = Outputs.read(folder / "outputs.json")
    if protocol_of(outputs) != "jaeger":
        raise NotRunningError(f"{folder.name}: traces are read back from Jaeger alone; run an environment with that backend")
    gateways = tuple(instance.instance for instance in listed if instance.workload == "gateway")
    load = Load(intake(listed, outputs), pace, f"trial-{uuid4().hex[:8]}")
    own = _counters([instance for instance in listed if instance.workload in {"agent", "gateway"}], "telemetry").start()
    started = Trial(
        folder,
        load,
        Store(str(outputs.query_url), load).start(),
        _counters([instance for instance in listed if "span-metrics" in instance.ports], "span-metrics").start(),
        own,
        Memory(folder, gateways).start(),
        gateways,
        late_after,
        _shared(own, gateways) if any(instance.workload == "kafka" for instance in listed) else 0,
    )
    load.start()
    try:
        yield started
    finally:
        load.stop()
        started.store.stop()
        started.metrics.stop()
        started.own.stop()
        started.memory.stop()


def intake(listed: tuple[Listed, ...], outputs: Outputs) -> Intake:
    """Return the endpoints for services of all nodes: the agents, or on one host the gateway."""
    entries = [instance for instance in listed if instance.workload == "agent"] or [i for i in listed if i.workload == "gateway"]
    scheme = str(outputs.otlp_http_endpoint).partition("://")[0]
    token = outputs.otlp_token.get_secret_value() if outputs.otlp_token else None
    urls = tuple(f"{scheme}://{instance.address}:{instance.ports['otlp-http']}" for instance in entries)
    return Intake(urls, str(outputs.otlp_certificate) if outputs.otlp_certificate else None, token)


def _counters(instances: list[Listed], port: str) -> Counters:
    urls = {instance.instance: f"http://{instance.address}:{instance.ports[port]}/metrics" for instance in instances}
    return Counters(urls, followed=OFFSET)
