"""The table of what the arithmetic says of each store beside what was measured, as a part of ``docs/sizing.md``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.ledger.entries import DISK, MEMORY, Entry
from benchmarks.ledger.page import cells
from benchmarks.sizing.stores import KINDS, Filled
from stacks.environment.scaling import INTAKE_BYTES, STORE_BYTES, store_bytes
from stacks.environment.sizing import DISK_BYTES_PER_SPAN_BYTE, WITH_RESOURCE
from stacks.environment.source import ROOT
from stacks.environment.units import approximate_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = ROOT / "docs" / "sizing.md"
FOLDER = Path(__file__).parent / "kept"
HEADING = "## What is said of each store, and what was measured\n"
COLUMNS = ("Command", "Figure", "Said", "Measured", "Off", "Allowed", "")
RULE = "|---|---|---:|---:|---:|---:|---|"
LOADS = {"orders": "VirtEngine's orders", "plain": "five attributes each"}


def keep(found: Filled, rate: float | None, day: str, load_average: float) -> None:
    """Keep a measurement in place of an earlier one of the same store, load, number of spans and rate."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{found.store}-{found.load}-{found.spans}{'' if rate is None else f'-{rate:.0f}'}.json"
    path.write_text(json.dumps(asdict(found) | {"day": day, "load_average": load_average}, indent=2) + "\n", encoding="utf-8")


def kept() -> Sequence[dict[str, Any]]:
    """The kept measurements, the largest of each store first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    return sorted(found, key=lambda one: (KINDS.index(one["store"]), -one["spans"], one["load"]))


def entries(one: dict[str, Any]) -> Iterator[Entry]:
    """Disk and memory of a measurement beside the arithmetic."""
    store, memory = one["store"], one["memory_bytes"]
    size = one["otlp_bytes"] + (one["resource_bytes"] if store in WITH_RESOURCE else 0)
    if store in DISK_BYTES_PER_SPAN_BYTE:
        yield Entry("size", "tiers.*.disk", "disk", "bytes", size * DISK_BYTES_PER_SPAN_BYTE[store], one["disk_bytes"], DISK)
    if store in STORE_BYTES:
        said = store_bytes(store, size / one["seconds"])
        yield Entry("size", "tiers.*.memory", "memory", "bytes", said, memory["store"], MEMORY)
    if store in INTAKE_BYTES:
        yield Entry("size", "tiers.*.memory", "memory of the intake", "bytes", INTAKE_BYTES[store], memory["intake"], MEMORY)


def section(found: Sequence[dict[str, Any]]) -> str:
    """The part of the page."""
    parts = [HEADING]
    for one in found:
        micros = ", ".join(f"{seconds / one['spans'] * 1e6:,.0f} µs of the {role}" for role, seconds in one["cpu_seconds"].items())
        parts += [
            (
                f"\n{one['store'].title()}: {one['spans']:,} spans of {one['otlp_bytes'] / one['spans']:,.0f} bytes with resources of "
                f"{one['resource_bytes'] / one['spans']:,.0f} ({LOADS[one['load']]}), {one['spans'] / one['seconds']:,.0f} spans/s, "
                f"{micros} for each.{_start(one)} On {one['day']}, two processors, at a load average of {one['load_average']:.1f}.\n\n"
            ),
            f"| {' | '.join(COLUMNS)} |\n{RULE}\n",
            *(f"| {' | '.join(cells(entry))} |\n" for entry in entries(one)),
        ]
    return "".join([*parts, f"\n{_closing(found)}"])


def _start(one: dict[str, Any]) -> str:
    start = one["start"]
    if start is None:
        return ""
    return f" A start with nothing of its files in memory took {start['seconds']:,.1f} s and read {approximate_bytes(start['read_bytes'])}."


def _closing(found: Sequence[dict[str, Any]]) -> str:
    missed = [(one, entry) for one in found for entry in entries(one) if not entry.right]
    if not missed:
        return "Every figure was as near as it must be.\n"
    lines = "".join(
        f"- {one['store'].title()}, {one['spans']:,} spans, {entry.figure}: off by {entry.off:+.0%}.\n" for one, entry in missed
    )
    return f"Figures that are further off than they may be:\n\n{lines}"


def written(page: str, found: Sequence[dict[str, Any]]) -> str:
    """A page whose last part is this one."""
    return page.partition(HEADING)[0] + section(found)
