"""Markdown that fits a comment on a pull request: tables whose cells say nothing to its reader's browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.environment.units import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.changes.diff import Difference

_MEANT = {letter: f"\\{letter}" for letter in "\\`*_[]|~#!"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "$": "&#36;"}
"""Letters with a meaning in Markdown, HTML or formulas, and "@" and "!", by which a comment calls people and other changes."""
_LONGEST, _MOST = 300, 50
"""Letters of a cell and rows of a table: a comment has room for 65,536 letters."""


def cell(text: str) -> str:
    """Text in one line that means itself, cut where it is long."""
    written, room = [], _LONGEST
    for letter in printable(" ".join(text.split())):
        written.append(_MEANT.get(letter, letter))
        room -= len(written[-1])
        if room < 0:
            return f"{''.join(written[:-1])}…"
    return "".join(written)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"| {' | '.join(map(cell, columns))} |"
    yield "|---" * len(columns) + "|"
    yield from (f"| {' | '.join(map(cell, row))} |" for row in rows)


def difference(found: Difference, old: str, new: str) -> str:
    """Changed settings, their consequences, and the effect on each workload."""
    heading = [f"### {cell(old)} → {cell(new)}", ""]
    if not found:
        return "\n".join([*heading, "Nothing changes.", ""])
    changes = [(change.sentence, change.consequence or "") for change in found.changes]
    effects = [(effect.workload, effect.effect, ", ".join(effect.because), effect.means) for effect in found.workloads]
    parts = [*heading]
    if changes:
        more = [(f"{len(changes) - _MOST} more changes", "")] if len(changes) > _MOST else []
        parts += [*table(("change", "what it means"), [*changes[:_MOST], *more]), ""]
    parts += [*table(("workload", "effect", "because of", "what it means"), effects), ""] if effects else ["Nothing restarts.", ""]
    return "\n".join(parts)
