"""Markdown that fits a comment on a pull request: tables whose cells say nothing to its reader's browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.changes.diff import Difference

_MEANT = {letter: f"\\{letter}" for letter in "\\`*_[]|~#"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
"""Letters with a meaning in Markdown or HTML, and "@", by which a comment calls people."""


def cell(text: str) -> str:
    """Text in one line that means itself."""
    return "".join(_MEANT.get(letter, letter) for letter in " ".join(text.split()))


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
    effects = [(effect.workload, effect.effect, ", ".join(effect.because)) for effect in found.workloads]
    parts = [*heading]
    if changes:
        parts += [*table(("change", "what it means"), changes), ""]
    parts += [*table(("workload", "effect", "because of"), effects), ""] if effects else ["Nothing restarts.", ""]
    return "\n".join(parts)
