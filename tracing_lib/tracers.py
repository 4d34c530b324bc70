"""The SDK's tracer with a shorter way to its spans."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    DEFAULT_TRACE_STATE,
    INVALID_SPAN_CONTEXT,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from tracing_lib.current import SPAN_KEY, attach, get_current, with_span
from tracing_lib.identifiers import ContextIdGenerator
from tracing_lib.link_sampling import FollowsLinks
from tracing_lib.plain import PlainAttributes, all_plain
from tracing_lib.spans import RecordedSpan, Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span
    from opentelemetry.util.types import Attributes

_P = ParamSpec("_P")
_R = TypeVar("_R")


_new: Final = object.__new__
_made: Final = tuple.__new__
_FLAGS: Final = tuple(TraceFlags(flags) for flags in range(4))

_Others = tuple[SpanKind, "Attributes", "Sequence[Link] | None", "int | None"]
"""Kind, attributes, links and start time, in the order in which tracers take them."""


class _Current:
    """A span that is current within a ``with`` block: what ``use_span`` does, without its two generators.

    In a trace that is not sampled the span is the caller's and current already, and neither made, attached nor ended. As a decorator it
    is the SDK's, which begins a span at each call and knows coroutines.
    """

    __slots__ = ("_arguments", "_before", "_end", "_record", "_set_status", "_span", "_tracer")

    def __init__(
        self, tracer: ShortTracer, arguments: tuple[str, Context | None, _Others], *, record: bool, set_status: bool, end: bool
    ) -> None:
        self._tracer = tracer
        self._arguments = arguments
        self._record, self._set_status, self._end = record, set_status, end
        self._before: Context | None = None

    def __enter__(self) -> Span:
        name, context, others = self._arguments
        before = get_current()
        # A context that is given need not be the current one, and then has to become it.
        if context is None:
            context = before
            span = before.get(SPAN_KEY)
            if span.__class__ is NonRecordingSpan and span._context[5] and not span._context[3] & 1:
                return span
        self._span = span = self._tracer.start_span(name, context, *others, self._record, self._set_status)
        attach(with_span(span, before))
        self._before = before
        return span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        before = self._before
        if before is None:
            return
        attach(before)
        span = self._span
        try:
            if isinstance(error, Exception):
                self._failed(span, error)
        finally:
            if self._end:
                span.end()

    def _failed(self, span: Span, error: Exception) -> None:
        if span.is_recording():
            if self._record:
                span.record_exception(error)
            if self._set_status:
                span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        (name, context, others), sdk = self._arguments, self._tracer.inner
        decorated: Callable[_P, _R] = sdk.start_as_current_span(name, context, *others, self._record, self._set_status, self._end)(function)
        return decorated


class ShortTracer(trace.Tracer):
    """The SDK's tracer by a shorter way to the same spans: ``RecordedSpan``, and for children without asking the sampler.

    Only under a parent-based sampler. In a trace that is not sampled no span is made: the caller's is given again, as by the API's
    ``NoOpTracer``. The specification has a span id of its own even there (trace SDK, "SDK Span creation"), for logs to point at; as
    nothing is stored that it could point to, that is not worth the time.
    """

    def __init__(self, inner: Tracer) -> None:
        self.inner = inner
        self._recording = Recording(inner)
        generator = inner.id_generator
        self._new_id = generator.generate_child_id if isinstance(generator, ContextIdGenerator) else generator.generate_span_id
        sampler = inner.sampler
        # What asks nothing but name and id where a trace begins without links, and so makes no result object.
        self._decide = getattr(sampler.root if isinstance(sampler, FollowsLinks) else sampler, "decide", None)
        self._new_ids = generator.generate_root_ids if isinstance(generator, ContextIdGenerator) else None
        self._random = TraceFlags.RANDOM_TRACE_ID if generator.is_trace_id_random() else TraceFlags.DEFAULT

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
        current: Any = (get_current() if context is None else context).get(SPAN_KEY)
        if current.__class__ is RecordedSpan:
            parent = current._context
        else:
            parent = current.get_span_context() if isinstance(current, trace.Span) else None
            # A span's context is a tuple: ids, whether it is remote, flags, state, whether it is valid. Its properties cost a call each.
            if parent is None or not parent[5]:
                parent = None
            elif not parent[3] & 1 and current.__class__ is NonRecordingSpan:
                return current
        span = self.begin(name, parent, kind, attributes, links, start_time, context)
        if span.__class__ is RecordedSpan and not (record_exception and set_status_on_exception):
            span._record_exception, span._set_status_on_exception = record_exception, set_status_on_exception
        return span

    def begin(  # noqa: PLR0917  as above
        self,
        name: str,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        context: Context | None = None,
    ) -> Span:
        """Start a span under another, or a trace; ``parent`` is valid."""
        if parent is None:
            ids, attributes = self._root(name, context, kind, attributes, links)
            if not ids[3] & 1:
                return NonRecordingSpan(ids)
        elif parent[3] & 1:
            ids = _made(SpanContext, (parent[0], self._new_id(), False, parent[3], parent[4], True))
        else:
            return NonRecordingSpan(parent)
        recording = self._recording
        span = _new(RecordedSpan)
        span._recording = recording
        span._name, span._context, span._parent, span._kind, span._open = name, ids, parent, kind, True
        if not attributes:
            span._attributes = {}
        elif len(attributes) <= recording.room and (attributes.__class__ is PlainAttributes or all_plain(attributes)):
            # A dictionary that was made for the root is its own.
            span._attributes = attributes if parent is None and attributes.__class__ is dict else {**attributes}
        else:
            span._attributes = {}
            span.set_attributes(attributes)
        if links:
            span._links = span._new_links(links)
        span._start_time = time_ns() if start_time is None else start_time
        processor = recording.processor
        if recording.counts and not processor._span_processors:
            processor.queue.start()
        else:
            processor.on_start(span, context)
        return span

    def _root(
        self, name: str, context: Context | None, kind: SpanKind, attributes: Attributes, links: Sequence[Link] | None
    ) -> tuple[SpanContext, Attributes]:
        """Return the ids of a trace's first span, sampled or not, and its attributes with those of the sampler."""
        inner = self.inner
        if not inner._tracer_config.is_enabled:
            return INVALID_SPAN_CONTEXT, None
        generator = inner.id_generator
        if self._decide is not None and self._new_ids is not None and not links:
            trace_id, span_id = self._new_ids()
            sampled, marks, state = self._decide(trace_id, name)
            flags = _FLAGS[sampled | self._random]
            made = _made(SpanContext, (trace_id, span_id, False, flags, state if sampled and state else DEFAULT_TRACE_STATE, True))
            return made, {**attributes, **marks} if attributes else {**marks}
        trace_id = generator.generate_trace_id()
        found = inner.sampler.should_sample(context, trace_id, name, kind, attributes, links or ())
        flags = _FLAGS[(found.decision is Decision.RECORD_AND_SAMPLE) | self._random]
        return SpanContext(trace_id, generator.generate_span_id(), False, flags, found.trace_state), found.attributes  # noqa: FBT003

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
