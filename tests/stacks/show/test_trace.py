"""A trace shown: the table by service, where to look, and the page that needs no server."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from stacks.show.page import page
from stacks.show.stored import Span, Trace
from stacks.show.trace import services

if TYPE_CHECKING:
    from collections.abc import Mapping

MS = 1_000_000
VOID = {"meta"}


def span(number: int, parent: int | None, service: str, start: int, end: int, **more: str | Mapping[str, str]) -> Span:
    values: dict[str, Any] = {"kind": "server", "status": "unset", "name": f"step {number}", **more}
    parent_id = f"{parent:016x}" if parent else None
    return Span("a" * 32, f"{number:016x}", parent_id, service, start_ns=start * MS, end_ns=end * MS, **values)


TRACE = Trace("a" * 32, (span(1, None, "portal", 0, 100), span(2, 1, "chain", 10, 70), span(3, 2, "chain", 20, 40, status="error")))


class Reader(HTMLParser):
    """Collects text and refuses elements that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert all(value is not None for _, value in attrs)
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_the_own_time_of_a_service_is_that_of_its_spans_less_the_spans_below_them() -> None:
    assert [(row.service, row.spans, row.errors, row.own_milliseconds) for row in services(TRACE)] == [
        ("portal", 1, 0, 40.0),
        ("chain", 2, 1, 60.0),
    ]


def test_a_page_has_a_row_for_each_span_and_marks_the_failed_one() -> None:
    text = page(TRACE)
    assert read(text).seen.count("details") == 3
    assert text.count('<details class="error"') == 1
    assert 'left: 20.000%; width: 20.000%"' in text


def test_what_services_write_into_spans_cannot_become_markup() -> None:
    hostile = '"><script>alert(1)</script>'
    made = Trace("a" * 32, (span(1, None, hostile, 0, 1, name=hostile, status_message=hostile, attributes={hostile: hostile}),))
    reader = read(page(made))
    assert "script" not in reader.seen
    assert sum(hostile in word for word in reader.words) >= 5


def test_a_span_whose_parent_was_not_stored_is_a_row_all_the_same() -> None:
    assert read(page(Trace("a" * 32, (span(7, 6, "portal", 0, 1),)))).seen.count("details") == 1


def test_an_instant_trace_does_not_divide_by_zero() -> None:
    assert "width: 0.000%" in page(Trace("a" * 32, (span(1, None, "portal", 5, 5),)))
