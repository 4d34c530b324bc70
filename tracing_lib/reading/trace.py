"""A stored trace, and its parser for the JSON of OTLP, in the forms of Jaeger and of Tempo."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    """The stored spans of one trace id, in order of their start, each once."""

    trace_id: str
    spans: tuple[Span, ...]

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
    try:
        spans = {span.span_id: span for span in _spans(_groups(document))}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no OTLP JSON: {error}") from error
    return Trace(trace_id, tuple(sorted(spans.values(), key=lambda span: (span.start_ns, -span.end_ns))))


def _groups(document: object) -> list[dict[str, object]]:
    """Return the resource spans of a response, whose envelope differs between the stores."""
    if not isinstance(document, dict):
        raise TypeError(f"a {type(document).__name__}, no object")
    body = document.get("result") or document.get("trace") or document
    return _objects(body.get("resourceSpans"))


def _spans(resource_spans: list[dict[str, object]]) -> Iterator[Span]:
    for group in resource_spans:
        resource = _attributes((group.get("resource") or {}).get("attributes"))  # type: ignore[attr-defined]  # JSON
        for scope in group.get("scopeSpans") or []:  # type: ignore[attr-defined]  # JSON
            for span in scope.get("spans") or []:
                yield _span(span, resource)


def _span(span: dict[str, object], resource: Mapping[str, AttributeValue]) -> Span:
    status = span.get("status") or {}
    if not isinstance(status, dict):
        raise TypeError("a status is no object")
    return Span(
        trace_id=_identifier(span["traceId"], _TRACE_ID_BYTES),
        span_id=_identifier(span["spanId"], _SPAN_ID_BYTES),
        parent_id=_identifier(span["parentSpanId"], _SPAN_ID_BYTES) if span.get("parentSpanId") else None,
        service=str(resource.get("service.name", "unknown")),
        name=str(span.get("name", "")),
        kind=_named(span.get("kind", 0), _KINDS, "SPAN_KIND_"),
        start_ns=_integer(span.get("startTimeUnixNano", 0)),
        end_ns=_integer(span.get("endTimeUnixNano", 0)),
        status=_named(status.get("code", 0), _STATUSES, "STATUS_CODE_"),
        status_message=str(status.get("message", "")),
        attributes=_attributes(span.get("attributes")),
        resource=resource,
        events=tuple(
            Event(str(event.get("name", "")), _integer(event.get("timeUnixNano", 0)), _attributes(event.get("attributes")))
            for event in _objects(span.get("events"))
        ),
        links=tuple(
            Link(
                _identifier(link["traceId"], _TRACE_ID_BYTES),
                _identifier(link["spanId"], _SPAN_ID_BYTES),
                _attributes(link.get("attributes")),
            )
            for link in _objects(span.get("links"))
        ),
    )


def _objects(value: object) -> list[dict[str, object]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError("events, links and attributes are lists of objects")
    return value


def _integer(value: object) -> int:
    """Read a 64-bit number. Proto3 JSON writes it as a string, some writers as a number."""
    if isinstance(value, str | int):
        return int(value)
    raise TypeError("a time is no number")


def _identifier(value: object, size: int) -> str:
    """Read an id. OTLP JSON writes hexadecimal, generic protobuf JSON (Tempo) base64; the length tells which."""
    text = str(value)
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * size else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != size:
        raise ValueError(f"an id is neither hex nor base64 of {size} bytes")
    return raw.hex()


def _named(value: object, names: tuple[str, ...], prefix: str) -> str:
    """Read an enumeration. OTLP JSON writes its number, generic protobuf JSON its name."""
    if isinstance(value, int):
        return names[value] if 0 <= value < len(names) else names[0]
    name = str(value).removeprefix(prefix).lower()
    return name if name in names else names[0]


def _attributes(value: object) -> dict[str, AttributeValue]:
    return {str(item["key"]): _any(item.get("value")) for item in _objects(value)}


def _any(value: object) -> AttributeValue:
    """Read an ``AnyValue``: an object whose only key names the type."""
    if not isinstance(value, dict) or not value:
        return None
    kind, inner = next(iter(value.items()))
    return _READERS.get(kind, str)(inner)


_READERS: Final[Mapping[str, Callable[[Any], AttributeValue]]] = {
    "intValue": _integer,
    "doubleValue": float,
    "boolValue": bool,
    "bytesValue": base64.b64decode,
    "arrayValue": lambda inner: tuple(_any(item) for item in _objects(inner.get("values"))),
    "kvlistValue": lambda inner: _attributes(inner.get("values")),
}
