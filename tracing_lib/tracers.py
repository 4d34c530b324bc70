"""The SDK's tracer, with shorter ways for the children of a trace, where the sampler has nothing left to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import Tracer, TracerProvider, _Span
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, get_current_span, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span
    from opentelemetry.util.types import Attributes

_P = ParamSpec("_P")
_R = TypeVar("_R")


_Others = tuple[SpanKind, "Attributes", "Sequence[Link] | None", "int | None"]
"""Kind, attributes, links and start time, in the order in which tracers take them."""


class _Current:
    """A span that is current within a ``with`` block: what ``use_span`` does, without its two generators.

    In a trace that is not sampled the span is the caller's and current already, and neither made, attached nor ended. As a decorator it
    is the SDK's, which begins a span at each call and knows coroutines.
    """

    __slots__ = ("_arguments", "_end", "_record", "_set_status", "_span", "_token", "_tracer")

    def __init__(
        self, tracer: ShortTracer, arguments: tuple[str, Context | None, _Others], *, record: bool, set_status: bool, end: bool
    ) -> None:
        self._tracer = tracer
        self._arguments = arguments
        self._record, self._set_status, self._end = record, set_status, end
        self._token: Token[Context] | None = None

    def __enter__(self) -> Span:
        name, context, others = self._arguments
        # A context that is given need not be the current one, and then has to become it.
        if context is None:
            span: Span = get_current_span()
            if type(span) is NonRecordingSpan and (parent := span.get_span_context()).is_valid and not parent.trace_flags.sampled:
                return span
        self._span = span = self._tracer.start_span(name, context, *others, self._record, self._set_status)
        self._token = attach(set_span_in_context(span))
        return span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._token is None:
            return
        detach(self._token)
        span = self._span
        try:
            if isinstance(error, Exception) and span.is_recording():
                if self._record:
                    span.record_exception(error)
                if self._set_status:
                    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        finally:
            if self._end:
                span.end()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        (name, context, others), sdk = self._arguments, self._tracer.inner
        decorated: Callable[_P, _R] = sdk.start_as_current_span(name, context, *others, self._record, self._set_status, self._end)(function)
        return decorated


class ShortTracer(trace.Tracer):
    """The SDK's tracer where a trace begins; its children go a shorter way to the same spans.

    Only under a parent-based sampler. In a trace that is not sampled no span is made: the caller's is given again, as by the API's
    ``NoOpTracer``. The specification has a span id of its own even there (trace SDK, "SDK Span creation"), for logs to point at; as
    nothing is stored that it could point to, that is not worth the time. In a sampled one the SDK's span is made at once, without
    asking the sampler for what is known.
    """

    def __init__(self, inner: Tracer) -> None:
        self.inner = inner
        self._new_id = inner.id_generator.generate_span_id

    def start_span(  # noqa: PLR0917  the interface's
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002
    ) -> Span:
        """Start a span, as ``opentelemetry.trace.Tracer`` has it."""
        inner, current = self.inner, get_current_span(context)
        parent = current.get_span_context()
        if not parent.is_valid:
            return inner.start_span(name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception)
        if not parent.trace_flags.sampled:
            return current if type(current) is NonRecordingSpan else NonRecordingSpan(parent)
        span = _Span(
            name=name,
            context=SpanContext(parent.trace_id, self._new_id(), False, parent.trace_flags, parent.trace_state),  # noqa: FBT003
            parent=parent,
            sampler=inner.sampler,
            resource=inner.resource,
            attributes=attributes,
            span_processor=inner.span_processor,
            kind=kind,
            links=links or (),
            instrumentation_info=inner.instrumentation_info,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
            limits=inner._span_limits,  # noqa: SLF001  what the SDK's own start_span gives
            instrumentation_scope=inner._instrumentation_scope,  # noqa: SLF001
        )
        span.start(start_time, context)
        return span

    def start_as_current_span(  # type: ignore[override]  # noqa: PLR0917  the interface's; the SDK's class is a private one
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002
        end_on_exit: bool = True,  # noqa: FBT001, FBT002
    ) -> _Current:
        """Start a span and make it current, as ``opentelemetry.trace.Tracer`` has it; also a decorator."""
        arguments = (name, context, (kind, attributes, links, start_time))
        return _Current(self, arguments, record=record_exception, set_status=set_status_on_exception, end=end_on_exit)


class ShortTracerProvider(TracerProvider):
    """The SDK's provider, giving tracers with the short ways. Its sampler must be parent-based."""

    def get_tracer(self, *positional: Any, **named: Any) -> trace.Tracer:  # noqa: ANN401  the interface's
        """Return a tracer, as ``opentelemetry.trace.TracerProvider`` has it."""
        tracer = super().get_tracer(*positional, **named)
        # Not where OTEL_SDK_DISABLED made it another, and not where the SDK counts its spans for metrics of its own.
        counts = type(getattr(tracer, "_tracer_metrics", None)).__name__ == "TracerMetrics"
        return ShortTracer(tracer) if isinstance(tracer, Tracer) and not counts else tracer
