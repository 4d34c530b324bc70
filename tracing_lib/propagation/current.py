"""The current context and its span, by OpenTelemetry's public functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import attach, get_current
from opentelemetry.trace import INVALID_SPAN, get_current_span, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, Tracer
    from opentelemetry.util.types import AnyValue


def current_span() -> Span:
    """Return the current span, as ``opentelemetry.trace.get_current_span`` does: for attributes of the operation under way."""
    return get_current_span()


def set_current_span(span: Span) -> Context:
    """Make a span the current one and return the context that was current before, for ``attach``."""
    before = get_current()
    attach(set_span_in_context(span, before))
    return before


def start_child(tracer: Tracer, name: str, kind: SpanKind, attributes: Mapping[str, AnyValue] | None) -> tuple[Span, Context]:
    """Start a span under the current one and make it current; return it and the context that was current before."""
    span = tracer.start_span(name, None, kind, attributes)
    return span, set_current_span(span)


def without_span(context: Context | None = None) -> Context:
    """Return the context (default: the current one) without its span: a span that is started in it starts a trace."""
    return set_span_in_context(INVALID_SPAN, context)
