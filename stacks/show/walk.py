"""The order in which a trace is shown, and its numbers by service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stacks.show.stored import Span, Trace


@dataclass(frozen=True, slots=True)
class Place:
    """Span in its place: below its parent, if that was stored, and perhaps the last of its parent's children."""

    span: Span
    parent: Span | None = None
    depth: int = 0
    is_last: bool = True
    has_children: bool = False

    @property
    def by_link(self) -> bool:
        """Whether the parent is of another trace, which a link of the span joins to this one."""
        return self.parent is not None and self.parent.trace_id != self.span.trace_id


def walk(trace: Trace) -> Iterator[Place]:
    """Yield every span once, from top to bottom, parents before children and children in order of time.

    It works without recursion, because a trace can be deeper than Python's recursion limit.
    """
    children: dict[str | None, list[Span]] = {}
    known = {span.span_id for span in trace.spans}
    for span in trace.spans:
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    waiting = [Place(root, has_children=root.span_id in children) for root in reversed(children.get(None, []))]
    seen = set()
    while waiting:
        place = waiting.pop()
        seen.add(place.span.span_id)
        yield place
        below = children.get(place.span.span_id, [])
        waiting += [
            Place(child, place.span, place.depth + 1, is_last=number == 0, has_children=child.span_id in children)
            for number, child in enumerate(reversed(below))
        ]
    # Spans that are each other's ancestors are below no root, and are still shown.
    yield from (Place(span) for span in trace.spans if span.span_id not in seen)


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """Part of one service in a trace; the time is that of its own spans less the spans below them, in milliseconds."""

    service: str
    spans: int
    errors: int
    own_milliseconds: float


def services(trace: Trace) -> list[ServiceRow]:
    """A row for each service, in the order in which they first appear."""
    below: dict[tuple[str, str], int] = {}
    for span in trace.spans:
        if span.parent_id:
            # What a link leads to is of another trace, and no part of the time of the span that it hangs from.
            below[span.trace_id, span.parent_id] = below.get((span.trace_id, span.parent_id), 0) + span.duration_ns
    rows = []
    for name in trace.services:
        spans = [span for span in trace.spans if span.service == name]
        own = sum(max(span.duration_ns - below.get((span.trace_id, span.span_id), 0), 0) for span in spans)
        rows.append(ServiceRow(name, len(spans), sum(span.status == "error" for span in spans), own / 1e6))
    return rows


@dataclass(slots=True)
class Calls:
    """Calls from one service to another: spans of the callee whose parent, or linked span, is the caller's."""

    caller: str
    callee: str
    by_link: bool
    durations_ns: list[int] = field(default_factory=list)
    errors: int = 0


def calls(places: Iterable[Place]) -> list[Calls]:
    """Return the calls between services, each pair and direction once, and those by a link apart."""
    found: dict[tuple[str, str, bool], Calls] = {}
    for place in places:
        parent, span = place.parent, place.span
        if parent is None or parent.service == span.service:
            continue
        key = (parent.service, span.service, place.by_link)
        one = found.setdefault(key, Calls(*key))
        one.durations_ns.append(span.duration_ns)
        one.errors += span.status == "error"
    return list(found.values())
