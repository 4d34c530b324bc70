"""The headers that carry a trace: read from a request that arrives, and written to one that is sent."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry import baggage, propagate
from opentelemetry.context import get_current
from opentelemetry.trace import INVALID_SPAN, SpanKind, get_current_span, set_span_in_context

from tracing_lib.propagation.current import without_span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AnyValue

Pairs: TypeAlias = "Iterable[tuple[str, object]] | Iterable[tuple[bytes, bytes]]"
"""Headers as they arrived, names in lower case."""


def extract(headers: Pairs) -> tuple[Context, SpanKind]:
    """Return the context that a request's headers carry, and the kind of span to start in it.

    A task or thread that serves requests inherits the context in which its server was started, and a span of that time is not the
    caller: without headers the request starts a trace. Only where another instrumentation outside ours already made a server span
    for this request the request belongs under the current span, as an internal span: one in the headers' trace, one that records and
    is no span of the time of the start (``stand_outside``), or one of this process in a trace that is not sampled.
    """
    ambient = get_current()
    context = propagate.extract(_by_name(headers), ambient)
    here = get_current_span(ambient)
    if here is INVALID_SPAN:
        return context, SpanKind.SERVER
    there, ours = get_current_span(context).get_span_context(), here.get_span_context()
    arrived = there is not ours and there.is_valid
    if ours.is_valid and (ours.trace_id == there.trace_id if arrived else _serves(here)):
        return ambient, SpanKind.INTERNAL
    return (context if arrived else without_span(context)), SpanKind.SERVER


def start_server_span(tracer: Tracer, name: str, headers: Pairs, attributes: Mapping[str, AnyValue]) -> tuple[Span, Context]:
    """Start the span of a request with these headers; return it and the context in which it is to become current."""
    context, kind = extract(headers)
    span = tracer.start_span(name, context, kind, attributes)
    return span, set_span_in_context(span, context)


def _by_name(headers: Pairs) -> dict[str, object]:
    """Return headers by name: those that came once as text, others as a list."""
    carrier: dict[str, object] = {}
    for key, value in headers:
        name = key.decode("latin-1").lower() if isinstance(key, bytes) else key
        if isinstance(key, bytes) or isinstance(value, str):  # of gRPC's metadata some are binary
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            held = carrier.get(name)
            carrier[name] = text if held is None else [*(held if isinstance(held, list) else [held]), text]
    return carrier


def _serves(span: Span) -> bool:
    if span in _outside:
        return False
    if span.is_recording():
        # Without a word on the start, an internal span may be one that lasts as long as the server.
        return bool(_outside) or getattr(span, "kind", None) is SpanKind.SERVER
    context = span.get_span_context()
    return not context.is_remote and not context.trace_flags.sampled


_outside: Final[weakref.WeakSet[Span]] = weakref.WeakSet()
"""Spans that were current where a server was made or started: no caller of a request."""


def stand_outside() -> None:
    """Take the current span for one of the server's start: requests that inherit it are not called by it."""
    span = get_current_span()
    # A server span is a request's: some frameworks make their middleware when the first one arrives.
    _outside.add(INVALID_SPAN if getattr(span, "kind", None) is SpanKind.SERVER else span)


def inject(carrier: dict[str, str], to: str | None) -> None:
    """Write the headers of the current context into a dictionary, by the propagators of the process; names are in lower case.

    ``to``: the URL or target that is called. Baggage is among the headers only where that is one of our own hosts.
    """
    written: dict[str, str] = {}
    if to is not None and baggage.get_all():
        from tracing_lib.propagation import baggage as own_baggage  # imports the SDK, which most processes without it never need

        own_baggage.inject(written, to=to)
    else:
        propagate.inject(written)
    carrier.update((name.lower(), value) for name, value in written.items())
