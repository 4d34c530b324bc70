"""The SDK's tracer with a shorter way to its spans."""

from __future__ import annotations

import functools
from random import getrandbits
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    DEFAULT_TRACE_STATE,
    INVALID_SPAN,
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from tracing_lib.fast.native import TracerCore, record, root
from tracing_lib.fast.span import RecordedSpan, context_of, recording_of
from tracing_lib.propagation.current import SPAN_KEY, attach, get_current, with_span
from tracing_lib.propagation.ids import ContextIdGenerator
from tracing_lib.sampling.links import FollowsLinks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AnyValue, Attributes

    from tracing_lib.fast.span import Ids

_P = ParamSpec("_P")
_R = TypeVar("_R")


_NO_MARKS: Final[dict[str, AnyValue]] = {}

_Others = tuple[SpanKind, "Attributes", "Sequence[Link] | None", "int | None"]
"""Kind, attributes, links and start time, in the order in which tracers take them."""


def _link(to: Ids) -> Link:
    return Link(context_of(to))


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
            if type(span) is NonRecordingSpan and span._context[5] and not span._context[3] & 1:
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


class ShortTracer(TracerCore, trace.Tracer):
    """The SDK's tracer by a shorter way to the same spans: ``RecordedSpan``, and for children without asking the sampler.

    Only under a parent-based sampler. In a trace that is not sampled no span is made: the caller's is given again, as by the API's
    ``NoOpTracer``. The specification has a span id of its own even there (trace SDK, "SDK Span creation"), for logs to point at; as
    nothing is stored that it could point to, that is not worth the time.
    """

    def __init__(self, inner: Tracer) -> None:
        self.inner = inner
        self._recording = recording_of(inner)
        generator = inner.id_generator
        self._new_id = generator.child_ids if isinstance(generator, ContextIdGenerator) else generator.generate_span_id
        sampler = inner.sampler.root if isinstance(inner.sampler, FollowsLinks) else inner.sampler
        asks = getattr(sampler, "decision", None)
        self.decide = asks if self._new_id is None else None
        self.leases = getattr(sampler, "leases", None)
        random = TraceFlags.RANDOM_TRACE_ID if generator.is_trace_id_random() else TraceFlags.DEFAULT
        self.quick = self._recording if self._recording.stages and self._new_id is None else None
        self.otherwise = TraceFlags(random), TraceFlags(random | TraceFlags.SAMPLED), DEFAULT_TRACE_STATE

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
        if type(current) is RecordedSpan:
            parent: Any = current.ids
        else:
            parent = current.get_span_context() if isinstance(current, trace.Span) else None
            # A span's context is a tuple: ids, whether it is remote, flags, state, whether it is valid. Its properties cost a call each.
            if parent is None or not parent[5]:
                parent = None
            elif not parent[3] & 1 and type(current) is NonRecordingSpan:
                return current
        span = self.begin(name, parent, kind, attributes, links, start_time, context)
        if not (record_exception and set_status_on_exception) and type(span) is RecordedSpan:
            span._record_exception, span._set_status_on_exception = record_exception, set_status_on_exception
        return span

    def begin(  # noqa: PLR0917  as above
        self,
        name: str,
        parent: Ids | None,
        kind: SpanKind,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        context: Context | None = None,
        wanted: SpanContext | None = None,
    ) -> Span:
        """Start a span under another, or a trace, with ids of its own or those that are ``wanted``; ``parent`` is valid."""
        recording = self._recording
        found: RecordedSpan | Ids
        if parent is not None:
            new_id = self._new_id
            ids = getrandbits if new_id is None else (parent[0], new_id(), False, parent[3], parent[4], True)
            found = record(RecordedSpan, recording, name, ids, parent, kind, attributes, _NO_MARKS) if parent[3] & 1 else parent
        elif self.decide is not None and not links and wanted is None and self.inner._tracer_config.is_enabled:
            found = root(RecordedSpan, recording, name, getrandbits, kind, attributes, self.decide(name), self.otherwise)
        else:
            found = self._root(name, context, kind, attributes, links, wanted)
        if isinstance(found, tuple):
            return NonRecordingSpan(context_of(found))
        span = found
        if links:
            span._links = span._linked_now(links)
        if start_time is not None:
            span._start_time = start_time
        if recording.stages and not recording.processor._span_processors:
            recording.started()
        else:
            recording.processor.on_start(span, context)
        return span

    def follow(self, name: str, kind: SpanKind, attributes: Attributes, to: Ids | None, wanted: SpanContext | None = None) -> Span:
        """Start a trace that is linked to a span, and sampled where that is; ``wanted``: the ids that it is to have."""
        plain = self.quick is not None and self.inner._tracer_config.is_enabled and not self.quick.processor._span_processors
        if to is None or not plain or not isinstance(self.inner.sampler, FollowsLinks):
            outside = with_span(INVALID_SPAN, get_current())
            return self.begin(name, None, kind, attributes, [Link(context_of(to))] if to else (), None, outside, wanted)
        trace_id, span_id = (wanted[0], wanted[1]) if wanted else (getrandbits(128) or 1, getrandbits(64) or 1)
        sampled = to[3] & 1
        ids = trace_id, span_id, False, self.otherwise[1] if sampled else self.otherwise[0], DEFAULT_TRACE_STATE, True
        if not sampled:
            return NonRecordingSpan(context_of(ids))
        span = record(RecordedSpan, self._recording, name, ids, None, kind, attributes, _NO_MARKS)
        self._recording.started()
        span.add_link_later(functools.partial(_link, to))
        return span

    def _root(  # noqa: PLR0917  as above
        self,
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link] | None,
        wanted: SpanContext | None,
    ) -> RecordedSpan | Ids:
        """Return a trace's first span, about which the sampler is asked; where it is not sampled its ids."""
        inner = self.inner
        if not inner._tracer_config.is_enabled:
            return INVALID_SPAN_CONTEXT
        generator = inner.id_generator
        trace_id, span_id = (wanted[0], wanted[1]) if wanted else (generator.generate_trace_id(), generator.generate_span_id())
        found = inner.sampler.should_sample(context, trace_id, name, kind, attributes, links or ())
        sampled = found.decision is Decision.RECORD_AND_SAMPLE
        ids = SpanContext(trace_id, span_id, False, self.otherwise[1] if sampled else self.otherwise[0], found.trace_state)  # noqa: FBT003
        return record(RecordedSpan, self._recording, name, ids, None, kind, found.attributes, _NO_MARKS) if sampled else ids

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
