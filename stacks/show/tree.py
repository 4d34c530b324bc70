"""Draw a trace as text: a tree in order of time, with a bar for the time of each span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stacks.show.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.show.stored import Span, Trace

_BAR: Final = 28
_LONGEST_NAME: Final = 64
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Row:
    """A span with the branches that are drawn before its name and before its further lines."""

    prefix: str
    below: str
    span: Span


def render_tree(trace: Trace) -> str:
    """Return the trace as lines of text, without a final line break.

    Each span has one line: service, name, kind, start after the trace's first span and duration in milliseconds, and a bar over the
    length of the trace. A failed span is marked, and its status message is the next line. A span whose parent was not stored is drawn
    at the top level and marked.
    """
    if not trace.spans:
        return f"trace {trace.trace_id}: no spans"
    return "\n".join([f"trace {trace.trace_id}: {summary(trace)}", "", *tree_lines(trace)])


def tree_lines(trace: Trace) -> list[str]:
    """Return the lines of ``render_tree`` without its heading."""
    begin, length = _extent(trace)
    rows = list(_rows(trace))
    labels = [f"{row.prefix}{_shortened(row.span.name)}" for row in rows]
    services = max(len(span.service) for span in trace.spans)
    names = max(map(len, labels))
    kinds = max(len(span.kind) for span in trace.spans)
    lines = []
    for row, label in zip(rows, labels, strict=True):
        span = row.span
        bar = _bar(span, begin, length)
        times = f"{'+' + _milliseconds(span.start_ns - begin):>9} {_milliseconds(span.duration_ns):>9} ms"
        mark = "  ✗ error" if span.status == "error" else ""
        orphan = "  (parent not stored)" if span.parent_id and not row.prefix else ""
        lines.append(f"{span.service:<{services}}  {label:<{names}}  {span.kind:<{kinds}} {times}  {bar}{mark}{orphan}")
        if span.status_message:
            lines.append(f"{'':<{services}}  {row.below}{_one_line(span.status_message)}")
    return lines


def _extent(trace: Trace) -> tuple[int, int]:
    begin = min(span.start_ns for span in trace.spans)
    return begin, max(max(span.end_ns for span in trace.spans) - begin, 1)


def _rows(trace: Trace) -> Iterator[_Row]:
    """Yield the rows from top to bottom, with their branches."""
    above: list[str] = []
    for place in walk(trace):
        del above[place.depth :]
        inside = above[-1] if above else ""
        prefix = inside + ("└─ " if place.is_last else "├─ ") if place.depth else ""
        above.append(inside + ("   " if place.is_last else "│  ") if place.depth else "")
        yield _Row(prefix, above[-1] + ("│ " if place.has_children else "  "), place.span)


def summary(trace: Trace) -> str:
    """Return the numbers of spans, services and errors of a trace, and its duration."""
    _, length_ns = _extent(trace)
    errors = sum(span.status == "error" for span in trace.spans)
    parts = [
        counted(len(trace.spans), "span"),
        f"{counted(len(trace.services), 'service')} ({', '.join(trace.services)})",
        counted(errors, "error"),
        f"{_milliseconds(length_ns)} ms",
    ]
    return ", ".join(parts)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural, and `no` for zero."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / _NS_PER_MS:.2f}"


def _bar(span: Span, begin: int, length: int) -> str:
    """Draw the time of a span on a line of fixed width. The shortest span has one mark."""
    first = min((span.start_ns - begin) * _BAR // length, _BAR - 1)
    cells = min(max(round(span.duration_ns * _BAR / length), 1), _BAR - first)
    return f"▕{' ' * first}{'█' * cells}{' ' * (_BAR - first - cells)}▏"


def _one_line(text: str) -> str:
    """Replace characters that would move the cursor or break the table."""
    return "".join(character if character.isprintable() else " " for character in text)


def _shortened(name: str) -> str:
    printable = _one_line(name)
    return printable if len(printable) <= _LONGEST_NAME else printable[: _LONGEST_NAME - 1] + "…"
