"""The ledger has every run, and says which figures missed."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.ledger.entries import Entry, Kept, read
from benchmarks.ledger.figures import FIGURES, matches
from benchmarks.ledger.page import COLUMNS, cells, page
from benchmarks.ledger.queues import Full
from benchmarks.ledger.runs import RUNS
from benchmarks.rehearsal import Compared, Sent, too_busy
from stacks.cli.cli import main
from stacks.environment.sizing import disk_need
from stacks.rehearse.sides import Amount, Lost, Rehearsal, Service, Side
from tests.stacks import samples
from tests.stacks.rehearse.recordings import all_of, recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.ledger.entries import Bound

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"


def entry(foreseen: float | None, measured: float, allowed: float = 0.15, bound: Bound = "") -> Entry:
    return Entry("check", "figures.disk_span_bytes", "disk", "bytes", foreseen, measured, allowed, bound)


def test_the_committed_page_is_that_of_the_kept_entries() -> None:
    kept = {name: found for name in RUNS if (found := read(name))}
    assert PAGE.read_text(encoding="utf-8") == page(kept, RUNS)


@pytest.mark.parametrize(
    ("one", "right"),
    [
        (entry(100, 114), True),
        (entry(100, 120), False),
        (entry(120, 100), False),
        (entry(100, 300, bound="at least"), True),
        (entry(100, 80, bound="at least"), False),
        (entry(100, 30, bound="at most"), True),
        (entry(100, 130, bound="at most"), False),
        (entry(None, 7), True),
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


def rehearsal() -> Rehearsal:
    amount = Amount(3, 2, 1)
    sides = tuple(Side({}, frozenset(), 0, {"calls": 7}, disk_need(samples.named(name).environment)) for name in ("prod", "prod-tempo"))
    lost = (Lost("failed", "portal POST /orders", 1, "00f1", "errors"),)
    return Rehearsal(amount, (amount, amount), {"slow": (amount, amount)}, {"s": Service(amount, (amount, amount))}, lost, 0, sides)  # type: ignore[arg-type]


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401 - JSON
    """Every value in a document with its path."""
    if isinstance(value, dict | list):
        for name, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(child, (*path, str(name)))
    else:
        yield path, value


@cache
def printed(*arguments: str) -> Any:  # noqa: ANN401 - JSON
    said = io.StringIO()
    with redirect_stdout(said):
        main([*arguments, "--json"])
    return json.loads(said.getvalue())


def documents() -> Iterator[tuple[str, Any]]:
    """What each command prints of many environments."""
    files = {name: str(path) for name, path in {**samples.FILES, **samples.FURTHER}.items()}
    for name in ("dev", "prod", "prod-otlp"):
        yield "check", printed("check", files[name], "--policies")
        yield "size", printed("size", files[name])
    yield "diff", printed("diff", files["prod"], files["prod-otlp"])
    yield "rehearse", json.loads(json.dumps(rehearsal().as_mapping()))


def test_every_figure_that_a_command_prints_is_in_the_table_of_figures() -> None:
    found = [(command, path, value) for command, document in documents() for path, value in leaves(document)]
    figures = [
        (command, path)
        for command, path, value in found
        if (isinstance(value, int | float) and not isinstance(value, bool)) or (isinstance(value, str) and any(map(str.isdigit, value)))
    ]
    listed = [(one.command, one.place) for one in FIGURES]

    def is_listed(command: str, path: tuple[str, ...]) -> bool:
        return any(command == of and matches(place, path) for of, place in listed)

    forgotten = {f"{command} {'.'.join(path)}" for command, path in figures if not is_listed(command, path)}
    assert forgotten == set(), "name the row that holds it, or why it has none, in benchmarks/ledger/figures.py"
    known = [(command, path) for command, path, _ in found]
    assert [one for one in listed if not any(command == one[0] and matches(one[1], path) for command, path in known)] == []


def test_a_figure_has_a_row_that_a_run_makes_or_a_reason_for_none() -> None:
    assert [one for one in FIGURES if bool(one.row) is bool(one.why)] == []
    made = {key for run in RUNS.values() for key in run.keys} - {""}
    assert {one.row for one in FIGURES if one.row} == made


def test_the_kept_entries_of_a_run_are_those_that_it_makes() -> None:
    for name, run in RUNS.items():
        if kept := read(name):
            assert {entry.key for entry in kept.entries} <= set(run.keys), name


def test_what_is_queued_before_an_outage_is_not_counted_to_what_it_queues() -> None:
    # A queue of 100 bytes takes 10 bytes a second, in spans of 5; the outage finds it empty, and with what a store is behind.
    empty, behind = Full(seconds=10, before=0, queued=100, spans=20, disk=0), Full(seconds=6, before=40, queued=100, spans=12, disk=0)
    assert [(one.covered_seconds, one.span_bytes, one.spans_per_second) for one in (empty, behind)] == [(10, 5, 2)] * 2


@pytest.mark.parametrize(("late", "missing", "unforeseen", "told"), [(3, 2, 0, True), (3, 0, 1, True), (3, 0, 0, False), (0, 2, 0, False)])
def test_a_machine_is_blamed_only_where_more_spans_are_late_than_recorded(late: int, missing: int, unforeseen: int, told: bool) -> None:  # noqa: FBT001
    found, wait = recording(40), 2.0
    traces = all_of(found)
    recorded = len(found["late"])
    assert recorded
    compared = Compared(40, 20, 20, missing, unforeseen, 0, 0, 0, 0)
    reason = too_busy(compared, Sent(0.0, 1.0, 20, {}, recorded + late, {}), traces, wait)
    assert (reason is not None) is told
