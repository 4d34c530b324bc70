"""A stored trace, and its parser for the JSON of OTLP, in the forms of Jaeger and of Tempo."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

AttributeValue = str | int | float | bool | bytes | None | tuple["AttributeValue", ...] | dict[str, "AttributeValue"]
"""Value of an attribute (OTLP ``AnyValue``)."""

_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATUSES: Final = ("unset", "ok", "error")
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a span to a span of this or another trace. Ids are lower-case hexadecimal."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a span. Its time is in nanoseconds since 1970 (UTC)."""

    name: str
    time_ns: int
    attributes: Mapping[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class Span:
    """A stored span. Ids are lower-case hexadecimal, times nanoseconds since 1970 (UTC)."""

    trace_id: str
    span_id: str
    parent_id: str | None
    service: str
    name: str
    kind: str
    """``internal``, ``server``, ``client``, ``producer``, ``consumer`` or ``unspecified``."""
    start_ns: int
    end_ns: int
    status: str
    """``unset``, ``ok`` or ``error``."""
    status_message: str = ""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    resource: Mapping[str, AttributeValue] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def duration_ns(self) -> int:
        """Duration of the span in nanoseconds; 0 where the clock was set back."""
        return max(self.end_ns - self.start_ns, 0)


@dataclass(frozen=True, slots=True)
class Trace:
    """The stored spans of one trace id, in order of their start, each once.

    ``untold`` is a sentence for each store that could not be asked, and that may have more of its spans.
    """

    trace_id: str
    spans: tuple[Span, ...]
    untold: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the services that have a span in the trace, in order of their first one."""
        return tuple(dict.fromkeys(span.service for span in self.spans))

    @property
    def roots(self) -> tuple[Span, ...]:
        """The spans without a parent in this trace: the root, and spans whose parent was not stored, or not yet."""
        known = {span.span_id for span in self.spans}
        return tuple(span for span in self.spans if span.parent_id not in known)

    def children(self, parent: Span) -> tuple[Span, ...]:
        """Return the child spans of ``parent``, in order of their start."""
        return tuple(span for span in self.spans if span.parent_id == parent.span_id)


def parse_trace(trace_id: str, document: object) -> Trace:
    """Return the trace in an OTLP JSON document: bare, or under ``result`` (Jaeger v3) or ``trace`` (Tempo v2).

    A store can have a span twice, because export is at least once; one of them is kept. Raises ``ValueError`` for any other document.
    """
    if not isinstance(document, dict):
        raise ValueError(f"no OTLP JSON: a {type(document).__name__}, no object")  # noqa: TRY004  the document is wrong, not the call
    try:
        data = ParseDict(document.get("result") or document.get("trace") or document, TracesData(), ignore_unknown_fields=True)
        spans = {span.span_id: span for group in data.resource_spans for span in _spans(group)}
    except (ParseError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no OTLP JSON: {error}") from error
    return _ordered(trace_id, spans)


def joined(trace_id: str, parts: Iterable[Trace]) -> Trace:
    """Return one trace of the parts that several stores have; a span that is in several is that of the first."""
    spans: dict[str, Span] = {}
    for part in parts:
        spans = {span.span_id: span for span in part.spans} | spans
    return _ordered(trace_id, spans)


def _ordered(trace_id: str, spans: Mapping[str, Span]) -> Trace:
    return Trace(trace_id, tuple(sorted(spans.values(), key=lambda span: (span.start_ns, -span.end_ns))))


def _spans(group: ResourceSpans) -> Iterator[Span]:
    resource = _attributes(group.resource.attributes)
    for span in (span for scope in group.scope_spans for span in scope.spans):
        yield Span(
            trace_id=identifier(span.trace_id, _TRACE_ID_BYTES),
            span_id=identifier(span.span_id, _SPAN_ID_BYTES),
            parent_id=identifier(span.parent_span_id, _SPAN_ID_BYTES) if span.parent_span_id else None,
            service=str(resource.get("service.name", "unknown")),
            name=span.name,
            kind=_KINDS[span.kind] if 0 <= span.kind < len(_KINDS) else _KINDS[0],
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            status=_STATUSES[span.status.code] if 0 <= span.status.code < len(_STATUSES) else _STATUSES[0],
            status_message=span.status.message,
            attributes=_attributes(span.attributes),
            resource=resource,
            events=tuple(Event(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in span.events),
            links=tuple(
                Link(identifier(link.trace_id, _TRACE_ID_BYTES), identifier(link.span_id, _SPAN_ID_BYTES), _attributes(link.attributes))
                for link in span.links
            ),
        )


def identifier(raw: bytes, size: int) -> str:
    """Return an id in hexadecimal. OTLP JSON writes ids so, and generic protobuf JSON (Tempo) in base64, as which both were read."""
    if len(raw) == size * 3 // 2:
        raw = bytes.fromhex(base64.b64encode(raw).decode())
    if len(raw) != size:
        raise ValueError(f"an id is neither hex nor base64 of {size} bytes")
    return raw.hex()


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, AttributeValue]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> AttributeValue:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)
