"""The current context and its span, by OpenTelemetry's public functions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from opentelemetry.context import attach, detach, get_current
from opentelemetry.trace import INVALID_SPAN, get_current_span, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, Tracer
    from opentelemetry.util.types import AnyValue


def current_span() -> Span:
    """Return the current span, as ``opentelemetry.trace.get_current_span`` does: for attributes of the operation under way."""
    return get_current_span()


def set_current_span(span: Span) -> Token[Context]:
    """Make a span the current one and return the token that ends this, for ``opentelemetry.context.detach``."""
    return attach(set_span_in_context(span))


class attached(AbstractContextManager[None]):  # noqa: N801  used like a function
    """A block in which a context is current. What became current since stays where the block is closed by code of another context."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = attach(self._context)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is not GeneratorExit or get_current() is self._context:
            detach(self._token)


def start_child(tracer: Tracer, name: str, kind: SpanKind, attributes: Mapping[str, AnyValue] | None) -> tuple[Span, Token[Context]]:
    """Start a span under the current one and make it current; return it and the token that ends this."""
    span = tracer.start_span(name, None, kind, attributes)
    return span, set_current_span(span)


def without_span(context: Context | None = None) -> Context:
    """Return the context (default: the current one) without its span: a span that is started in it starts a trace."""
    return set_span_in_context(INVALID_SPAN, context)
