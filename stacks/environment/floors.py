"""Sizes below which a server or a queue does not work at all, whatever the load."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stacks.environment.sizing import queue_volume, taken_bytes, volume_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.model import Environment

LEAST_MEMORY = {"jaeger": 256 * 2**20, "query": 128 * 2**20, "tempo": 512 * 2**20, "grafana": 192 * 2**20, "access": 32 * 2**20}
"""Memory that a server needs to start and answer. Jaeger: 118 MiB resident with an empty Badger, and its memtables of 64 MiB as they fill;
the query server: 45 MiB; oauth2-proxy: 20 MiB resident. Tempo and Grafana: as their own documentation has for the smallest installation."""

LEAST_COLLECTOR = 150 * 2**20
"""Memory that a collector needs to take spans at all: 85 to 105 MiB resident without any, 130 MiB in an agent at 350 spans/s."""

LEAST_QUEUE, LEAST_SHARE, LEAST_TRACES = 64 * 2**20, 28 * 2**20, 2**30
"""Room that a queue needs for a few batches and its file; that of an agent for each gateway, so that a request of 4 MiB fits which has the
spans of one trace; and the files that a store has open with any trace."""


def floors(environment: Environment) -> Iterator[tuple[str, str, int, int]]:
    """The key of each size before the stores that has a floor, what it is for, its bytes, and the least that works."""
    agent, gateway = environment.collectors.agent, environment.collectors.gateway
    collector = math.ceil(LEAST_COLLECTOR / max(agent.memory_limit, 0.01) / 2**23) * 2**23
    yield "collectors.agent.resources.memory", "an agent", agent.resources.memory, collector
    if agent.queue is not None:
        least = max(LEAST_QUEUE, LEAST_SHARE * gateway.replicas)
        yield "collectors.agent.queue.size", "the queue of an agent", agent.queue.size, least
    yield "collectors.gateway.queue.size", "the queue of a gateway", gateway.queue.size, _least_queue(environment)
    if environment.access is not None:
        yield "access.resources.memory", "the login proxy", environment.access.resources.memory, LEAST_MEMORY["access"]


def store_floors(environment: Environment) -> Iterator[tuple[str, str, int, int]]:
    """The same of the backend."""
    backend = environment.backend
    if backend.kind != "otlp":
        yield "backend.resources.memory", f"{backend.kind.title()}", backend.resources.memory, LEAST_MEMORY[backend.kind]
    if backend.kind == "jaeger" and not backend.embedded:
        yield "backend.query.memory", "the query server", backend.query.memory, LEAST_MEMORY["query"]
    if backend.kind == "tempo":
        yield "backend.grafana.memory", "Grafana", backend.grafana.memory, LEAST_MEMORY["grafana"]
    if backend.kind == "tempo" and backend.storage.kind != "volume":
        yield "backend.storage.wal.size", "a write-ahead log", backend.storage.wal.size, LEAST_TRACES
    elif (volume := volume_of(environment)) is not None:
        yield volume[0], "the store of the traces", volume[1], LEAST_TRACES


def _least_queue(environment: Environment) -> int:
    """Bytes of a gateway's volume below which it does not work, with room for what it takes from Kafka and for what each store is sent."""
    least = LEAST_QUEUE * len(environment.stores)
    if environment.collectors.kafka is None:
        return least
    return least + math.ceil(queue_volume(taken_bytes(environment)) / 2**26) * 2**26
