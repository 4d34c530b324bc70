"""``FastTracer`` and its provider: the SDK's, with spans that are recorded at less cost."""

from __future__ import annotations

from copy import copy
from random import getrandbits
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.baggage import _BAGGAGE_KEY
from opentelemetry.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    DEFAULT_TRACE_STATE,
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)
from opentelemetry.trace.propagation import _SPAN_KEY

from tracing_lib.export.processor import ExportProcessor
from tracing_lib.fast._native import Pipeline, TracerCore, record, root, set_up, with_span
from tracing_lib.fast.span import FastSpan, origin_of, span_context
from tracing_lib.propagation import headers
from tracing_lib.propagation.baggage import OwnPropagator, OwnTraceContextPropagator
from tracing_lib.propagation.ids import ContextIdGenerator, ids_are_fixed
from tracing_lib.sampling.links import FollowsLinks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, TraceState
    from opentelemetry.util.types import AnyValue, Attributes

    from tracing_lib.fast._native import Ids

_P = ParamSpec("_P")
_R = TypeVar("_R")

_W3C: Final = OwnTraceContextPropagator()
_ANY_PARENT: Final = f"00-{1:032x}-{1:016x}-00"
_MOST_STATES: Final = 256
"""Trace states that are kept parsed. Services that sample by the same strategy send the same few."""
_states: Final[dict[str | bytes, TraceState]] = {}
_runtime: Final = contexts._RUNTIME_CONTEXT
_variable: Final = _runtime._current_context if type(_runtime) is ContextVarsRuntimeContext else None
"""Holds the current context; None where OpenTelemetry keeps it in another way (``OTEL_PYTHON_CONTEXT``)."""
_get_current: Final = contexts.get_current if _variable is None else _variable.get

set_up(
    _variable,
    Context,
    _SPAN_KEY,
    _BAGGAGE_KEY,
    SpanContext,
    NonRecordingSpan,
    FastSpan,
    propagate.get_global_textmap,
    OwnPropagator,
    getrandbits,
    SpanKind.SERVER,
    tuple(TraceFlags(flags) for flags in range(4)),
    DEFAULT_TRACE_STATE,
    _states,
)

_Arguments = tuple[SpanKind, "Attributes", "Sequence[Link] | None", "int | None"]
"""Kind, attributes, links and start time, in the order in which tracers take them."""


def _learn(pairs: Iterable[tuple[Any, Any]]) -> None:
    """Remember what the stock propagator makes of the trace state among headers, so that it is plain the next time."""
    for name, value in pairs:
        if name in ("tracestate", b"tracestate") and value not in _states:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if text.isascii():
                found = trace.get_current_span(_W3C.extract({"traceparent": _ANY_PARENT, "tracestate": text}, Context()))
                if len(_states) >= _MOST_STATES:  # anybody may send any
                    _states.clear()
                _states[text] = _states[text.encode()] = found.get_span_context().trace_state


class _CurrentSpan:
    """A span that is current within a ``with`` block, as ``opentelemetry.trace.use_span`` has it, without its two generators.

    In a trace that is not sampled the span is the caller's and current already, and neither made, attached nor ended. As a decorator it
    is the SDK's, which begins a span at each call and knows coroutines.
    """

    __slots__ = ("_arguments", "_before", "_end", "_record", "_set_status", "_span", "_tracer")

    def __init__(
        self, tracer: FastTracer, arguments: tuple[str, Context | None, _Arguments], *, record: bool, set_status: bool, end: bool
    ) -> None:
        self._tracer = tracer
        self._arguments = arguments
        self._record, self._set_status, self._end = record, set_status, end
        self._before: Token[Context] | None = None

    def __enter__(self) -> Span:
        name, context, others = self._arguments
        before = _get_current()
        # A context that is given need not be the current one, and then has to become it.
        if context is None:
            context = before
            span = before.get(_SPAN_KEY)
            if type(span) is NonRecordingSpan and not_sampled(span):
                return span
            kind, attributes, links, start_time = others
            if type(span) is FastSpan and not links and start_time is None and self._record and self._set_status:
                self._span, self._before = self._tracer.start_child(name, kind, attributes)
                return self._span
        self._span = span = self._tracer.start_span(name, context, *others, self._record, self._set_status)
        self._before = self._tracer.attach(with_span(before, span))
        return span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        before = self._before
        if before is None:
            return
        self._tracer.leave(before)
        span = self._span
        try:
            if kind is not None and issubclass(kind, Exception):
                self._failed(span, cast("Exception", error))
        finally:
            if self._end:
                span.end()

    def _failed(self, span: Span, error: Exception) -> None:
        if span.is_recording():
            try:
                if self._record:
                    span.record_exception(error)
                if self._set_status:
                    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
            except Exception:  # noqa: BLE001  of the exception's own class, which must not take the place of the exception
                span.set_status(Status(StatusCode.ERROR))

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        (name, context, others), sdk = self._arguments, self._tracer.stock
        decorated: Callable[_P, _R] = sdk.start_as_current_span(name, context, *others, self._record, self._set_status, self._end)(function)
        return decorated


def not_sampled(span: NonRecordingSpan) -> bool:
    """Whether a span stands for one of a trace that is not sampled."""
    context = span.get_span_context()
    return context[5] and not context[3] & 1  # is_valid and trace_flags, without a call each


class FastTracer(TracerCore, Tracer):
    """The SDK's tracer with ``FastSpan`` for its spans, and without asking the sampler about children. Only under a parent-based sampler.

    In a trace that is not sampled no span is made: the caller's is given again, as by the API's ``NoOpTracer``. The specification has a
    span id of its own even there (trace SDK, "SDK Span creation"), for logs to point at; as nothing is stored that it could point to,
    that is not worth the time. It offers ``instrument.source.QuickTracer``, whose plain cases ``_native.c`` has.
    """

    def __init__(self, stock: Tracer, pipeline: Pipeline) -> None:
        self.stock = stock
        """The SDK's tracer, which knows sampler, resource, limits and scope."""
        self._origin = origin_of(stock, pipeline)
        generator = stock.id_generator
        self._new_id = generator.child_ids if isinstance(generator, ContextIdGenerator) else generator.generate_span_id
        self._plain_ids = self._new_id is None
        sampler = stock.sampler.root if isinstance(stock.sampler, FollowsLinks) else stock.sampler
        self._decide = getattr(sampler, "decision", None) if self._plain_ids else None
        random = TraceFlags.RANDOM_TRACE_ID if generator.is_trace_id_random() else TraceFlags.DEFAULT
        self._otherwise = TraceFlags(random), TraceFlags(random | TraceFlags.SAMPLED), DEFAULT_TRACE_STATE

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  of many types
        # What the SDK's tracer holds, as it is now: a fork changes the resource.
        return getattr(self.__dict__["stock"], name)

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
        current: Any = (_get_current() if context is None else context).get(_SPAN_KEY)
        parent: Ids | None = None
        if type(current) is FastSpan:
            parent = current.ids
        elif isinstance(current, trace.Span):
            parent = current.get_span_context()
            if not parent.is_valid:
                parent = None
            elif type(current) is NonRecordingSpan and not_sampled(current):
                return current
        found = self._made(name, parent, kind, attributes, links, context)
        if isinstance(found, tuple):
            return NonRecordingSpan(span_context(found))
        if links:
            found._links = found._first_links(links)
        if start_time is not None:
            found._start_time = start_time
        if not (record_exception and set_status_on_exception):
            found._record_exception, found._set_status_on_exception = record_exception, set_status_on_exception
        pipeline = self._origin.pipeline
        if pipeline.direct is not None and pipeline.count_start is not None:
            pipeline.count_start()
        else:
            pipeline.processor.on_start(found, context)
        return found

    def _made(  # noqa: PLR0917  as above
        self,
        name: str,
        parent: Ids | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link] | None,
        context: Context | None,
    ) -> FastSpan | Ids:
        """Return a span, or where its trace is not sampled its ids. ``parent`` is valid."""
        stock = self.stock
        if not stock._tracer_config.is_enabled:
            return INVALID_SPAN_CONTEXT if parent is None else parent
        if parent is not None:
            new_id = self._new_id
            ids = None if new_id is None else (parent[0], new_id(), False, parent[3], parent[4], True)
            return record(self._origin, name, ids, parent, kind, attributes) if parent[3] & 1 else parent
        if self._decide is not None and not links and not ids_are_fixed():
            return root(self._origin, name, kind, attributes, self._decide(name), self._otherwise)
        generator = stock.id_generator
        trace_id, span_id = generator.generate_trace_id(), generator.generate_span_id()
        found = stock.sampler.should_sample(context, trace_id, name, kind, attributes, links or ())
        sampled = found.decision is Decision.RECORD_AND_SAMPLE
        flags = self._otherwise[1] if sampled else self._otherwise[0]
        of_root = SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags, trace_state=found.trace_state)
        return record(self._origin, name, of_root, None, kind, found.attributes) if sampled else of_root

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
    ) -> _CurrentSpan:
        """Start a span and make it current, as ``opentelemetry.trace.Tracer`` has it; also a decorator."""
        arguments = (name, context, (kind, attributes, links, start_time))
        return _CurrentSpan(self, arguments, record=record_exception, set_status=set_status_on_exception, end=end_on_exit)

    # The cases of `QuickTracer` that are not plain.

    def _start_child(self, name: str, kind: SpanKind, attributes: Attributes) -> tuple[Span, Token[Context]]:
        span = self.start_span(name, None, kind, attributes)
        return span, self.attach(with_span(_get_current(), span))

    def _start_server_span(self, name: str, pairs: Iterable[tuple[Any, Any]], attributes: Mapping[str, AnyValue]) -> tuple[Span, Context]:
        _learn(pairs)
        return headers.start_server_span(self, name, pairs, attributes)

    def _inject(self, carrier: dict[str, str], to: str | None) -> None:
        headers.inject(carrier, to)

    def _attach(self, context: Context) -> Token[Context]:
        return contexts.attach(context)

    def _leave(self, token: Token[Context]) -> None:
        contexts.detach(token)


class FastTracerProvider(TracerProvider):
    """The SDK's provider with ``FastTracer`` for its tracers. Its sampler must be parent-based."""

    def __init__(self, *positional: Any, **options: Any) -> None:  # noqa: ANN401  the SDK's
        super().__init__(*positional, **options)
        self._pipeline = Pipeline()
        self._pipeline.processor = self._active_span_processor
        self._alone = isinstance(self._active_span_processor, SynchronousMultiSpanProcessor)
        self._fast: dict[Tracer, FastTracer] = {}

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor, as ``opentelemetry.sdk.trace.TracerProvider`` has it; an export processor alone is reached directly."""
        pipeline = self._pipeline
        super().add_span_processor(span_processor)
        if self._alone and isinstance(span_processor, ExportProcessor):
            pipeline.count_start, pipeline.direct = span_processor.count_start, span_processor
        else:
            pipeline.direct = None
        self._alone = False

    def _handle_fork(self) -> None:
        """Renew what the SDK renews in a child, and leave spans that began before the fork the resource of the parent, as the SDK does."""
        before = {tracer: copy(tracer) for tracer in self._fast}
        super()._handle_fork()
        for tracer, fast in self._fast.items():
            fast._origin.tracer = before[tracer]
            fast._origin = origin_of(tracer, self._pipeline)

    def get_tracer(self, *positional: Any, **named: Any) -> trace.Tracer:  # noqa: ANN401  the interface's
        """Return a tracer, as ``opentelemetry.trace.TracerProvider`` has it."""
        tracer = super().get_tracer(*positional, **named)
        # Not where OTEL_SDK_DISABLED made it another, and not where the SDK counts its spans for metrics of its own.
        counts = type(getattr(tracer, "_tracer_metrics", None)).__name__ == "TracerMetrics"
        if counts or not isinstance(tracer, Tracer):
            return tracer
        return self._fast.get(tracer) or self._fast.setdefault(tracer, FastTracer(tracer, self._pipeline))
