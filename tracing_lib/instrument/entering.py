"""How a span begins, the long way: as a child of the current one, or for a request that arrives. ``native`` has the short one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import Context

from tracing_lib.propagation.carrier import arriving, carrier_of
from tracing_lib.propagation.current import SPAN_KEY, set_current_span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span, SpanKind, Tracer
    from opentelemetry.util.types import AttributeValue

    from tracing_lib.instrument.source import TracerSource
    from tracing_lib.propagation.carrier import Pairs


def enter(source: TracerSource, name: str, kind: SpanKind, attributes: Mapping[str, AttributeValue] | None) -> tuple[Span, Context] | None:
    """Start a span under the current one and make it current; return it and the context before, or none where nobody receives it."""
    tracer = source.get()
    if tracer is None:
        return None
    span = tracer.start_span(name, None, kind, attributes)
    return span, set_current_span(span)


def serve(
    tracer: Tracer, headers: Pairs, name: str, attributes: Mapping[str, AttributeValue], key: str | None = None
) -> tuple[Span, Context]:
    """Start the span of a request with these headers; return it with the context in which it is to become current.

    ``key``: under which that context holds name and span, for who serves the same request further in.
    """
    context, kind = arriving(carrier_of(headers))
    span = tracer.start_span(name, context, kind, attributes)
    active = {**context, SPAN_KEY: span}
    return span, Context(active if key is None else {**active, key: (name, span)})
