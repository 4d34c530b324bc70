"""A story as one tree over linked traces."""

from __future__ import annotations

import pytest

from stacks.show.stored import Link, Span, Trace
from stacks.show.story import Story, asides, joined, summaries, tell
from stacks.show.tree import tree_lines

ABSENT = "9" * 32


def span(  # noqa: PLR0917  a table's columns
    trace: str, number: int, parent: int | None, service: str, start: int, end: int, *links: Link, status: str = "unset"
) -> Span:
    identifiers = (trace * 32, f"{trace}{number:015x}", None if parent is None else f"{trace}{parent:015x}")
    return Span(*identifiers, service, f"{service} {number}", "internal", start * 10**6, end * 10**6, status, links=links)


def link(trace: str, number: int) -> Link:
    return Link(trace * 32, f"{trace}{number:015x}", {})


def names(story: Story) -> list[str]:
    return [line[: line.index("internal" if "internal" in line else "link")].rstrip() for line in tree_lines(joined(story))]


def test_a_trace_hangs_from_the_span_of_an_earlier_one_that_its_root_links_to() -> None:
    first = Trace("a" * 32, (span("a", 1, None, "portal", 0, 10), span("a", 2, 1, "portal", 2, 4, link("b", 1))))
    second = Trace("b" * 32, (span("b", 1, None, "chain", 20, 30, link("a", 2)), span("b", 2, 1, "chain", 21, 22)))
    third = Trace("c" * 32, (span("c", 1, None, "daemon", 40, 50, link("b", 2)),))
    assert names(Story("order 1", (first, second, third), ())) == [
        "portal  portal 1",
        "portal  └─ portal 2",
        "chain      └─ ~> chain 1",
        "chain         └─ chain 2",
        "daemon           └─ ~> daemon 1",
    ]


def test_a_story_of_one_trace_says_so_in_the_singular() -> None:
    told = tell(Story("order 1", (Trace("a" * 32, (span("a", 1, None, "portal", 0, 10),)),), ()))
    assert told.startswith("order 1: 1 trace, 1 span, 1 service (portal)")


def test_a_link_whose_trace_is_not_stored_says_so_in_its_place() -> None:
    first = Trace("a" * 32, (span("a", 1, None, "portal", 0, 10, Link(ABSENT, "1" * 16, {})), span("a", 2, 1, "portal", 2, 4)))
    assert names(Story("order 1", (first,), (ABSENT,))) == [
        "portal  portal 1",
        "portal  ├─ portal 2",
        "portal  └─ ~> trace 99999999… (not sampled)",
    ]


def test_traces_that_no_link_joins_to_the_story_stand_beside_it() -> None:
    looked = Trace("d" * 32, (span("d", 1, None, "portal", 0, 1), span("d", 2, 1, "chain", 0, 1)))
    first = Trace("a" * 32, (span("a", 1, None, "portal", 2, 10),))
    second = Trace("b" * 32, (span("b", 1, None, "chain", 20, 30, link("a", 1)),))
    again = Trace("e" * 32, (span("e", 1, None, "portal", 40, 41),))
    story = Story("order 1", (looked, first, second, again), ())
    assert names(story) == ["portal  portal 1", "chain   └─ ~> chain 1"]
    assert asides(story) == {"portal 1 (portal)": 2}


def test_traces_that_link_to_each_other_hang_once_from_the_one_that_began_first() -> None:
    first = Trace("a" * 32, (span("a", 1, None, "portal", 0, 10, link("b", 1)),))
    second = Trace("b" * 32, (span("b", 1, None, "chain", 20, 30, link("a", 1)),))
    assert names(Story("order 1", (first, second), ())) == ["portal  portal 1", "chain   └─ ~> chain 1"]


def test_a_service_is_judged_by_what_it_was_asked_to_do_and_not_by_its_own_steps() -> None:
    asked = [span("a", 2 * n, None, "chain", 0, n) for n in range(1, 101)]
    steps = [span("a", 2 * n + 1, 2 * n, "chain", 0, 500, status="error") for n in range(1, 101)]
    (row,) = summaries([Trace("a" * 32, (*asked, *steps))])
    assert (row.service, row.spans, row.errors, row.p95_milliseconds) == ("chain", 200, 100, 95.0)


def test_a_story_without_traces_has_no_tree() -> None:
    with pytest.raises(ValueError, match="without traces"):
        joined(Story("order 1", (), ()))
