"""The drawn trace, line by line."""

from __future__ import annotations

from stacks.show.stored import Span, Trace
from stacks.show.tree import render_tree

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def _span(  # noqa: PLR0917  a table's columns
    number: int, parent: int | None, service: str, name: str, start_ms: float, end_ms: float, **more: str
) -> Span:
    begin = 1_795_413_342_000_000_000
    return Span(
        trace_id=TRACE_ID,
        span_id=f"{number:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        service=service,
        name=name,
        kind=more.get("kind", "internal"),
        start_ns=begin + int(start_ms * 1e6),
        end_ns=begin + int(end_ms * 1e6),
        status=more.get("status", "unset"),
        status_message=more.get("message", ""),
    )


def test_a_tree_shows_every_span_in_its_place_in_order_of_time() -> None:
    spans = (
        _span(1, None, "portal", "POST /orders", 0, 40, kind="server"),
        _span(2, 1, "portal", "Msg/CreateOrder", 4, 36, kind="client"),
        _span(3, 2, "chain", "Msg/CreateOrder", 6, 34, kind="server", status="error", message="escrow:\ntoo\x1b[31m little"),
        _span(4, 3, "chain", "veid.CheckLevel", 8, 8.01),
        _span(5, 3, "chain", "escrow.Deposit", 20, 34, status="error", message="deposit 15 is below 30"),
        _span(6, 1, "portal", "render", 38, 40),
    )
    assert render_tree(Trace(TRACE_ID, spans)).splitlines() == [
        f"trace {TRACE_ID}: 6 spans, 2 services (portal, chain), 2 errors, 40.00 ms",
        "",
        "portal  POST /orders              server       +0.00     40.00 ms  ▕████████████████████████████▏",
        "portal  ├─ Msg/CreateOrder        client       +4.00     32.00 ms  ▕  ██████████████████████    ▏",
        "chain   │  └─ Msg/CreateOrder     server       +6.00     28.00 ms  ▕    ████████████████████    ▏  ✗ error",
        "        │     │ escrow: too [31m little",
        "chain   │     ├─ veid.CheckLevel  internal     +8.00      0.01 ms  ▕     █                      ▏",
        "chain   │     └─ escrow.Deposit   internal    +20.00     14.00 ms  ▕              ██████████    ▏  ✗ error",
        "        │          deposit 15 is below 30",
        "portal  └─ render                 internal    +38.00      2.00 ms  ▕                          █ ▏",
    ]


def test_spans_without_a_stored_parent_hang_at_the_top_and_say_so() -> None:
    spans = (_span(2, 1, "chain", "late", 0, 1), _span(3, None, "portal", "root", 2, 3), _span(4, 2, "chain", "child", 4, 5))
    lines = render_tree(Trace(TRACE_ID, spans)).splitlines()[2:]
    assert [line.split()[1:3] for line in lines] == [["late", "internal"], ["└─", "child"], ["root", "internal"]]
    assert [line.endswith("(parent not stored)") for line in lines] == [True, False, False]


def test_spans_that_are_each_others_parents_are_shown_once_each() -> None:
    spans = (_span(1, 2, "a", "x", 0, 1), _span(2, 1, "a", "y", 0, 1))
    assert len(render_tree(Trace(TRACE_ID, spans)).splitlines()) == 4


def test_a_chain_of_five_thousand_spans_is_drawn() -> None:
    spans = tuple(_span(number + 1, number or None, "a", "x", number, number) for number in range(5000))
    assert len(render_tree(Trace(TRACE_ID, spans)).splitlines()) == 5002


def test_a_trace_without_spans_or_without_length_is_drawn() -> None:
    assert render_tree(Trace(TRACE_ID, ())) == f"trace {TRACE_ID}: no spans"
    (line,) = render_tree(Trace(TRACE_ID, (_span(1, None, "a", "x" * 100, 0, 0),))).splitlines()[2:]
    assert "x" * 63 + "…" in line
    assert line.count("█") == 1
