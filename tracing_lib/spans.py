"""The SDK's span, recorded in a shorter way.

The SDK makes for every span a lock, a bounded mapping with a lock of its own and two bounded lists with theirs, looks at each attribute in
three functions, and copies the whole into a second object at the end. Most spans have a few attributes that are texts and numbers, and
neither events nor links. Those are kept in a plain dictionary; whatever is not plain is the SDK's own code, from then on.
"""

from __future__ import annotations

import logging
import sys
import threading
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import _Span
from opentelemetry.trace import Status

from tracing_lib.current import SPANS
from tracing_lib.plain import PLAIN, all_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.trace import Event, ReadableSpan, Tracer
    from opentelemetry.trace import Link, SpanContext
    from opentelemetry.util.types import AnyValue

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


class Recording:
    """What the spans of one tracer have in common."""

    __slots__ = ("counts", "inner", "processor", "room")

    def __init__(self, inner: Tracer) -> None:
        limits = inner._span_limits
        self.inner = inner
        self.processor: Any = inner.span_processor
        self.counts = hasattr(self.processor, "queue")
        """Whether all that the processor does when a span starts is to count it."""
        self.room: int = _MOST if limits.max_span_attributes is None else limits.max_span_attributes
        """Attributes that a span may have, and none are plain where their length is limited."""
        if limits.max_span_attribute_length is not None:
            self.room = 0


class RecordedSpan(_Span):
    """A span of ``ShortTracer``, which makes it without calling a constructor. Everything that is not here is inherited.

    When it ended it is given to the processors itself: what could still change it looks at the end first.
    """

    _open: bool
    _recording: Recording
    _attributes: Any
    _end_time: int | None = None
    _status = _UNSET
    _trace_config = None
    _record_exception = True
    _set_status_on_exception = True
    _record_end_metrics = None
    _lock = _WhenAsked(lambda _span: threading.Lock())
    _events = _WhenAsked(lambda span: span._new_events())
    _links = _WhenAsked(lambda span: span._new_links([make() for make in span._later]))
    _later: tuple[Callable[[], Link], ...] = ()
    _sampler = property(lambda self: self._recording.inner.sampler)
    _resource = property(lambda self: self._recording.inner.resource)
    _limits = property(lambda self: self._recording.inner._span_limits)
    _instrumentation_info = property(lambda self: self._recording.inner.instrumentation_info)
    _instrumentation_scope = property(lambda self: self._recording.inner._instrumentation_scope)
    _span_processor = property(lambda self: self._recording.processor)

    def get_span_context(self) -> SpanContext:
        """Return the ids of the span."""
        return self._context  # type: ignore[return-value]  # never without

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set an attribute, as ``opentelemetry.trace.Span`` has it."""
        held = self._attributes
        plain = value.__class__ in PLAIN and key.__class__ is str and key and held.__class__ is dict
        if plain and self._end_time is None and len(held) < self._recording.room:
            # Last, as in the SDK, where what is set again moves to the end.
            held.pop(key, None)
            held[key] = value
        else:
            self._bound()
            super().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set several attributes, as ``opentelemetry.trace.Span`` has it."""
        if all_plain(attributes):
            for key, value in attributes.items():
                self.set_attribute(key, value)
        else:
            self._bound()
            super().set_attributes(attributes)

    def update_name(self, name: str) -> None:
        """Give the span another name, as ``opentelemetry.trace.Span`` has it."""
        if self._end_time is None:
            self._name = name
        else:
            super().update_name(name)

    def add_link_later(self, make: Callable[[], Link]) -> None:
        """Add a link that is made when the span is read: by who encodes it, and not by who records it. ``make`` must not raise."""
        if self._end_time is None and "_links" not in self.__dict__:
            self._later = (*self._later, make)
        else:
            link = make()
            self.add_link(link.context, link.attributes)

    def _bound(self) -> None:
        """Have the SDK's mapping keep the attributes from now on."""
        held = self._attributes
        if held.__class__ is dict:
            limits = self._limits
            kept = BoundedAttributes(limits.max_span_attributes, None, immutable=False, max_value_len=limits.max_span_attribute_length)
            # The same dictionary: another thread may be about to set something in it.
            kept._dict = held
            self._attributes = kept

    def end(self, end_time: int | None = None) -> None:
        """End the span and give it to the processors, as ``opentelemetry.trace.Span`` has it."""
        try:
            del self._open  # of several threads one succeeds
        except AttributeError:
            _logger.warning("Calling end() on an ended span.")
            return
        self._end_time = time_ns() if end_time is None else end_time
        if self._attributes.__class__ is not dict:
            self._attributes._immutable = True
        processor = self._recording.processor
        if processor._span_processors:
            processor._on_ending(self)
        processor.on_end(self)

    def _readable_span(self) -> ReadableSpan:
        return self


SPANS.add(RecordedSpan)


def events_of(span: ReadableSpan) -> Sequence[Event]:
    """Return a span's events without making a list for one that has none."""
    if span.__class__ is RecordedSpan and "_events" not in span.__dict__:
        return ()
    return span._events


def links_of(span: ReadableSpan) -> Sequence[Link]:
    """Return a span's links without making a list for one that has none."""
    if span.__class__ is RecordedSpan and not span._later and "_links" not in span.__dict__:
        return ()
    return span._links


def attributes_of(span: ReadableSpan) -> dict[str, AnyValue]:
    """Return a span's attributes as a plain dictionary of its own: whoever ended the span may have a thread that sets one more."""
    held = span._attributes
    return held.copy() if held.__class__ is dict else dict(held or {})
