"""Needs of a load at any rate: replicas, processors, memory, disk, network and requests of each tier, by the arithmetic of `check`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.documents.delivery import FLUSH_MILLISECONDS, LEAST_DELIVERY_BYTES
from components.documents.queues import FLUSH_SECONDS, MEMORY_BYTES_PER_BYTE, MOST_BATCH_BYTES, batch_bytes
from stacks.environment.figures import topic_bytes
from stacks.environment.sizing import (
    FREE_SHARE,
    GARBAGE,
    IDLE_BYTES,
    PROGRAM_BYTES,
    SPANS_PER_SECOND,
    acknowledge_seconds,
    agent_queue_seconds,
    disk_need,
    flow,
    held_bytes,
    held_seconds,
    idle_bytes,
    kept_span_bytes,
    log_need,
    most_spans_per_second,
    queue_seconds,
    queue_volume,
    resident_bytes,
    store_of,
    stored_span_bytes,
    taken_bytes,
    taken_span_bytes,
)
from stacks.environment.units import approximate_bytes, format_cores, format_duration, format_percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.jaeger import Cassandra, Elasticsearch, Jaeger, OpenSearch
    from stacks.environment.kafka import Kafka
    from stacks.environment.model import Environment
    from stacks.environment.moves import Store
    from stacks.environment.tempo import Tempo

    Remote = Cassandra | OpenSearch | Elasticsearch

CPU_SECONDS_PER_SPAN = {"agent": 310e-6, "gateway": 90e-6}
BADGER_CPU_SECONDS = {True: 600e-6, False: 160e-6}
"""Processor time of a span of VirtEngine's orders in each collector, and in Jaeger on Badger with and without synchronous writes. Without
them: by `benchmarks/sizing`. The others: measured over 880,000 spans, of which 234,000 were kept."""

STORE_CPU_SECONDS = {"tempo": 46e-6, "cassandra": 3_000e-6, "opensearch": 180e-6}
"""Processor time of such a span in other stores that were measured by `benchmarks/sizing`."""

STORE_BYTES = {"badger": 1_300 * 2**20, "tempo": 110 * 2**20, "cassandra": 730 * 2**20, "opensearch": 630 * 2**20}
STORE_BYTES_PER_BYTE_A_SECOND = {"badger": 190.0, "tempo": 380.0}
"""Memory of each store that no file backs, whatever it takes, and for each byte of spans that it takes in a second. Badger merges tables in
turns of a size of their own; Tempo holds half a minute of spans until it cuts a block of them. Measured at 500 to 26,000 spans/s. Cassandra
and OpenSearch ran with a heap of 512Mi, which is theirs to choose."""

INTAKE_CPU_SECONDS = {"cassandra": 850e-6, "opensearch": 50e-6}
INTAKE_BYTES = {"cassandra": 70 * 2**20, "opensearch": 310 * 2**20}
"""Processor time of such a span in a Jaeger before a store elsewhere, and the memory that it occupied."""

BUSY_SHARE = 0.7
"""Share of its processors that a server uses at the given load: room for bursts, and for what comes back after an outage."""

SDK_SPANS = 512
"""Spans of a full request of an OpenTelemetry SDK, which is the specification's default."""

MOST_GATEWAYS = 64


@dataclass(frozen=True, slots=True)
class Tier:
    """Need of one tier.

    ``replicas`` are needed and ``configured`` are there. Of each replica: ``spans_per_second``, ``cores`` (None where not measured),
    ``memory`` and ``disk`` in bytes. Of all together: bytes a second that are ``received`` and ``sent``, before compression, and
    ``requests`` a second that are received. ``formulas`` say how, ``limit`` what stands against it, None for nothing.
    """

    name: str
    replicas: int
    configured: int
    spans_per_second: float
    cores: float | None
    memory: float
    disk: float
    received: float
    sent: float
    requests: float
    formulas: tuple[str, ...]
    limit: str | None = None


def at_rate(environment: Environment, spans_per_second: float) -> Environment:
    """The environment under another load: nodes in proportion, but never fewer than there are, and as many gateways as it needs."""
    load = environment.load
    nodes = max(load.nodes, math.ceil(load.nodes * spans_per_second / load.spans_per_second))
    wanted = environment.model_copy(update={"load": load.model_copy(update={"spans_per_second": spans_per_second, "nodes": nodes})})
    if environment.target.kind != "kubernetes":
        return wanted
    gateway = environment.collectors.gateway.model_copy(update={"replicas": _gateways(wanted)})
    return wanted.model_copy(update={"collectors": environment.collectors.model_copy(update={"gateway": gateway})})


def _gateways(environment: Environment) -> int:
    """Gateways that memory and processors need, never fewer than there are."""
    recorded, gateway = flow(environment).recorded, environment.collectors.gateway
    return max(gateway.replicas, math.ceil(recorded / _gateway_rate(environment)))


def store_bytes(store: str, bytes_a_second: float) -> float:
    """Memory of a store that takes so many bytes of spans in a second, with their resources where it writes these with each span."""
    return STORE_BYTES[store] + STORE_BYTES_PER_BYTE_A_SECOND.get(store, 0.0) * bytes_a_second


def request_bytes(environment: Environment) -> int:
    """Bytes of a full request of a service that are for one gateway."""
    return math.ceil(SDK_SPANS * environment.load.bytes_per_span / environment.collectors.gateway.replicas)


def _gateway_rate(environment: Environment) -> float:
    """Spans per second that one gateway takes, by its memory and by its processors."""
    cores = environment.collectors.gateway.resources.cpu / 1000
    return max(1e-9, min(most_spans_per_second(environment), cores * BUSY_SHARE / CPU_SECONDS_PER_SPAN["gateway"]))


def tiers(environment: Environment, spans_per_second: float) -> Iterator[Tier]:
    """Yield the tiers of an environment under a load, in the order in which spans pass them."""
    scaled = at_rate(environment, spans_per_second)
    if environment.target.kind == "kubernetes":
        yield _agents(scaled, environment)
        if scaled.collectors.transport == "kafka" and scaled.collectors.kafka is not None:
            yield _topic(scaled, scaled.collectors.kafka)
    yield _gateway_tier(scaled, environment)
    for each in scaled.stores:
        yield from _stores(each)


def _agents(scaled: Environment, usual: Environment) -> Tier:
    load, spans = scaled.load, flow(scaled)
    rate, size = spans.recorded / load.nodes, load.bytes_per_span
    wait, waiting = acknowledge_seconds(scaled), agent_queue_seconds(usual)
    queued = scaled.collectors.agent.queue is not None
    held = rate * wait * size * MEMORY_BYTES_PER_BYTE if queued else 0.0
    agent = scaled.collectors.agent
    memory = min(PROGRAM_BYTES + GARBAGE * (IDLE_BYTES + held), agent.resources.memory * agent.memory_limit)
    disk = queue_volume(rate * size * waiting, spans.gateways) if queued and math.isfinite(waiting) else 0.0
    cpu = CPU_SECONDS_PER_SPAN["agent"]
    return Tier(
        "agent",
        load.nodes,
        usual.load.nodes,
        rate,
        rate * cpu / BUSY_SHARE,
        memory,
        disk,
        spans.recorded * size,
        spans.recorded * size,
        spans.recorded / SDK_SPANS,
        (
            f"nodes: {usual.load.nodes:,} × {load.spans_per_second:,.0f} spans/s / {usual.load.spans_per_second:,.0f} spans/s",
            _cpu(rate, cpu),
            (
                f"memory: {approximate_bytes(_idle(IDLE_BYTES))} + {rate:,.0f} spans/s × {wait} s until an answer × {size:,} B × "
                f"{MEMORY_BYTES_PER_BYTE} × {GARBAGE:g} for garbage, and no more than its limit"
                if queued
                else f"memory: {approximate_bytes(memory)}, since it holds nothing without a queue"
            ),
            f"disk: {rate:,.0f} spans/s × {size:,} B × {waiting:,.0f} s that its queue holds, and room for its files"
            if disk
            else "disk: none",
            f"requests: {SDK_SPANS} spans each, as SDKs send at most",
        ),
    )


def _topic(scaled: Environment, section: Kafka) -> Tier:
    """The topic between agents and gateways, on brokers that are there already."""
    load, spans = scaled.load, flow(scaled)
    written = spans.recorded * load.bytes_per_span
    return Tier(
        "kafka",
        section.replication,
        section.replication,
        spans.recorded,
        None,
        0.0,
        topic_bytes(scaled) / section.replication,
        written * section.replication,
        written,
        load.nodes * max(1 / FLUSH_SECONDS, written / load.nodes / MOST_BATCH_BYTES),
        (
            f"replicas: copies of the topic, over as many brokers as there are, and {section.partitions} partitions",
            "CPU and memory: the brokers' own, not measured",
            (
                f"disk: {spans.recorded:,.0f} spans/s × {load.bytes_per_span:,} B × {format_duration(section.retention)}, before what "
                "Kafka compresses"
            ),
            f"requests: one a second of each agent, or one for each {approximate_bytes(MOST_BATCH_BYTES)}",
        ),
    )


def _gateway_tier(scaled: Environment, usual: Environment) -> Tier:
    load, spans = scaled.load, flow(scaled)
    rate, size, kept = spans.recorded / spans.gateways, load.bytes_per_span, spans.kept / spans.gateways
    outage, stored, stores = queue_seconds(usual), kept_span_bytes(scaled), len(scaled.stores)
    disk = queue_volume(kept * stored * outage * stores, stores) if math.isfinite(outage) else 0.0
    if scaled.collectors.kafka is not None:
        disk += queue_volume(taken_bytes(scaled))
    held = (held_bytes(scaled, 1.0) - idle_bytes(scaled)) / held_seconds(scaled)
    arrivals = spans.recorded / SDK_SPANS
    if scaled.target.kind == "kubernetes":
        pair = spans.recorded * size / load.nodes / spans.gateways
        arrivals = load.nodes * spans.gateways * max(1 / FLUSH_SECONDS, pair / batch_bytes(request_bytes(scaled)))
    return Tier(
        "gateway",
        spans.gateways,
        usual.collectors.gateway.replicas,
        rate,
        rate * CPU_SECONDS_PER_SPAN["gateway"] / BUSY_SHARE,
        resident_bytes(scaled, rate),
        disk,
        spans.recorded * size,
        spans.kept * stored * stores,
        arrivals,
        (
            (
                f"replicas: {spans.recorded:,.0f} spans/s / {_gateway_rate(scaled):,.0f} spans/s, the smaller of what memory holds "
                f"({most_spans_per_second(scaled):,.0f}) and processors do"
            ),
            _cpu(rate, CPU_SECONDS_PER_SPAN["gateway"]),
            (
                f"memory: {approximate_bytes(_idle(idle_bytes(scaled)))} + {rate:,.0f} spans/s × {held_seconds(scaled):g} s that each "
                f"is held × {held:,.0f} B × {GARBAGE:g} for garbage, and no more than its limit"
            ),
            f"disk: {kept:,.0f} kept spans/s × {stored:,.0f} B × {outage:,.0f} s that the store is away, and room for its file"
            + (f", × {stores} stores" if stores > 1 else "")
            + (", and what it has taken of the topic" if scaled.collectors.kafka is not None else ""),
            f"requests: one a second of each agent, or one for each {approximate_bytes(batch_bytes(request_bytes(scaled)))}",
        ),
        _gateway_limit(scaled),
    )


def _gateway_limit(scaled: Environment) -> str | None:
    """Reason against the number of gateways; None where there is none."""
    gateways, collectors = scaled.collectors.gateway.replicas, scaled.collectors
    if scaled.target.kind != "kubernetes":
        most = _gateway_rate(scaled)
        over = flow(scaled).recorded > most
        return f"one host has one gateway, which takes {most:,.0f} spans/s: give it more, or choose a cluster" if over else None
    if collectors.transport == "kafka" and collectors.kafka is not None and gateways > collectors.kafka.partitions:
        return f"the topic has {collectors.kafka.partitions} partitions, and as many gateways read it: give it more"
    return f"more than {MOST_GATEWAYS} are refused: give each more processors and memory" if gateways > MOST_GATEWAYS else None


def _stores(scaled: Environment) -> Iterator[Tier]:
    """The store, and where it stands elsewhere the Jaegers before it as well."""
    backend = scaled.backend
    yield _taking(scaled)
    if backend.kind == "jaeger" and backend.storage.kind != "badger":
        yield _showing(backend)
        yield _copies(scaled, backend.storage)


def _taking_cpu(backend: Store, store: str) -> float | None:
    """Processor time of a span in the server that takes it, where it was measured."""
    if backend.kind == "jaeger":
        return BADGER_CPU_SECONDS[backend.sync_writes] if backend.embedded else INTAKE_CPU_SECONDS[store]
    return STORE_CPU_SECONDS.get(store)


def _taking(scaled: Environment) -> Tier:
    """The server that takes what gateways keep: the store, or the Jaeger before one."""
    backend, spans, size = scaled.backend, flow(scaled), kept_span_bytes(scaled)
    replicas = backend.replicas if backend.kind == "jaeger" else 1
    each, disk = spans.kept * size / spans.gateways, disk_need(scaled)
    store, embedded = store_of(scaled), backend.kind != "jaeger" or backend.embedded
    cpu, limit = _taking_cpu(backend, store), None
    memory = _own_bytes(scaled, store) if embedded else INTAKE_BYTES[store]
    cores = spans.kept / replicas * cpu / BUSY_SHARE if cpu is not None else None
    if backend.kind == "jaeger" and embedded and spans.kept > (most := SPANS_PER_SECOND[backend.sync_writes]):
        limit = f"one Badger takes {most:,} spans/s: keep fewer, or choose a store that is distributed"
    elif backend.kind != "otlp":
        limit = _too_little(backend, cores or 0.0, memory or 0.0)
    retention = format_duration(scaled.retention.traces)
    configured = 0.0 if backend.kind == "otlp" else backend.resources.memory
    log = log_need(scaled)
    placed = disk or log
    return Tier(
        _named(backend, backend.kind),
        replicas,
        replicas,
        spans.kept / replicas,
        cores,
        memory if memory is not None else configured,
        placed.needed if placed is not None else 0.0,
        spans.kept * size,
        0.0 if embedded else spans.kept * size,
        spans.gateways * max(each / LEAST_DELIVERY_BYTES, min(1000 / FLUSH_MILLISECONDS, spans.kept / spans.gateways)),
        (
            _cpu(spans.kept / replicas, cpu) if cpu is not None else "CPU: not measured",
            _memory_of(scaled, store, measured=memory is not None),
            f"disk: {disk.arithmetic}" if disk is not None else f"disk: that of a bucket or of a store elsewhere, {retention} of traces",
            *([f"disk: {log.arithmetic} beside the bucket"] if log is not None else []),
            f"requests: of each gateway one for each {approximate_bytes(LEAST_DELIVERY_BYTES)}, or one in {FLUSH_MILLISECONDS} ms",
        ),
        limit,
    )


def _too_little(backend: Jaeger | Tempo, cores: float, memory: float) -> str | None:
    """Reason against the resources of the server that takes the spans; None where they do."""
    given = backend.resources
    # Half of what Go occupies where it may is garbage, which it collects early near its limit, at four fifths of what is given.
    if cores * 1000 <= given.cpu and memory / GARBAGE <= given.memory * 4 / 5:
        return None
    more = " or backend.replicas" if backend.kind == "jaeger" and not backend.embedded else ""
    return f"backend.resources has {format_cores(given.cpu)} CPU and {approximate_bytes(given.memory)}: raise them{more}"


def _own_bytes(scaled: Environment, store: str) -> float | None:
    """Memory of a store of the plan; None of one that is there already."""
    return store_bytes(store, flow(scaled).kept * taken_span_bytes(scaled)) if store in STORE_BYTES else None


def _named(store: Store, word: str) -> str:
    """A name of a server of a store, which tells the two stores of a move apart."""
    return word if store.name is None else f"{word}-{store.name}"


def _memory_of(scaled: Environment, store: str, *, measured: bool) -> str:
    """Formula of the memory of the server that takes the spans."""
    backend = scaled.backend
    if not measured:
        return "memory: " + ("that of the store that is there" if backend.kind == "otlp" else "backend.resources.memory, not measured")
    if backend.kind == "jaeger" and not backend.embedded:
        return "memory: seen while it takes spans as fast as it can"
    each = STORE_BYTES_PER_BYTE_A_SECOND[store]
    return (
        f"memory: {approximate_bytes(STORE_BYTES[store])} + {flow(scaled).kept:,.0f} spans/s × {taken_span_bytes(scaled):,} B × {each:g}, "
        "without searches and what the kernel keeps of files"
    )


def _showing(backend: Jaeger) -> Tier:
    """The Jaegers that show what a store elsewhere holds: people ask them, so that no rate of spans is theirs."""
    query = backend.query
    formulas = (
        f"CPU: backend.query.cpu, {query.cpu / 1000:g}, since it follows searches and not spans; not measured",
        "memory: backend.query.memory, not measured",
    )
    return Tier(_named(backend, "query"), query.replicas, query.replicas, 0.0, query.cpu / 1000, query.memory, 0.0, 0.0, 0.0, 0.0, formulas)


def _copies(scaled: Environment, storage: Remote) -> Tier:
    """The store elsewhere, which has every span as often as its replication says."""
    spans, copies, store = flow(scaled), storage.replication, store_of(scaled)
    each, retention = stored_span_bytes(scaled), scaled.retention.traces
    formulas = (
        f"replicas: copies of each span, over as many servers as {storage.kind} has",
        _cpu(spans.kept, STORE_CPU_SECONDS[store]),
        "memory: seen with a heap of 512Mi, which is the store's own to choose",
        (
            f"disk: {spans.kept:,.0f} spans/s × {each:,.0f} B × {format_duration(retention)}, with {format_percent(FREE_SHARE)} left free "
            "for its compactions"
        ),
    )
    return Tier(
        _named(scaled.backend, storage.kind),
        copies,
        copies,
        spans.kept,
        spans.kept * STORE_CPU_SECONDS[store] / BUSY_SHARE,
        store_bytes(store, spans.kept * taken_span_bytes(scaled)),
        spans.kept * each * retention.total_seconds() / (1 - FREE_SHARE),
        spans.kept * kept_span_bytes(scaled) * copies,
        0.0,
        0.0,
        formulas,
    )


def _idle(in_use: int) -> float:
    """Resident bytes of a collector that holds no span, of so many in use."""
    return PROGRAM_BYTES + GARBAGE * in_use


def _cpu(rate: float, each: float) -> str:
    return f"CPU: {rate:,.0f} spans/s × {each * 1e6:,.0f} µs, {format_percent(BUSY_SHARE)} busy"
