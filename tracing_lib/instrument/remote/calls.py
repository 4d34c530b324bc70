"""Common part of the clients of Waldur, Kubernetes and SLURM: one client span for each call, and the context that it hands on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracing_lib.instrument.source import ending, suppressed
from tracing_lib.propagation.current import start_child

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from tracing_lib.instrument.source import TracerSource

_W3C: Final = TraceContextTextMapPropagator()


def client_span(source: TracerSource, name: str, attributes: Mapping[str, AttributeValue]) -> AbstractContextManager[Span]:
    """Start the client span of a call to another system; it ends with the block, and an exception that leaves the block is its error."""
    tracer = source.tracer()
    if tracer is None or suppressed():
        return nullcontext(INVALID_SPAN)
    return ending(*start_child(tracer, name, SpanKind.CLIENT, attributes))


def carried() -> dict[str, str]:
    """Return the current trace context as ``traceparent`` and ``tracestate``, for what is started and not called: W3C, never baggage."""
    carrier: dict[str, str] = {}
    if trace.get_current_span().get_span_context().is_valid:
        _W3C.inject(carrier)
    return carrier


def carried_environment() -> dict[str, str]:
    """Return the same as environment variables (OpenTelemetry specification, "Environment Variables as Context Propagation Carriers")."""
    return {name.upper(): value for name, value in carried().items()}
