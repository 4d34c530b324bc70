"""Traces of one order, made by hand: joined by links, with waits between them, one error, and one trace that was not sampled."""

from __future__ import annotations

from typing import Any, Final

from stacks.show.stored import Event, Link, Span, Trace
from stacks.show.story import LINK_MARK

MS: Final = 1_000_000
BEGIN: Final = 1_780_000_000_000_000_000
STACK: Final = 'Traceback (most recent call last):\n  File "escrow.py", line 3, in deposit\nInsufficientFunds'
LONG: Final = "veid.keeper.CheckLevel" + ".of.a.very.long.name" * 9
HOSTILE: Final = (
    '"><script>document.title = "taken over"</script>',
    "'><img src=x onerror=\"document.title = 'taken over'\">",
    "</title></style></script><svg onload=\"document.title='taken over'\">",
    "javascript:document.title='taken over'",
    "<!-- <plaintext>",
    "\u202eredro\u202c\x00\x1b[31m\x85",
    "&lt;b&gt; & {{7*7}} ${7*7}",
)


def span(trace: str, number: int, parent: int | None, service: str, name: str, *times: float, **more: Any) -> Span:  # noqa: ANN401
    start, end = (BEGIN + int(time * MS) for time in times)
    facts = {"kind": "internal", "status": "unset"} | more
    parent_id = None if parent is None else f"{parent:016x}"
    return Span(trace * 32, f"{number:016x}", parent_id, service, name, start_ns=start, end_ns=end, **facts)


def linked(trace: str, number: int) -> tuple[Link, ...]:
    return (Link(trace * 32, f"{number:016x}", {"link.kind": "cause"}),)


def order() -> Trace:
    """The story of an order as ``joined`` returns it."""
    failed = Event("exception", BEGIN + int(396.95 * MS), {"exception.type": "InsufficientFunds", "exception.stacktrace": STACK})
    create, bid, ordered = "virtengine.market.v1.Msg/CreateOrder", "virtengine.market.v1.Msg/CreateBid", "POST /api/marketplace-orders/"
    attributes = {"http.request.method": "POST", "http.route": "/orders", "http.response.status_code": 201, "virtengine.steps": ("a", "b")}
    spans = (
        span("a", 1, None, "portal", "POST /orders", 0, 8.7, kind="server", attributes=attributes, resource={"host.name": "node-1"}),
        span("a", 2, 1, "portal", create, 3.2, 8.1, kind="client"),
        span("a", 3, 2, "chain", create, 5.9, 7.6, kind="server"),
        span("a", 4, 3, "chain", "ante.Handle", 6, 6.8),
        span("b", 5, 3, "chain", f"{LINK_MARK}execute transaction", 394.9, 397.2, links=linked("a", 3)),
        span("b", 6, 5, "chain", "market.keeper.CreateOrder", 396, 397.1),
        span("b", 7, 6, "chain", LONG, 396.2, 396.3),
        span("b", 8, 6, "chain", "escrow.keeper.Deposit", 396.9, 397, status="error", status_message="3 of 10 uve", events=(failed,)),
        span("b", 9, 5, "chain", "send /events", 409.4, 409.8, kind="producer"),
        span("c", 10, 9, "provider-daemon", f"{LINK_MARK}process /events", 411.2, 424.3, kind="consumer", links=linked("b", 9)),
        span("c", 11, 10, "provider-daemon", "bidengine.price", 412.5, 412.6),
        span("9", 12, 10, "provider-daemon", f"{LINK_MARK}trace 99999999… (not sampled)", 424.3, 424.3, kind="link"),
        span("c", 13, 10, "provider-daemon", bid, 418.1, 423.9, kind="client"),
        span("c", 14, 13, "chain", bid, 420.3, 422.1, kind="server"),
        span("d", 15, 14, "chain", f"{LINK_MARK}execute transaction", 1900, 1903, links=linked("c", 14)),
        span("e", 16, 15, "provider-daemon", f"{LINK_MARK}process provision", 2200, 2287, kind="consumer", links=linked("d", 15)),
        span("e", 17, 16, "provider-daemon", ordered, 2202, 2268, kind="client"),
        span("e", 18, 17, "waldur", ordered, 2247, 2258, kind="server"),
    )
    return Trace("a" * 32, spans)


def hostile() -> Trace:
    """A trace whose every text tries to become markup, script or another line."""
    spans = []
    for number, text in enumerate(HOSTILE, 1):
        attributes: dict[str, Any] = {text: text, "list": (text, {text: text}), "bytes": text.encode()}
        events = (Event(text, BEGIN, attributes),)
        links = (Link(text, text, {text: text}),)
        texts = {"kind": text, "status": "error", "status_message": text, "attributes": attributes, "resource": attributes}
        spans.append(span("a", number, number - 1 or None, text, text, number, 20, events=events, links=links, **texts))
    return Trace("a" * 32, tuple(spans))
