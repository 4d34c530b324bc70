"""The ledger has every run, and says which figures missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ledger.entries import Entry, Kept, read
from benchmarks.ledger.page import COLUMNS, cells, page
from benchmarks.ledger.runs import RUNS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"


def entry(foreseen: float, measured: float, allowed: float = 0.15, *, at_least: bool = False) -> Entry:
    return Entry("check", "disk", "bytes", foreseen, measured, allowed, at_least)


def test_the_committed_page_is_that_of_the_kept_entries() -> None:
    kept = {name: found for name in RUNS if (found := read(name))}
    assert PAGE.read_text(encoding="utf-8") == page(kept, RUNS)


@pytest.mark.parametrize(
    ("one", "right"),
    [
        (entry(100, 114), True),
        (entry(100, 120), False),
        (entry(120, 100), False),
        (entry(100, 300, at_least=True), True),
        (entry(100, 80, at_least=True), False),
        (entry(3, 3, 0.0), True),
        (entry(3, 4, 0.0), False),
        (entry(0, 0, 0.0), True),
        (entry(1, 0), False),
    ],
)
def test_a_figure_is_right_when_it_is_as_near_as_it_must_be(one: Entry, right: bool) -> None:  # noqa: FBT001
    assert one.right is right


def test_the_page_names_the_figures_that_missed() -> None:
    kept = Kept("overload", "A load.", "2026-11-26", 1.0, (entry(100, 101), entry(100, 200)))
    text = page({"overload": kept}, RUNS)
    assert "## Figures that missed\n\n- `check`, disk: off by -50%.\n" in text
    assert all(len(cells(one)) == len(COLUMNS) for one in kept.entries)
