"""Time that servers need to start, by what they have on their disks, and the refusal of a queue that does not cover it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from stacks.environment.move_rules import SECOND
from stacks.environment.sizing import (
    fewer,
    flow,
    kept_span_bytes,
    more,
    queue_seconds,
    queue_volume,
    retention_key,
    stored_span_bytes,
    taken_bytes,
    too_fast,
    without_baseline,
)
from stacks.environment.units import format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.model import Environment

READ_BYTES_PER_SECOND = 50 * 2**20
"""Bytes that a starting server reads in a second, on a disk that is none of the fast ones."""

BADGER_SECONDS_PER_SPAN, BADGER_READ_SHARE, BADGER_DISK_BYTES_PER_SPAN = 3e-6, 0.4, 950
"""Processor time, share of its disk that is read, and bytes of disk, for each stored span as Jaeger starts on Badger. It goes through the
keys of services and operations of all spans, once for traces and once for the graph of services, before it takes or shows anything
(Jaeger 2.13 to 2.20, preloadServices and preloadOperations of its reader; https://github.com/jaegertracing/jaeger/issues/7547). Measured
with three million spans of orders. With a million 0.6 of the disk is read (`benchmarks/sizing`), which `STORE_SECONDS` covers."""

STORE_SECONDS = 300
"""Time that a store is given to start beside that: it replays its log, and its volume may still be on its way from another node."""


def queue_start_seconds(queue_bytes: int) -> int:
    """Time that a collector is given to start: it reads through its queue, and a claim may still be on its way from another node."""
    return 60 + math.ceil(queue_bytes / READ_BYTES_PER_SECOND)


def stored_spans(environment: Environment) -> float:
    """Spans that the store has after a whole retention of the expected load."""
    return flow(environment).kept * environment.retention.traces.total_seconds()


def reading_seconds(environment: Environment) -> int:
    """Time for which a starting store reads what it has, on a disk that is none of the fast ones; 0 where it does not grow with it."""
    backend = environment.backend
    if backend.kind != "jaeger" or not backend.embedded:
        return 0
    read = stored_span_bytes(environment) * BADGER_READ_SHARE / READ_BYTES_PER_SECOND
    return math.ceil(stored_spans(environment) * (BADGER_SECONDS_PER_SPAN + read))


def store_start_seconds(disk_bytes: int) -> int:
    """Time that Jaeger on Badger is given to start with a full volume, on a disk that is none of the fast ones.

    It grows in steps of four, because another time replaces the pod, and a volume that grows would start the store again.
    """
    read = disk_bytes * (BADGER_READ_SHARE / READ_BYTES_PER_SECOND + BADGER_SECONDS_PER_SPAN / BADGER_DISK_BYTES_PER_SPAN)
    given = STORE_SECONDS
    while given < STORE_SECONDS + read:
        given *= 4
    return given


def reading(environment: Environment) -> str:
    """The start of the store in words, for one that reads what it has."""
    lasts = timedelta(minutes=math.ceil(reading_seconds(environment) / 60))
    spans = stored_spans(environment)
    return f"a start of Jaeger on Badger takes up to {format_duration(lasts)} with {spans:,.0f} spans, whose names it reads"


def slow_start(environment: Environment) -> str | None:
    """Meaning of a start of the store, where it reads for longer than a start may take otherwise."""
    if reading_seconds(environment) <= STORE_SECONDS:
        return None
    return f"{reading(environment)}; nothing is shown meanwhile, and the gateways' queues take what comes"


def too_slow(environment: Environment) -> Iterator[tuple[str, str]]:
    """The queue of the gateways, where it does not cover a start of the store, and what would be right."""
    fewest = without_baseline(environment)
    for each, without, place in zip(environment.stores, fewest.stores, ("backend", SECOND), strict=False):
        lasts = reading_seconds(each)
        if queue_seconds(environment) >= lasts or any(too_fast(each)):
            continue
        covered = timedelta(seconds=round(queue_seconds(environment)))
        lower = fewer(environment, enough=queue_seconds(fewest) >= reading_seconds(without))
        otherwise = f"lower {retention_key(environment, place)} or {lower}, or choose another store"
        yield (
            "collectors.gateway.queue.size",
            (
                f"{format_bytes(environment.collectors.gateway.queue.size)} covers {format_duration(covered)} without the store, and "
                f"{reading(each)}; {more(_queue_for(environment, lasts), otherwise)}"
            ),
        )


def _queue_for(environment: Environment, seconds: float) -> int:
    """Bytes of a gateway's volume that cover so many seconds without the stores."""
    spans, stores = flow(environment), len(environment.stores)
    room = seconds * spans.kept / spans.gateways * kept_span_bytes(environment) * stores
    return queue_volume(room, stores) + (queue_volume(taken_bytes(environment)) if environment.collectors.kafka is not None else 0)
