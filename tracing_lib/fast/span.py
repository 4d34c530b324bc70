"""``FastSpan``: the SDK's span, recorded at less cost.

The SDK makes for every span a lock, a bounded mapping with a lock of its own and two bounded lists with theirs, checks each attribute in
three functions, and copies the whole into a second object at the end. Most spans have a few attributes that are texts and numbers, and
neither events nor links with attributes. Those are kept in a plain dictionary; the SDK's own code does all the rest.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Self, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import _Span
from opentelemetry.trace import Link, SpanContext, Status

from tracing_lib.fast._native import Origin, SpanCore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.trace import Event, ReadableSpan, Tracer
    from opentelemetry.util.types import AnyValue, Attributes

    from tracing_lib.fast._native import Ids, Pipeline

_UNLIMITED: Final = sys.maxsize
_logger: Final = logging.getLogger("opentelemetry.sdk.trace")
"""The SDK's own logger, which has the same message."""


class _WhenAsked:
    """An attribute that few spans need: made when it is first asked for, once, whichever thread asks."""

    def __init__(self, make: Callable[[Any], object]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, span: Any, owner: type) -> Any:  # noqa: ANN401  of many types
        return self if span is None else span.__dict__.setdefault(self._name, self._make(span))


def span_context(ids: Ids) -> SpanContext:
    """Return ids as a ``SpanContext``, without its constructor, which checks what is known here."""
    return ids if isinstance(ids, SpanContext) else tuple.__new__(SpanContext, ids)


def origin_of(tracer: Tracer, pipeline: Pipeline) -> Origin:
    """Return what the spans of one of the SDK's tracers have in common."""
    limits = tracer._span_limits
    room = _UNLIMITED if limits.max_span_attributes is None else limits.max_span_attributes
    return Origin(tracer, pipeline, room if limits.max_span_attribute_length is None else 0)


class FastSpan(SpanCore, _Span):
    """A span of ``FastTracer``, which makes it without calling a constructor. Everything that is not here is inherited.

    An ended span is given to the processors itself and not as a copy: whatever could still change it checks first whether it has ended.
    """

    _unset = Status()
    """The status of a span that was given none."""
    _trace_config = None
    _record_exception = True
    _set_status_on_exception = True
    _record_end_metrics = None
    _parent = _WhenAsked(lambda span: None if span._above is None else span_context(span._above))
    _lock = _WhenAsked(lambda _span: threading.Lock())
    _events = _WhenAsked(lambda span: span._first_events())
    _links = _WhenAsked(lambda span: span._first_links([Link(context) for context in span._plain_links]))
    _sampler = property(lambda self: self._origin.tracer.sampler)
    _resource = property(lambda self: self._origin.tracer.resource)
    _limits = property(lambda self: self._origin.tracer._span_limits)
    _instrumentation_info = property(lambda self: self._origin.tracer.instrumentation_info)
    _instrumentation_scope = property(lambda self: self._origin.tracer._instrumentation_scope)
    _span_processor = property(lambda self: self._origin.pipeline.processor)

    @property
    def events(self) -> Sequence[Event]:
        """The events, without making a list for a span that has none."""
        return super().events if self._eventful else ()

    @property
    def dropped_events(self) -> int:
        """Events beyond the limit."""
        return super().dropped_events if self._eventful else 0

    @property
    def links(self) -> Sequence[Link]:
        """The links, without making a list for a span that has none."""
        return super().links if self._linked or self._plain_links else ()

    @property
    def dropped_links(self) -> int:
        """Links beyond the limit."""
        return super().dropped_links if self._linked else 0

    def update_name(self, name: str) -> None:
        """Give the span another name, as ``opentelemetry.trace.Span`` has it."""
        if self._end_time is None:
            self._name = name
        else:
            super().update_name(name)

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link, as ``opentelemetry.trace.Span`` has it."""
        plain = not attributes and type(context) is SpanContext and context.is_valid
        most = self._limits.max_links
        if not plain or not self._add_plain_link(context, _UNLIMITED if most is None else most):
            super().add_link(context, attributes)

    def __copy__(self) -> Self:
        copied: Self = self._copied()
        copied.__dict__.update(self.__dict__)
        return copied

    def _first_events(self) -> object:
        self._eventful = True
        events: object = self._new_events()  # type: ignore[no-untyped-call]  # the SDK's
        return events

    def _first_links(self, links: Sequence[Link]) -> object:
        self._linked = True
        return self._new_links(links)

    def _set_attribute(self, key: str, value: AnyValue) -> None:
        self._bound()
        _Span.set_attribute(self, key, value)

    def _set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        self._bound()
        _Span.set_attributes(self, attributes)

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
        return cast("ReadableSpan", self)
