"""Which span a request that arrives belongs under, and what is sent along with one that leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry import baggage, propagate
from opentelemetry.trace import INVALID_SPAN, SpanKind

from tracing_lib.propagation.current import BAGGAGE_KEY, SPAN_KEY, SPANS, get_current, ids_of, span_of, with_span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span


def arriving(carrier: Mapping[str, object]) -> tuple[Context, SpanKind]:
    """Return the context that a request's headers carry, and the kind of span to start in it.

    A task or thread that serves requests inherits the context in which its server was started, and a span of that time is not the
    caller: without headers the request starts a trace. Only where another instrumentation outside ours already made a server span
    for this request (a recording one, or one in the headers' trace) the request belongs under that one, as an internal span.
    """
    ambient = get_current()
    context = propagate.get_global_textmap().extract(carrier, ambient)
    if ambient.get(SPAN_KEY) is None:
        return context, SpanKind.SERVER
    here = span_of(ambient)
    there = span_of(context).get_span_context()
    ours = here.get_span_context()
    carried = there is not ours and there.is_valid
    if ours.is_valid and (ours.trace_id == there.trace_id if carried else _serves(here)):
        return ambient, SpanKind.INTERNAL
    return (context if carried else without_span(context)), SpanKind.SERVER


Pairs: TypeAlias = "Iterable[tuple[str, object]] | Iterable[tuple[bytes, bytes]]"
"""Headers as they arrived, names in lower case."""


def carrier_of(headers: Pairs) -> dict[str, object]:
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
    return span.is_recording() and getattr(span, "kind", None) is SpanKind.SERVER


def without_span(context: Context | None = None) -> Context:
    """Return the context with everything but its span: what is started in it starts a trace."""
    return with_span(INVALID_SPAN, get_current() if context is None else context)


def leaving(context: Context, to: str | None = None) -> dict[str, str]:
    """Return the headers that carry a context to whom is called, by the propagators of the process; names are in lower case.

    ``to``: the URL or target that is called. Baggage is among the headers only where that is one of our own hosts.
    """
    headers = getattr(propagate.get_global_textmap(), "headers", None)
    if headers is not None and BAGGAGE_KEY not in context:
        span = context.get(SPAN_KEY)
        known: Any = span if type(span) in SPANS else span_of(context)
        return dict(headers(ids_of(known)))
    carrier: dict[str, str] = {}
    if to is not None and baggage.get_all(context):
        from tracing_lib.propagation.baggage import inject

        inject(carrier, to=to, context=context)
    else:
        propagate.inject(carrier, context)
    return {name.lower(): value for name, value in carrier.items()}
