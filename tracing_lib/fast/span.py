"""The SDK's span, recorded in a shorter way.

The SDK makes for every span a lock, a bounded mapping with a lock of its own and two bounded lists with theirs, looks at each attribute in
three functions, and copies the whole into a second object at the end. Most spans have a few attributes that are texts and numbers, and
neither events nor links. Those are kept in a plain dictionary; whatever is not plain is the SDK's own code, from then on.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import _Span
from opentelemetry.trace import SpanContext, Status

from tracing_lib.fast.native import Recording, SpanCore, StageCore
from tracing_lib.propagation.current import SPANS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.trace import Event, ReadableSpan, Tracer
    from opentelemetry.trace import Link, TraceFlags, TraceState
    from opentelemetry.util.types import AnyValue

Ids: TypeAlias = "tuple[int, int, bool, TraceFlags, TraceState, bool]"
"""What identifies a span, in the order of ``SpanContext``, which is such a tuple: trace, span, whether it is remote, flags, state, whether
it is valid."""

_UNSET: Final = Status()
_MOST: Final = sys.maxsize
_logger: Final = logging.getLogger("opentelemetry.sdk.trace")
"""The SDK's own, which says this too."""


class _WhenAsked:
    """Something that few spans need: made when it is first asked for, once, whichever thread asks."""

    def __init__(self, make: Callable[[Any], object]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, span: Any, owner: type) -> Any:  # noqa: ANN401  of many types
        return self if span is None else span.__dict__.setdefault(self._name, self._make(span))


def context_of(ids: Ids) -> SpanContext:
    """Return ids as OpenTelemetry has them, without its constructor, which looks at what is known here."""
    return ids if type(ids) is SpanContext else tuple.__new__(SpanContext, ids)


def recording_of(inner: Tracer) -> Recording:
    """Return what the spans of a tracer have in common."""
    made, limits = Recording(), inner._span_limits
    processor: Any = inner.span_processor
    made.inner, made.processor = inner, processor
    made.stages = isinstance(processor, StageCore)
    made.started = processor.queue.start if made.stages else None
    made.room = _MOST if limits.max_span_attributes is None else limits.max_span_attributes
    if limits.max_span_attribute_length is not None:
        made.room = 0
    return made


class RecordedSpan(SpanCore, _Span):
    """A span of ``ShortTracer``, which makes it without calling a constructor. Everything that is not here is inherited.

    When it ended it is given to the processors itself: what could still change it looks at the end first.
    """

    _unset = _UNSET
    """The status of a span that was given none."""
    _trace_config = None
    _record_exception = True
    _set_status_on_exception = True
    _record_end_metrics = None
    _context = _WhenAsked(lambda span: context_of(span.ids))
    _parent = _WhenAsked(lambda span: None if span._above is None else context_of(span._above))
    _lock = _WhenAsked(lambda _span: threading.Lock())
    _events = _WhenAsked(lambda span: span._eventful_now())
    _links = _WhenAsked(lambda span: span._linked_now([make() for make in span._later]))
    _sampler = property(lambda self: self._recording.inner.sampler)
    _resource = property(lambda self: self._recording.inner.resource)
    _limits = property(lambda self: self._recording.inner._span_limits)
    _instrumentation_info = property(lambda self: self._recording.inner.instrumentation_info)
    _instrumentation_scope = property(lambda self: self._recording.inner._instrumentation_scope)
    _span_processor = property(lambda self: self._recording.processor)

    def get_span_context(self) -> SpanContext:
        """Return the ids of the span."""
        return cast("SpanContext", self._context)

    def _set_attribute(self, key: str, value: AnyValue) -> None:
        self._bound()
        _Span.set_attribute(self, key, value)

    def _set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        self._bound()
        _Span.set_attributes(self, attributes)

    def update_name(self, name: str) -> None:
        """Give the span another name, as ``opentelemetry.trace.Span`` has it."""
        if self._end_time is None:
            self._name = name
        else:
            super().update_name(name)

    def add_link_later(self, make: Callable[[], Link]) -> None:
        """Add a link that is made when the span is read: by who encodes it, and not by who records it. ``make`` must not raise."""
        if self._end_time is None and not self._linked:
            self._later = (*self._later, make)
        else:
            link = make()
            self.add_link(link.context, link.attributes)

    def _eventful_now(self) -> object:
        self._eventful = True
        events: object = self._new_events()  # type: ignore[no-untyped-call]  # the SDK's
        return events

    def _linked_now(self, links: Sequence[Link]) -> object:
        self._linked = True
        return self._new_links(links)

    def _bound(self) -> None:
        """Have the SDK's mapping keep the attributes from now on."""
        held = self._attributes
        if type(held) is dict:
            limits = self._limits
            kept = BoundedAttributes(limits.max_span_attributes, None, immutable=False, max_value_len=limits.max_span_attribute_length)
            # The same dictionary: another thread may be about to set something in it.
            kept._dict = held
            self._attributes = kept

    def _ended_twice(self) -> None:
        _logger.warning("Calling end() on an ended span.")

    def _freeze(self) -> None:
        self._attributes._immutable = True

    def _readable_span(self) -> ReadableSpan:
        return self


SPANS.add(RecordedSpan)


def events_of(span: ReadableSpan) -> Sequence[Event]:
    """Return a span's events without making a list for one that has none."""
    if type(span) is RecordedSpan and not span._eventful:
        return ()
    return span._events


def links_of(span: ReadableSpan) -> Sequence[Link]:
    """Return a span's links without making a list for one that has none."""
    if type(span) is RecordedSpan and not span._later and not span._linked:
        return ()
    return span._links


def all_links_of(span: RecordedSpan) -> tuple[Sequence[Link], int]:
    """Return a span's links and how many were dropped, without keeping in it those that nobody has asked for and that all have room."""
    most = span._limits.max_links
    if not span._linked and (most is None or len(span._later) <= most):
        return [make() for make in span._later], 0
    return span.links, span.dropped_links


def attributes_of(span: ReadableSpan) -> dict[str, AnyValue]:
    """Return a span's attributes as a plain dictionary of its own: whoever ended the span may have a thread that sets one more."""
    held = span._attributes
    return held.copy() if type(held) is dict else dict(held or {})
