"""Which span a request that arrives belongs under, and what is sent along with one that leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import baggage, propagate
from opentelemetry.context import Context, get_current
from opentelemetry.trace import INVALID_SPAN, SpanKind, get_current_span, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span


def arriving(carrier: Mapping[str, object]) -> tuple[Context, SpanKind]:
    """Return the context that a request's headers carry, and the kind of span to start in it.

    A task or thread that serves requests inherits the context in which its server was started, and a span of that time is not the
    caller: without headers the request starts a trace. Only where another instrumentation outside ours already made a server span
    for this request (a recording one, or one in the headers' trace) the request belongs under that one, as an internal span.
    """
    ambient = get_current()
    here = get_current_span(ambient)
    context = propagate.extract(carrier, ambient)
    there = get_current_span(context).get_span_context()
    ours = here.get_span_context()
    carried = there is not ours and there.is_valid
    if ours.is_valid and (ours.trace_id == there.trace_id if carried else _serves(here)):
        return ambient, SpanKind.INTERNAL
    return (context if carried else without_span(context)), SpanKind.SERVER


def _serves(span: Span) -> bool:
    return span.is_recording() and getattr(span, "kind", None) is SpanKind.SERVER


def without_span(context: Context | None = None) -> Context:
    """Return the context with everything but its span: what is started in it starts a trace."""
    return set_span_in_context(INVALID_SPAN, context)


def leaving(context: Context, to: str | None = None) -> dict[str, str]:
    """Return the headers that carry a context to whom is called, by the propagators of the process; names are in lower case.

    ``to``: the URL or target that is called. Baggage is among the headers only where that is one of our own hosts.
    """
    carrier: dict[str, str] = {}
    if to is not None and baggage.get_all(context):
        from tracing_lib.baggage import inject

        inject(carrier, to=to, context=context)
    else:
        propagate.inject(carrier, context)
    return {name.lower(): value for name, value in carrier.items()}
