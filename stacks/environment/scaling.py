"""Needs of a load at any rate: replicas, processors, memory, disk, network and requests of each tier, by the arithmetic of `check`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.documents.delivery import FLUSH_MILLISECONDS, LEAST_DELIVERY_BYTES
from components.documents.queues import FLUSH_SECONDS, MEMORY_BYTES_PER_BYTE, batch_bytes
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
    held_seconds,
    idle_bytes,
    kept_span_bytes,
    most_spans_per_second,
    queue_seconds,
    queue_volume,
    resident_bytes,
    store_of,
    stored_span_bytes,
)
from stacks.environment.units import approximate_bytes, format_duration, format_percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.jaeger import Cassandra, Elasticsearch, Jaeger, OpenSearch
    from stacks.environment.model import Environment
    from stacks.environment.moves import Store

    Remote = Cassandra | OpenSearch | Elasticsearch

CPU_SECONDS_PER_SPAN = {"agent": 310e-6, "gateway": 90e-6}
BADGER_CPU_SECONDS = {True: 600e-6, False: 255e-6}
"""Processor time of a span of VirtEngine's orders in each collector, and in Jaeger on Badger with and without synchronous writes. Without
them: read off runs on busy processors. The others: measured over 880,000 spans, of which 234,000 were kept."""

STORE_CPU_SECONDS = {"tempo": 46e-6, "cassandra": 3_400e-6, "opensearch": 180e-6}
"""Processor time of such a span in other stores that were measured by `benchmarks/sizing`."""

STORE_BYTES = {"badger": 1_250 * 2**20, "tempo": 970 * 2**20, "cassandra": 890 * 2**20, "opensearch": 750 * 2**20}
"""Memory that each store occupied while it took spans as fast as it could: Badger with some 490,000, the others with 250,000, Cassandra and
OpenSearch with a heap of 512Mi, which is theirs to choose."""

INTAKE_CPU_SECONDS = {"cassandra": 960e-6, "opensearch": 50e-6}
INTAKE_BYTES = {"cassandra": 120 * 2**20, "opensearch": 360 * 2**20}
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
            ),
            f"disk: {rate:,.0f} spans/s × {size:,} B × {waiting:,.0f} s that its queue holds, and room for its files",
            f"requests: {SDK_SPANS} spans each, as SDKs send at most",
        ),
    )


def _gateway_tier(scaled: Environment, usual: Environment) -> Tier:
    load, spans = scaled.load, flow(scaled)
    rate, size, kept = spans.recorded / spans.gateways, load.bytes_per_span, spans.kept / spans.gateways
    outage, stored, stores = queue_seconds(usual), kept_span_bytes(scaled), len(scaled.stores)
    disk = queue_volume(kept * stored * outage * stores, stores) if math.isfinite(outage) else 0.0
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
                f"is held × {stored:,.0f} B, garbage included, and no more than its limit"
            ),
            f"disk: {kept:,.0f} kept spans/s × {stored:,.0f} B × {outage:,.0f} s that the store is away, and room for its file"
            + (f", × {stores} stores" if stores > 1 else ""),
            f"requests: one a second of each agent, or one for each {approximate_bytes(batch_bytes(request_bytes(scaled)))}",
        ),
        _gateway_limit(scaled),
    )


def _gateway_limit(scaled: Environment) -> str | None:
    """Reason against the number of gateways; None where there is none."""
    gateways, collectors = scaled.collectors.gateway.replicas, scaled.collectors
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
    cpu, memory, limit = _taking_cpu(backend, store), (STORE_BYTES if embedded else INTAKE_BYTES).get(store), None
    if backend.kind == "jaeger" and embedded and spans.kept > (most := SPANS_PER_SECOND[backend.sync_writes]):
        limit = f"one Badger takes {most:,} spans/s: keep fewer, or choose a store that is distributed"
    retention = format_duration(scaled.retention.traces)
    configured = 0.0 if backend.kind == "otlp" else backend.resources.memory
    return Tier(
        _named(backend, backend.kind),
        replicas,
        replicas,
        spans.kept / replicas,
        spans.kept / replicas * cpu / BUSY_SHARE if cpu is not None else None,
        memory if memory is not None else configured,
        disk.needed if disk is not None else 0.0,
        spans.kept * size,
        0.0 if embedded else spans.kept * size,
        spans.gateways * max(each / LEAST_DELIVERY_BYTES, min(1000 / FLUSH_MILLISECONDS, spans.kept / spans.gateways)),
        (
            _cpu(spans.kept / replicas, cpu) if cpu is not None else "CPU: not measured",
            f"memory: {_memory_of(backend.kind, measured=memory is not None)}",
            f"disk: {disk.arithmetic}" if disk is not None else f"disk: that of a bucket or of a store elsewhere, {retention} of traces",
            f"requests: of each gateway one for each {approximate_bytes(LEAST_DELIVERY_BYTES)}, or one in {FLUSH_MILLISECONDS} ms",
        ),
        limit,
    )


def _named(store: Store, word: str) -> str:
    """A name of a server of a store, which tells the two stores of a move apart."""
    return word if store.name is None else f"{word}-{store.name}"


def _memory_of(kind: str, *, measured: bool) -> str:
    if measured:
        return "seen while it takes spans as fast as it can"
    return "that of the store that is there" if kind == "otlp" else "backend.resources.memory, not measured"


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
        STORE_BYTES[store],
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
