"""The table of a trace by service."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stacks.show.stored import Span, Trace
from stacks.show.walk import services

if TYPE_CHECKING:
    from collections.abc import Mapping

MS = 1_000_000


def span(number: int, parent: int | None, service: str, start: int, end: int, **more: str | Mapping[str, str]) -> Span:
    values: dict[str, Any] = {"kind": "server", "status": "unset", "name": f"step {number}", **more}
    parent_id = f"{parent:016x}" if parent else None
    return Span("a" * 32, f"{number:016x}", parent_id, service, start_ns=start * MS, end_ns=end * MS, **values)


TRACE = Trace("a" * 32, (span(1, None, "portal", 0, 100), span(2, 1, "chain", 10, 70), span(3, 2, "chain", 20, 40, status="error")))


def test_the_own_time_of_a_service_is_that_of_its_spans_less_the_spans_below_them() -> None:
    assert [(row.service, row.spans, row.errors, row.own_milliseconds) for row in services(TRACE)] == [
        ("portal", 1, 0, 40.0),
        ("chain", 2, 1, 60.0),
    ]


def test_a_linked_trace_is_no_part_of_the_time_of_the_span_that_it_hangs_from() -> None:
    sent, received = span(1, None, "portal", 0, 10), replace(span(2, 1, "chain", 100, 190), trace_id="b" * 32)
    assert [(row.service, row.own_milliseconds) for row in services(Trace("a" * 32, (sent, received)))] == [
        ("portal", 10.0),
        ("chain", 90.0),
    ]
