"""The SDK's tracer, with a shorter way for what is not sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, get_current_span

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _unsampled(context: Context | None) -> NonRecordingSpan | None:
    """Return the span in a context where its trace is not sampled; None where a span may have to be recorded."""
    span = get_current_span(context)
    if type(span) is NonRecordingSpan:
        parent = span.get_span_context()
        if parent.is_valid and not parent.trace_flags.sampled:
            return span
    return None


class _Unsampled:
    """What ``with`` gets in place of a span in a trace that is not sampled: the one that is current already, with nothing to end.

    As a decorator it decides at each call, as the SDK's does.
    """

    __slots__ = ("_arguments", "_span", "_tracer")

    def __init__(self, span: Span, tracer: trace.Tracer, arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        self._span = span
        self._tracer = tracer
        self._arguments = arguments

    def __enter__(self) -> Span:
        return self._span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        pass

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        positional, named = self._arguments
        decorated: Callable[_P, _R] = self._tracer.start_as_current_span(*positional, **named)(function)
        return decorated


class ShortTracer(trace.Tracer):
    """A tracer that makes no new span in a trace that is not sampled: its spans are the caller's, as from the API's ``NoOpTracer``.

    Only under a parent-based sampler, which such a trace stays unsampled under. The specification has a span id of its own even there
    (trace SDK, "SDK Span creation"), for logs to point at; as nothing is stored that it could point to, that is not worth the time.
    """

    def __init__(self, inner: trace.Tracer) -> None:
        self._inner = inner
        self._start_span = inner.start_span
        self._start_as_current_span = inner.start_as_current_span

    def start_span(self, name: str, context: Context | None = None, *positional: Any, **named: Any) -> Span:  # noqa: ANN401
        """Start a span, as ``opentelemetry.trace.Tracer`` has it."""
        return _unsampled(context) or self._start_span(name, context, *positional, **named)

    def start_as_current_span(self, name: str, context: Context | None = None, *positional: Any, **named: Any) -> Any:  # noqa: ANN401
        """Start a span and make it current, as ``opentelemetry.trace.Tracer`` has it; also a decorator."""
        # A context that is given need not be the current one, and then has to become it.
        if context is None and (span := _unsampled(None)) is not None:
            return _Unsampled(span, self._inner, ((name, context, *positional), named))
        return self._start_as_current_span(name, context, *positional, **named)


class ShortTracerProvider(TracerProvider):
    """The SDK's provider, giving tracers with the short way. Its sampler must be parent-based."""

    def get_tracer(self, *positional: Any, **named: Any) -> trace.Tracer:  # noqa: ANN401  the interface's
        """Return a tracer, as ``opentelemetry.trace.TracerProvider`` has it."""
        return ShortTracer(super().get_tracer(*positional, **named))
