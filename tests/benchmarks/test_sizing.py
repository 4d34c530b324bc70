"""The last part of the page on sizes is made of the measurements that are kept, and says which figures missed."""

from __future__ import annotations

from typing import Any

from benchmarks.sizing.page import HEADING, PAGE, entries, kept, section, written
from stacks.environment.scaling import store_bytes
from stacks.environment.sizing import DISK_BYTES_PER_SPAN_BYTE

MEASURED: dict[str, Any] = {
    "store": "badger",
    "load": "orders",
    "spans": 1_000,
    "otlp_bytes": 300_000,
    "resource_bytes": 300_000,
    "disk_bytes": round(600_000 * DISK_BYTES_PER_SPAN_BYTE["badger"]),
    "seconds": 2.0,
    "cpu_seconds": {"store": 0.3},
    "memory_bytes": {"store": store_bytes("badger", 300_000)},
    "start": {"seconds": 1.5, "read_bytes": 2**20},
    "day": "2026-11-26",
    "load_average": 1.0,
}


def test_the_committed_page_is_that_of_the_kept_measurements() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page, kept()) == page, "run: python -m benchmarks.sizing --stores --held 0 --orders 0"


def test_disk_and_memory_are_held_against_what_is_said() -> None:
    found = list(entries(MEASURED))
    assert [one.figure for one in found] == ["disk", "memory"]
    assert all(one.right for one in found)
    assert "took 1.5 s and read 1Mi" in section([MEASURED])
    assert "Every figure was as near as it must be." in section([MEASURED])


def test_a_figure_that_is_too_far_off_is_named() -> None:
    text = section([MEASURED | {"disk_bytes": 2 * MEASURED["disk_bytes"]}])
    assert text.startswith(HEADING)
    assert "- Badger, 1,000 spans, disk: off by -50%." in text
