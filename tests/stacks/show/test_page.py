"""The page of a trace, as text."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from stacks.show.markup import duration, text, value
from stacks.show.page import page, write_page
from stacks.show.stored import Trace
from tests.stacks.show.stories import HOSTILE, LONG, STACK, hostile, order, span

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.show.stored import AttributeValue

VOID = {"meta", "input"}
OWN_SCRIPTS = 1


class Reader(HTMLParser):
    """Collects text and attributes, and refuses elements that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.words: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    reader.close()
    assert reader.open == []
    return reader


def test_every_span_of_a_story_is_a_row_with_its_whole_name() -> None:
    made = page(order())
    assert made.count('<details class="span') == len(order().spans)
    assert LONG in read(made).words
    assert STACK in read(made).words


def test_a_row_that_a_link_leads_to_says_how_long_after_its_cause_it_began() -> None:
    assert re.findall(r"⤳ ([^<]*) later", page(order())) == ["387 ms", "1.40 ms", "1.48 s", "297 ms"]


def test_a_page_opens_with_folded_waits_only_where_most_of_the_time_is_waiting() -> None:
    assert 'id="fold" checked' in page(order())
    half = Trace("a" * 32, (span("a", 1, None, "portal", "one", 0, 60), span("a", 2, None, "portal", "two", 100, 160)))
    assert 'id="fold">' in page(half)
    assert 'id="fold"' not in page(Trace("a" * 32, half.spans[:1]))


def test_the_map_has_a_box_for_each_service_and_an_arc_for_each_direction() -> None:
    made = page(order())
    assert re.findall(r'<button[^>]*data-service="(\d)"', made) == ["0", "1", "2", "3"]
    assert re.findall(r"<title>([^<]* → [^<]*)</title>", made) == [
        "portal → chain: 1 call, 1.70 ms on average",
        "chain → provider-daemon: 2 linked traces, 50.0 ms on average",
        "provider-daemon → chain: 1 call, 1.80 ms on average",
        "provider-daemon → waldur: 1 call, 11.0 ms on average",
    ]
    # The place of the trace that is not stored is no span of a service.
    assert "5 spans" in re.sub("<[^>]*>", "", made[made.index("provider-daemon</bdi><small") :][:120])


def test_what_services_write_into_spans_cannot_become_markup() -> None:
    made = page(hostile(), HOSTILE[0], HOSTILE)
    reader = read(made)
    assert reader.seen.count("script") == OWN_SCRIPTS
    assert {"img", "plaintext"} & set(reader.seen) == set()
    assert {name for name, _ in reader.attributes if name.startswith("on")} == set()
    assert {target for name, target in reader.attributes if name in {"href", "src"} and not (target or "").startswith("#s")} == set()
    assert sum("document.title" in word for word in reader.words) > 50
    assert not any(one in made for one in "\x00\x1b\x85\u202e")


def test_a_page_allows_no_script_but_its_own_and_loads_nothing() -> None:
    made = page(order())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='", policy[1])
    assert "http://" not in made
    assert "https://" not in made


def test_a_span_whose_parent_was_not_stored_is_a_row_and_says_so() -> None:
    assert "parent not stored" in page(Trace("a" * 32, (span("a", 7, 6, "portal", "one", 0, 1),)))


def test_spans_that_are_each_others_parents_are_rows_all_the_same() -> None:
    spans = (span("a", 1, 2, "portal", "one", 0, 1), span("a", 2, 1, "portal", "two", 0, 1), span("a", 3, 3, "portal", "three", 0, 1))
    assert page(Trace("a" * 32, spans)).count('<details class="span') == 3


@pytest.mark.parametrize("times", [(5, 5), (5, 4), (-1e12, -1e12), (1e13, 1e13)], ids=["instant", "clock set back", "1938", "2342"])
def test_times_that_make_no_sense_are_shown(times: tuple[float, float]) -> None:
    assert "--width: 0.000%" in page(Trace("a" * 32, (span("a", 1, None, "portal", "one", *times),)))


def test_the_time_of_a_page_grows_with_the_number_and_depth_of_its_spans() -> None:
    def seconds(count: int) -> float:
        deep = (span("a", number, number - 1 or None, "chain", "step", number, count) for number in range(1, count + 1))
        begun = time.process_time()
        page(Trace("a" * 32, tuple(deep)))
        return time.process_time() - begun

    seconds(100)
    assert seconds(4000) < 12 * seconds(1000)


@pytest.mark.parametrize(
    ("nanoseconds", "words"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (12_345, "12.3 µs"),
        (387_300_000, "387 ms"),
        (2_454_750_000, "2.45 s"),
        (61_000_000_000, "1 min 1 s"),
    ],
)
def test_a_duration_is_said_in_three_digits_and_its_unit(nanoseconds: int, words: str) -> None:
    assert duration(nanoseconds) == words


def test_values_are_shown_as_what_they_are() -> None:
    values: tuple[AttributeValue, ...] = ("<a>", 7, 1.5, True, None, b"\x01\xff", ("x", 1), {"k": (None,)})
    assert [value(one) for one in values] == [
        "&lt;a&gt;",
        "7",
        "1.5",
        "true",
        "null",
        "&quot;01ff&quot;",
        "[&quot;x&quot;, 1]",
        "{&quot;k&quot;: [null]}",
    ]


def test_text_keeps_lines_and_letters_of_every_language_and_shows_what_is_invisible() -> None:
    assert text("zażółć 注文\n\tعربي") == "zażółć 注文\n\tعربي"
    assert text("a\u202eb\x07\ud800") == "a\\u202eb\\x07\\ud800"


def test_a_page_is_written_under_the_id_of_its_trace(tmp_path: Path) -> None:
    path = write_page(order(), tmp_path / "pages", "order 1")
    assert path.name == f"{'a' * 32}.html"
    assert path.read_text(encoding="utf-8") == page(order(), "order 1")
