"""The page of the ledger, made from the entries that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ledger.figures import FIGURES
from stacks.environment.units import approximate_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.ledger.entries import Entry, Kept
    from benchmarks.ledger.figures import Figure
    from benchmarks.ledger.runs import Run

HEAD = """# What was said before, and what happened

`make ledger` holds the figures that `check`, `size`, `diff` and `rehearse` print against what the real servers then did, and writes this
page. Disk must be right within 15 %, memory within 25 %, what a limit on a rate lets pass within 5 %, processor time within 35 %; restarts
and kept traces exactly. A figure that misses is mended in the arithmetic (`stacks/environment/sizing.py`), and the page is made anew.
Figures without a row are at the end, each with the reason.

"""
COLUMNS = ("Command", "Figure", "Foreseen", "Happened", "Off", "Allowed", "")
RULE = "|---|---|---:|---:|---:|---:|---|"


def page(kept: Mapping[str, Kept], runs: Mapping[str, Run]) -> str:
    """The page of these entries, by the names of their runs, in the order of the runs."""
    known = [(runs[name], kept[name]) for name in runs if name in kept]
    parts = [HEAD]
    for run, those in known:
        engine = " This run needs the Pulumi engine; where it is not there, the last figures stay." if run.needs_engine else ""
        parts += [
            f"## {run.title}\n\n{those.how}{engine} On {those.day}, at a load average of {those.load_average:.1f}.\n\n",
            f"| {' | '.join(COLUMNS)} |\n{RULE}\n",
            *(f"| {' | '.join(cells(entry))} |\n" for entry in those.entries),
            "\n",
        ]
    wrong = [entry for _, those in known for entry in those.entries if not entry.right]
    missing = [f"- {run.title} (`{name}`)\n" for name, run in runs.items() if name not in kept]
    unmade = ["## Runs that were not made yet\n\n", *missing, "\n"] if missing else []
    return "".join([*parts, *unmade, _closing(wrong), _without(FIGURES)])


def cells(entry: Entry) -> tuple[str, ...]:
    """The cells of a line."""
    off = "" if entry.foreseen == entry.measured else f"{entry.off:+.0%}"
    measured = amount(entry, entry.measured)
    if entry.foreseen is None:
        return (f"`{entry.command}`", entry.figure, "", measured, "", "", "not foreseen")
    allowed = " ".join(part for part in (entry.bound, f"{entry.allowed:.0%}" if entry.allowed else "exact") if part)
    sign = "right" if entry.right else "**wrong**"
    return (f"`{entry.command}`", entry.figure, amount(entry, entry.foreseen), measured, off, allowed, sign)


def amount(entry: Entry, value: float | None) -> str:
    """A value in the unit of its entry."""
    if value is None:
        return "nothing"
    match entry.unit:
        case "bytes":
            return approximate_bytes(value)
        case "share":
            return f"{value:.1%}"
        case "seconds":
            return f"{value:,.0f} s"
        case unit:
            return f"{value:,.0f} {unit}"


def _closing(wrong: Sequence[Entry]) -> str:
    if not wrong:
        return "Every figure was as near as it must be.\n"
    lines = "".join(f"- `{entry.command}`, {entry.figure}: off by {entry.off:+.0%}.\n" for entry in wrong)
    return f"## Figures that missed\n\n{lines}"


def _without(figures: Sequence[Figure]) -> str:
    lines = "".join(f"- `{one.command}`, `{one.place}`: {one.why}.\n" for one in figures if one.why)
    return f"\n## Figures without a row\n\nBy their place in what the command prints with `--json`.\n\n{lines}"
