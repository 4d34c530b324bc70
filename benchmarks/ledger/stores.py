"""A store that is filled, beside the disk that `check` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ledger.entries import CPU, DISK, MEMORY, Entry
from benchmarks.sizing.stores import fill
from stacks.environment.scaling import BADGER_CPU_SECONDS, store_bytes
from stacks.environment.sizing import DISK_BYTES_PER_SPAN_BYTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MILLION = 1_000_000


def how(part: float) -> str:
    """Sentence on what is done."""
    return f"{MILLION * part:,.0f} spans of orders in VirtEngine's shape, straight to the store, as fast as it takes them."


def badger(say: Callable[[str], None], part: float) -> Iterator[Entry]:
    """Many spans in Badger."""
    found = fill("badger", "orders", round(MILLION * part), say)
    foreseen = (found.otlp_bytes + found.resource_bytes) * DISK_BYTES_PER_SPAN_BYTE["badger"]
    yield Entry("check", "figures.disk_span_bytes", "disk of the spans", "bytes", foreseen, found.disk_bytes, DISK)
    memory = store_bytes("badger", (found.otlp_bytes + found.resource_bytes) / found.seconds)
    yield Entry("size", "tiers.*.memory", "memory of the store", "bytes", memory, found.memory_bytes["store"], MEMORY)
    each, cpu = BADGER_CPU_SECONDS[False], found.cpu_seconds["store"] / found.spans
    yield Entry("size", "tiers.*.cores", "processor time of a span in the store", "µs", each * 1e6, cpu * 1e6, CPU)
