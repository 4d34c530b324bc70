"""The spans of one WebSocket's events, on either side: each in its own trace, linked to the connection and to the sender.

A connection may last for days. As one trace it would never be complete, and no sampler could decide about it; so the connection's span
is its handshake, and every event is a trace of its own, sampled when the connection was (``FollowsLinks``).
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

from opentelemetry import context as contexts
from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracing_lib.base import conventions
from tracing_lib.instrument.source import ending, fail
from tracing_lib.propagation.current import set_current_span, without_span

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext, Tracer

SCOPE: Final = "tracing_lib.websocket"
_TRACEPARENT: Final = re.compile(r'"traceparent"\s*:\s*"(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})"')
_SEARCHED: Final = 4096
"""Characters of a message in which its sender is looked for: an envelope puts it first."""
_W3C: Final = TraceContextTextMapPropagator()


class WebSocketEvents:
    """Starts and ends the spans of one connection's events. ``opened`` comes first, when the handshake is done."""

    def __init__(self, tracer: Tracer, template: str | None, *, envelope: bool) -> None:
        self._tracer = tracer
        self._template = template
        self._envelope = envelope
        self._connection: SpanContext | None = None
        self._event: tuple[Span, Context] | None = None
        self._outside: Context = contexts.Context()

    def opened(self, connection: SpanContext, template: str | None, before: Context) -> None:
        """Start taking events. ``before``: the context outside of the connection, whose values but not whose span the events see."""
        self._connection = connection
        self._template = template
        # What is done between two events belongs to no trace; of a connection that is not sampled, to one that is not.
        self._outside = (
            without_span(before) if connection.trace_flags.sampled else set_span_in_context(NonRecordingSpan(connection), before)
        )
        contexts.attach(self._outside)

    def received(self, message: str | bytes) -> None:
        """Start the span of an event that arrived and make it current: whatever follows, until the next, is its processing."""
        self.processed()
        if self._connection is None or not self._connection.trace_flags.sampled:
            contexts.attach(self._outside)
            return
        span = self._start("process", SpanKind.CONSUMER, message, self._outside, _sender(message))
        active = set_span_in_context(span, self._outside)
        contexts.attach(active)
        self._event = (span, active)

    def processed(self, error: BaseException | None = None) -> bool:
        """End the span of the event that is processed; return whether there was one."""
        if self._event is None:
            return False
        span, active = self._event
        self._event = None
        if error is not None:
            fail(span, error)
        span.end()
        if contexts.get_current() is active:
            contexts.attach(self._outside)
        return True

    def left(self, before: Context) -> None:
        """End the last event, and give the caller its context back where the events' is still current."""
        self.processed()
        if contexts.get_current() is self._outside:
            contexts.attach(before)

    def sending(self, message: str | bytes) -> AbstractContextManager[object]:
        """Return the block in which an event is sent: its span."""
        if self._connection is None or not self._connection.trace_flags.sampled:
            return nullcontext()
        span = self._start("send", SpanKind.PRODUCER, message, contexts.get_current(), None)
        return ending(span, set_current_span(span))

    def enveloped(self, message: str | bytes) -> str | bytes:
        """Return a message as it is to be sent: a JSON object with the current span, its sender, as the first member."""
        sampled = self._envelope and self._connection is not None and self._connection.trace_flags.sampled
        if not sampled or not isinstance(message, str) or not message.lstrip().startswith("{"):
            return message
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        head, _, rest = message.partition("{")
        separator = "" if rest.lstrip().startswith("}") else ", "
        return f'{head}{{"traceparent": "{carrier["traceparent"]}"{separator}{rest}'

    def broke(self, error: BaseException) -> None:
        """Record, once, what ended the connection outside of any event, in a trace of its own."""
        if self._connection is not None and self._connection.trace_flags.sampled:
            span = self._start("close", SpanKind.INTERNAL, b"", without_span(), None)
            self._connection = None
            fail(span, error)
            span.end()

    def _start(self, operation: str, kind: SpanKind, message: str | bytes, parent: Context, sender: SpanContext | None) -> Span:
        links = [
            Link(context, {conventions.LINK_ROLE: role})
            for role, context in (("connection", self._connection), ("sender", sender))
            if context
        ]
        attributes: dict[str, str | int] = {
            conventions.MESSAGING_SYSTEM: conventions.WEBSOCKET,
            conventions.MESSAGING_OPERATION_NAME: operation,
            conventions.MESSAGING_OPERATION_TYPE: operation,
        }
        if message:
            attributes[conventions.MESSAGING_BODY_SIZE] = _size(message)
        if self._template:
            attributes[conventions.MESSAGING_DESTINATION_TEMPLATE] = self._template
        # A name is an operation of messages and its target; closing is none of these.
        target = conventions.WEBSOCKET if operation == "close" else self._template or conventions.WEBSOCKET
        return self._tracer.start_span(f"{operation} {target}", parent, kind, attributes, links)


def _size(message: str | bytes) -> int:
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())


def _sender(message: str | bytes) -> SpanContext | None:
    """Return the span that a message names as its sender's. It is linked to and never a parent: anybody may write anything there."""
    head = message[:_SEARCHED] if isinstance(message, str) else message[:_SEARCHED].decode("utf-8", "ignore")
    found = _TRACEPARENT.search(head)
    if found is None:
        return None
    context = get_current_span(_W3C.extract({"traceparent": found[1]}, contexts.Context())).get_span_context()
    return context if context.is_valid else None
