"""Disk and memory that the expected load needs, and the refusal of an environment that has less."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from components.documents.delivery import DELIVERY_BYTES
from components.documents.queues import MOST_BATCH_BYTES
from components.documents.tempo import upkeep
from stacks.environment.move_rules import SECOND, of_second
from stacks.environment.units import MOST_BYTES, approximate_bytes, format_bytes, format_duration, format_percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.model import Environment

DISK_BYTES_PER_SPAN_BYTE = {"badger": 1_000 / 610, "tempo": 0.424, "cassandra": 1_000 / 610, "opensearch": 640 / 610}
"""Bytes on disk for each byte in OTLP, indexes included. Badger: of a span and its resource, because it stores and indexes both with
each span. 960 bytes were measured at rest and 1,050 while it takes them, for spans of VirtEngine's orders, of 277 bytes with a resource of
333. Tempo: of a span alone, because its columns hold a resource once; 0.48 for these spans in fresh blocks, 0.37 for spans that are more
alike, and less once blocks are compacted. Cassandra and OpenSearch: as Badger, one copy. By `benchmarks/sizing`, a million spans."""

WITH_RESOURCE = frozenset({"badger", "cassandra", "opensearch"})
"""Stores of Jaeger, which write and index the resource with each span."""

TEMPO_LOG_SPAN_BYTES, TEMPO_LOG_SECONDS = 0.84, 150
"""Bytes in Tempo's write-ahead log for each byte of a span, and the time that they are there: half a minute until a block is cut, and two
minutes more for searches that read them. Measured: 232 bytes for a span of 277."""

FREE_SHARE = 0.2
"""Share of a volume that stays free: Badger and Tempo write new tables before they delete old ones."""

QUEUE_FILE_SHARE, QUEUE_SLACK_BYTES = 1.7, 20 * 2**20
"""Bytes that the file of a queue takes for each byte of its entries, and beside them. Measured with bbolt under the writes of a queue that
is full and is drained in the order of random answers: 1.64 for entries of 500 to 2,000 bytes, because their pages are half full, 1.1 for
those of 2 to 60 kB. Larger ones have pages in a row, for which as much has to be free as five of the largest take; 4 MiB is the most that a
request over gRPC has. A file that cannot grow takes no write, so that nothing leaves the queue either."""

RESOURCES_PER_SPAN, SCOPE_BYTES = 0.5, 40
"""Resources that a kept span takes along, and bytes of its scope and of the frames around it. A gateway joins kept traces into batches, but
each trace keeps the resource of each request that its spans came with. Counted in VirtEngine's orders, of 3.3 spans a trace: 0.44 resources
a span where each service sends every five seconds, 0.55 where it sends five times a second, and 34 to 43 bytes beside them."""

SPANS_PER_SECOND = {True: 1_800, False: 10_000}
"""Spans that Badger takes per second with and without synchronous writes, measured with one sender on two cores."""

HELD_BYTES_PER_SPAN_BYTE = {"decided": 2.5, "answered": 10.0, "taken": 13.0}
"""Bytes of memory in use for each byte of a span, with its part of a resource, that a gateway holds until its decision, until it answers an
agent, or until it answers itself of what it has taken from Kafka. Measured: 2.0 with 200,000 spans held for a decision; 10.0 with 83,000
under way at 3,333 spans/s, 7.7 at 1,700 and 9.8 with VirtEngine's orders at 700, whose request waits with them. What a gateway sends itself
waits at both ends; the sender's has 3, as an agent's."""

GARBAGE = 2.0
"""Resident bytes for each byte in use: Go collects when as much again has been allocated, or when its memory limit is near."""

IDLE_BYTES, PROGRAM_BYTES = 18 * 2**20, 75 * 2**20
"""Memory in use of a collector that holds no span, and its resident pages that are none of Go's heap: of the program, 70 MiB, and stacks.
Measured; the memory limiter counts what is in use."""

BESIDE_BYTES = 20 * DELIVERY_BYTES
"""Memory of the batches that are under way to a second store: twenty at most. With one store they are in what was measured for a span."""

SPIKE_SHARE = 0.2
"""Share of its limit below which the memory limiter begins to refuse spans: room for what comes in between two looks."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Spans per second at each step: sent by services, kept by tail sampling, and what one gateway sees and keeps."""

    recorded: float
    kept: float
    gateways: int

    @property
    def kept_share(self) -> float:
        """Share of the recorded spans that is stored."""
        return self.kept / self.recorded if self.recorded else 0.0


@dataclass(frozen=True, slots=True)
class Need:
    """A need of the load: the setting that provides it, the arithmetic in words, and both amounts in bytes."""

    key: str
    what: str
    arithmetic: str
    needed: float
    provided: int

    @property
    def met(self) -> bool:
        """Whether the setting provides enough."""
        return self.needed <= self.provided


def flow(environment: Environment) -> Flow:
    """Spans per second at each step.

    The head ratio stands for all services: strategies and targets of single services would need the load of each.
    """
    load, sampling = environment.load, environment.sampling
    recorded = load.spans_per_second * sampling.head_ratio
    always = min(1.0, (load.failed if sampling.tail.errors else 0.0) + (load.slow if sampling.tail.slow is not None else 0.0))
    baseline = recorded * (1 - always) * sampling.tail.baseline
    gateways = environment.collectors.gateway.replicas if environment.target.kind == "kubernetes" else 1
    if sampling.tail.baseline_limit is not None:
        baseline = min(baseline, sampling.tail.baseline_limit * gateways)
    return Flow(recorded, recorded * always + baseline, gateways)


def expected_traces(environment: Environment) -> int:
    """Traces that wait for their decision on one gateway at twice the expected load, never under a thousand."""
    spans = flow(environment)
    waiting = spans.recorded / spans.gateways / environment.load.spans_per_trace * environment.sampling.tail.wait.total_seconds()
    return max(1000, math.ceil(2 * waiting / 1000) * 1000)


def acknowledge_seconds(environment: Environment) -> int:
    """Longest time until a gateway answers an agent: in two steps, each a little longer than the tail-sampling wait."""
    return 2 * round(environment.sampling.tail.wait.total_seconds()) + 5


def answers_late(environment: Environment) -> bool:
    """Whether gateways answer after the decision: on a cluster, to agents that have a queue, or to themselves where they read a topic."""
    collectors = environment.collectors
    return environment.target.kind == "kubernetes" and (collectors.agent.queue is not None or collectors.transport == "kafka")


def _held_factor(environment: Environment) -> float:
    if environment.target.kind == "kubernetes" and environment.collectors.transport == "kafka":
        return HELD_BYTES_PER_SPAN_BYTE["taken"]
    return HELD_BYTES_PER_SPAN_BYTE["answered" if answers_late(environment) else "decided"]


USUAL_GRACE_SECONDS, PROMPT_STOP_SECONDS = 60, 2
"""Time to stop after SIGTERM for a collector that alone has what it has acknowledged, and for one that loses nothing of it: a gateway whose
agents keep it, or an agent whose successor finds its queue. A collector that closes takes no more spans while it waits, so what comes
meanwhile comes late, and is decided on apart from the rest of its traces."""


def grace_seconds(environment: Environment, *, late: bool) -> int:
    """Time that a gateway gets to stop after SIGTERM; ``late`` tells whether it answers after the decision.

    One that may be scaled away decides on what it has taken from a topic, because nobody knows when its claim is used again.
    """
    wanted = environment.collectors.gateway.grace_period
    if late:
        return PROMPT_STOP_SECONDS if environment.collectors.gateway.autoscaling is None else acknowledge_seconds(environment) + 20
    return USUAL_GRACE_SECONDS if wanted is None else math.ceil(wanted.total_seconds())


def answer_seconds(environment: Environment) -> float:
    """Mean time until a gateway answers an agent, where it does so after the decision: two steps, of which the first is half over."""
    wait = environment.sampling.tail.wait.total_seconds()
    return (wait + 2) + (wait + 3) / 2


def held_seconds(environment: Environment) -> float:
    """Mean time for which a gateway holds a span: until its decision, and besides until its answer."""
    wait = environment.sampling.tail.wait.total_seconds()
    return wait + answer_seconds(environment) if answers_late(environment) else wait


def idle_bytes(environment: Environment) -> int:
    """Memory in use of one gateway that holds no span that is not decided on."""
    return IDLE_BYTES + BESIDE_BYTES * (len(environment.stores) - 1)


def held_bytes(environment: Environment, spans_per_second: float) -> float:
    """Memory in use of one gateway at a rate of spans."""
    held = spans_per_second * held_seconds(environment) * kept_span_bytes(environment)
    return idle_bytes(environment) + held * _held_factor(environment)


def resident_bytes(environment: Environment, spans_per_second: float) -> float:
    """Memory that one gateway occupies at a rate of spans, garbage and program included; its limit bounds it."""
    gateway = environment.collectors.gateway
    used = PROGRAM_BYTES + GARBAGE * held_bytes(environment, spans_per_second)
    return min(used, gateway.resources.memory * gateway.memory_limit)


def refused_at_bytes(environment: Environment) -> float:
    """Memory in use at which one gateway refuses spans."""
    gateway = environment.collectors.gateway
    return gateway.resources.memory * gateway.memory_limit * (1 - SPIKE_SHARE)


def most_traces(environment: Environment) -> int:
    """Traces of one span that the memory of one gateway holds until their decision: a bound that the memory limiter reaches first."""
    per_span = environment.load.bytes_per_span * HELD_BYTES_PER_SPAN_BYTE["decided"]
    return max(1000, math.ceil((refused_at_bytes(environment) - idle_bytes(environment)) / per_span))


def most_spans_per_second(environment: Environment) -> float:
    """Spans per second that the memory of one gateway lets pass; what is over waits at its senders."""
    return _most_spans_per_second(environment, idle_bytes(environment))


def _most_spans_per_second(environment: Environment, idle: int) -> float:
    each = held_bytes(environment, 1.0) - idle_bytes(environment)
    return max(0.0, refused_at_bytes(environment) - idle) / each


def underway_bytes(environment: Environment) -> int:
    """Bytes of spans that one agent may have sent to one gateway without an answer, so that what all nodes send fits in its memory."""
    return most_underway_bytes(environment) // environment.load.nodes


def most_underway_bytes(environment: Environment) -> int:
    """Bytes of spans that may be under way to one gateway without an answer, so that they fit in its memory."""
    # The same with a second store: another bound in the agents' document would replace their pods, with what waits in them.
    most = _most_spans_per_second(environment, IDLE_BYTES)
    return math.floor(most * environment.load.bytes_per_span * answer_seconds(environment))


def away_seconds(environment: Environment) -> float:
    """Seconds for which an agent's queue takes the spans of a gateway that is away; 0 without a queue.

    As the gateway goes, the queue has the spans already that wait for its answer.
    """
    waiting = answer_seconds(environment) if environment.collectors.transport == "direct" else 0.0
    return max(0.0, agent_queue_seconds(environment) - waiting)


def agent_queue_seconds(environment: Environment) -> float:
    """Seconds of a node's spans that an agent's queue holds; 0 without a queue.

    Each gateway has an equal share of the queue and of the spans of a node.
    """
    queue, node = environment.collectors.agent.queue, flow(environment).recorded / environment.load.nodes
    if queue is None:
        return 0.0
    room = queue_room(queue.size, queue_files(environment))
    return room / (node * environment.load.bytes_per_span) if node else math.inf


def queue_files(environment: Environment) -> int:
    """Files of an agent's queue: one for each gateway, or one for a topic."""
    collectors = environment.collectors
    return 1 if collectors.transport == "kafka" else collectors.gateway.replicas


def queue_room(volume_bytes: float, files: int = 1) -> int:
    """Bytes of entries that a volume has room for in so many files of equal shares, however they come and go."""
    return max(0, math.floor((volume_bytes / files - QUEUE_SLACK_BYTES) / QUEUE_FILE_SHARE)) * files


def queue_volume(room_bytes: float, files: int = 1) -> int:
    """Return the least volume that has room for so many bytes of entries."""
    return math.ceil(room_bytes * QUEUE_FILE_SHARE + files * QUEUE_SLACK_BYTES)


RESTART_SECONDS = 10
"""Tail-sampling wait that covers the restart of an agent: 2 s to stop, 2 s to start, and the pause before senders repeat, up to 5 s. What
comes later than the wait after the first span of a trace is decided on apart from it."""


def burst_spans(environment: Environment) -> int:
    """Spans that the baseline's limit may save up: two seconds of it, and at least ten traces, since none of more spans could pass."""
    limit, trace = environment.sampling.tail.baseline_limit or 0, environment.load.spans_per_trace
    return max(2 * limit, math.ceil(10 * trace))


def trace_bytes(environment: Environment) -> float:
    """Bytes of a trace as the load expects it."""
    return environment.load.spans_per_trace * environment.load.bytes_per_span


def longest_trace_bytes(environment: Environment) -> int:
    """Bytes of a trace ten times as long as the load expects."""
    return math.ceil(10 * trace_bytes(environment))


def kept_span_bytes(environment: Environment) -> float:
    """Bytes of a span in a gateway, in its queue and on the way to the store, with its part of resources and scopes, in OTLP.

    The queue on disk counts and keeps them uncompressed.
    """
    return environment.load.bytes_per_span + SCOPE_BYTES + RESOURCES_PER_SPAN * environment.load.bytes_per_resource


def catching_up_bytes(environment: Environment) -> int:
    """Bytes a second that gateways send while they empty their queues: ten times what they keep."""
    return math.ceil(10 * flow(environment).kept * kept_span_bytes(environment))


def taken_bytes(environment: Environment) -> int:
    """Bytes of spans that one gateway may have taken from Kafka and not decided on: what its memory holds, twice over.

    They are at least two of the largest batches, because a queue that is smaller than a batch takes none.
    """
    return 2 * max(most_underway_bytes(environment), MOST_BATCH_BYTES)


def kept_bytes(environment: Environment) -> int:
    """Bytes of kept traces that the volume of one gateway has room for, for each store: of two, each has a queue of its own and half."""
    queue, stores = environment.collectors.gateway.queue, len(environment.stores)
    taken = queue_volume(taken_bytes(environment)) if environment.collectors.kafka is not None else 0
    return queue_room(queue.size - taken, stores) // stores


def queue_seconds(environment: Environment) -> float:
    """Seconds for which the gateways' queues take all stored spans while a store is away."""
    spans = flow(environment)
    room = kept_bytes(environment) * spans.gateways
    return room / (spans.kept * kept_span_bytes(environment)) if spans.kept else math.inf


def needs(environment: Environment) -> Iterator[Need]:
    """Return all needs of the load that settings provide."""
    for store, place in zip(environment.stores, ("backend", SECOND), strict=False):
        if (disk := disk_need(store)) is not None:
            yield replace(disk, key=disk.key.replace("backend", place, 1))
        if (log := log_need(store)) is not None:
            yield replace(log, key=log.key.replace("backend", place, 1))
    yield _memory(environment)


def volume_of(environment: Environment) -> tuple[str, int] | None:
    """The setting that gives the volume of the traces its size, and that size; a bucket and a store that is there already have none."""
    backend = environment.backend
    if backend.kind == "jaeger":
        return ("backend.volume.size", backend.volume.size) if backend.volume is not None else None
    if backend.kind == "tempo" and backend.storage.kind == "volume":
        return "backend.storage.size", backend.storage.size
    return None


def stored_span_bytes(environment: Environment) -> float:
    """Bytes on the backend's disk of a span of the expected load."""
    return DISK_BYTES_PER_SPAN_BYTE[store_of(environment)] * taken_span_bytes(environment)


def taken_span_bytes(environment: Environment) -> int:
    """Bytes of a span in OTLP, with its resource where the store writes that with each span."""
    load = environment.load
    return load.bytes_per_span + (load.bytes_per_resource if store_of(environment) in WITH_RESOURCE else 0)


def store_of(environment: Environment) -> str:
    """Name of the store that holds the traces; Elasticsearch counts as OpenSearch, and a store that is there already as ``otlp``."""
    backend = environment.backend
    if backend.kind != "jaeger":
        return backend.kind
    return "opensearch" if backend.storage.kind == "elasticsearch" else backend.storage.kind


def disk_need(environment: Environment, *, kept: float | None = None) -> Need | None:
    """Disk that the traces of a whole retention need when ``kept`` spans per second are stored; None where they lie in a bucket.

    Default: as many as are kept of the expected load.
    """
    if (volume := volume_of(environment)) is None:
        return None
    spans, retention = flow(environment), environment.retention.traces
    rate = spans.kept if kept is None else kept
    share = rate / spans.recorded if spans.recorded else 0.0
    per_span = stored_span_bytes(environment)
    longer = timedelta(seconds=on_disk(environment) - retention.total_seconds())
    total = rate * per_span * on_disk(environment)
    needed = total / (1 - FREE_SHARE)
    lasts = f"({format_duration(retention)} + {format_duration(longer)} until it is deleted)" if longer else format_duration(retention)
    arithmetic = (
        f"{spans.recorded:,.0f} spans/s × {format_percent(round(share, 4))} kept × {per_span:,.0f} B × "
        f"{lasts} = {approximate_bytes(total)}, "
        f"with {format_percent(FREE_SHARE)} left free {approximate_bytes(needed)}"
    )
    key, provided = volume
    return Need(key, f"{format_duration(retention)} of traces", arithmetic, needed, provided)


def on_disk(environment: Environment) -> float:
    """Seconds for which a trace takes room on the volume of its store: the retention, and what Tempo's upkeep adds."""
    retention = environment.retention.traces.total_seconds()
    if environment.backend.kind != "tempo":
        return retention
    beyond = upkeep(round(retention)).on_disk(round(retention))
    return retention + math.ceil(beyond / 60) * 60


def log_need(environment: Environment) -> Need | None:
    """Disk that Tempo needs beside a bucket: for its log, and for the blocks that it keeps after they are in the bucket; None elsewhere."""
    backend = environment.backend
    if backend.kind != "tempo" or backend.storage.kind == "volume":
        return None
    kept, per_span = flow(environment).kept, stored_span_bytes(environment)
    seconds = upkeep(round(environment.retention.traces.total_seconds())).in_memory
    in_log = TEMPO_LOG_SPAN_BYTES * taken_span_bytes(environment)
    needed = kept * (per_span * seconds + in_log * TEMPO_LOG_SECONDS) / (1 - FREE_SHARE)
    arithmetic = (
        f"{kept:,.0f} kept spans/s × ({per_span:,.0f} B × {seconds} s in blocks + {in_log:,.0f} B × {TEMPO_LOG_SECONDS} s in a log), "
        f"with {format_percent(FREE_SHARE)} left free {approximate_bytes(needed)}"
    )
    return Need("backend.storage.wal.size", "what Tempo has beside its bucket", arithmetic, needed, backend.storage.wal.size)


def _memory(environment: Environment) -> Need:
    gateway, rate = environment.collectors.gateway, flow(environment).recorded / flow(environment).gateways
    held, idle = held_bytes(environment, rate), idle_bytes(environment)
    share = gateway.memory_limit * (1 - SPIKE_SHARE)
    until = "an answer" if answers_late(environment) else "a decision"
    arithmetic = (
        f"{rate:,.0f} spans/s and gateway × {held_seconds(environment):g} s until {until} × "
        f"{(held - idle) / max(rate * held_seconds(environment), 1e-9):,.0f} B + {approximate_bytes(idle)} = "
        f"{approximate_bytes(held)} in use, {approximate_bytes(resident_bytes(environment, rate))} resident; refused at "
        f"{format_percent(round(share, 4))}, which is {most_spans_per_second(environment):,.0f} spans/s, "
        f"so this needs {approximate_bytes(held / share)}"
    )
    return Need(
        "collectors.gateway.resources.memory", "the traces that wait for tail sampling", arithmetic, held / share, gateway.resources.memory
    )


def too_small(environment: Environment) -> Iterator[tuple[str, str]]:
    """The key of each setting that provides too little, and what is wrong and would be right."""
    yield from too_fast(environment)
    if environment.beside is not None:
        yield from of_second(environment, too_fast(environment.beside))
    yield from _too_short(environment)
    for need in needs(environment):
        if not need.met:
            wrong = f"{format_bytes(need.provided)} cannot hold {need.what}: {need.arithmetic}"
            yield need.key, f"{wrong}; {more(need.needed, f'lower {_lower(environment, need)}')}"


def _lower(environment: Environment, need: Need) -> str:
    """The settings of which a lower one makes a need less."""
    if need.key == "collectors.gateway.resources.memory":
        return "sampling.tail.wait or sampling.head_ratio"
    share = flow(without_baseline(environment)).kept / max(flow(environment).kept, 1e-9)
    kept = fewer(environment, enough=need.needed * share <= need.provided)
    # What Tempo has beside its bucket is of minutes.
    return kept if need.key.endswith(".wal.size") else f"{retention_key(environment, need.key)} or {kept}"


def _too_short(environment: Environment) -> Iterator[tuple[str, str]]:
    """An agent's queue that holds less than what waits for answers while nothing fails, twice over, so that it would be full."""
    queue, least = environment.collectors.agent.queue, 2 * acknowledge_seconds(environment)
    if queue is None or environment.target.kind != "kubernetes" or (holds := agent_queue_seconds(environment)) >= least:
        return
    gateways = queue_files(environment)
    wanted = least * flow(environment).recorded / environment.load.nodes * environment.load.bytes_per_span
    yield (
        "collectors.agent.queue.size",
        (
            f"{format_bytes(queue.size)} holds {holds:.0f} s of the spans of a node, which wait up to {acknowledge_seconds(environment)} s "
            f"for answers; {more(queue_volume(wanted, gateways), 'lower sampling.tail.wait')}"
        ),
    )


def retention_key(environment: Environment, key: str) -> str:
    """The setting by which the store that a key belongs to has its retention."""
    also = environment.backend.also
    return "backend.also.retention" if also is not None and also.retention is not None and key.startswith(SECOND) else "retention.traces"


def too_fast(environment: Environment) -> Iterator[tuple[str, str]]:
    """The setting of a store that takes fewer spans than are kept, and what would be right."""
    backend, kept = environment.backend, flow(environment).kept
    if backend.kind != "jaeger" or not backend.embedded or kept <= SPANS_PER_SECOND[backend.sync_writes]:
        return
    most = SPANS_PER_SECOND[backend.sync_writes]
    taken = f"Badger takes {most:,} spans/s and {kept:,.0f} would be kept"
    lower = f"lower {fewer(environment, enough=flow(without_baseline(environment)).kept <= most)}"
    if backend.sync_writes and kept <= SPANS_PER_SECOND[False]:
        yield "backend.sync_writes", f"with synchronous writes {taken}; write false, or {lower}"
    else:
        yield "backend.kind", f"{taken}; name a shared storage, write kind: tempo, or {lower}"


def without_baseline(environment: Environment) -> Environment:
    """The environment that keeps failed and slow traces alone."""
    sampling = environment.sampling
    tail = sampling.tail.model_copy(update={"baseline": 0.0})
    return environment.model_copy(update={"sampling": sampling.model_copy(update={"tail": tail})})


def fewer(environment: Environment, *, enough: bool) -> str:
    """The setting by which fewer spans are kept; ``enough`` tells whether a lower baseline suffices, which failed and slow traces pass."""
    return "sampling.tail.baseline" if enough and environment.sampling.tail.baseline else "sampling.head_ratio"


def more(needed: float, otherwise: str) -> str:
    """Advice on a size of at least so many bytes, or to do ``otherwise``, which is all that is left where nothing is so large."""
    written = f'write "{round_up(needed)}" or more, or {otherwise}'
    return written if needed <= MOST_BYTES - 2**30 else f"nothing has so much room: {otherwise}"


def round_up(needed: float) -> str:
    """A size of at least so many bytes that a person would write."""
    unit = 2**30 if needed > 2**30 else 2**26
    return format_bytes(math.ceil(needed / unit) * unit)
