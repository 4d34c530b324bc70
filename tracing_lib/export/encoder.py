"""From the SDK's ended span straight to OTLP bytes.

Messages and field numbers: OTLP, ``opentelemetry/proto/trace/v1/trace.proto`` and ``common/v1/common.proto`` (1.10). Fields are written in
the order of their numbers, so that the bytes are those of the stock encoder, which the tests hold this one against.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from opentelemetry.trace import SpanKind, StatusCode

from tracing_lib.export.wire import DOUBLE, FIXED32, FIXED64, field, number, text, utf8, varint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, Status
    from opentelemetry.trace.span import TraceState
    from opentelemetry.util.types import AnyValue

    from tracing_lib.export.groups import ScopeGroup

_KINDS: Final = {
    SpanKind.INTERNAL: b"\x30\x01",
    SpanKind.SERVER: b"\x30\x02",
    SpanKind.CLIENT: b"\x30\x03",
    SpanKind.PRODUCER: b"\x30\x04",
    SpanKind.CONSUMER: b"\x30\x05",
}
_INTERNAL: Final = _KINDS[SpanKind.INTERNAL]
_TIMES: Final = struct.Struct("<BQBQ").pack
_LOCAL: Final = b"\x85\x01" + FIXED32(0x100)
"""Span flags: "it is known whether the parent is remote", and it is not (SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)."""
_REMOTE: Final = b"\x85\x01" + FIXED32(0x300)
_LINK_FLAGS: Final = {False: b"\x35" + FIXED32(0x100), True: b"\x35" + FIXED32(0x300)}
_UNSET: Final = b"\x7a\x00"
_SHORT: Final = 124
"""Texts shorter than this have lengths of one byte, their wrappings' included."""
_SHORT_HEADS: Final = tuple(bytes((0x12, length + 2, 0x0A, length)) for length in range(_SHORT))
_Kept = TypeVar("_Kept")
_MOST_REMEMBERED: Final = 4096
"""Attribute keys and span names that are kept encoded. A service has some hundred; made-up ones are encoded each time."""


def encode_value(value: AnyValue) -> bytes:  # noqa: PLR0911  one per type
    """Return the fields of an ``AnyValue``. Raises ``OverflowError`` for an integer of more than 64 bits, ``TypeError`` for other types."""
    if isinstance(value, str):
        return field(b"\x0a", utf8(value))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + varint(value)
    if isinstance(value, float):
        return b"\x21" + DOUBLE(value)
    if value is None:
        return b""
    if isinstance(value, bytes):
        return field(b"\x3a", value)
    if isinstance(value, Sequence):
        return field(b"\x2a", b"".join(field(b"\x0a", encode_value(item)) for item in value))
    if isinstance(value, Mapping):
        pairs = (text(b"\x0a", str(key)) + field(b"\x12", encode_value(item)) for key, item in value.items())
        return field(b"\x32", b"".join(field(b"\x0a", pair) for pair in pairs))
    raise TypeError(type(value).__name__)


class Encoder:
    """Encodes spans, each once; what spans share (resource, scope, keys, names) is encoded once and kept."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[bytes, int]] = {}
        self._names: dict[str, bytes] = {}
        self._texts: dict[tuple[str, str], bytes] = {}
        self._integers: dict[tuple[str, int], bytes] = {}
        self._last_state: tuple[TraceState | None, bytes] = (None, b"")
        self._resources: dict[int, tuple[Resource, bytes]] = {}
        self._scopes: dict[int, tuple[InstrumentationScope | None, bytes]] = {}

    def span(self, span: ReadableSpan) -> bytes:
        """Return a span as an entry of ``ScopeSpans.spans``: tag, length and message, ready to be joined with others."""
        context: SpanContext = span.context
        parts = [b"\x0a\x10", context.trace_id.to_bytes(16), b"\x12\x08", context.span_id.to_bytes(8)]
        state, known = context.trace_state, self._last_state
        parts.append(known[1] if state is known[0] else self._state(state))
        parent = span.parent
        if parent:
            parts += (b"\x22\x08", parent.span_id.to_bytes(8))
        kind = span.kind
        parts += (self._names.get(span.name) or self._name(span.name), _INTERNAL if kind is SpanKind.INTERNAL else _KINDS[kind])
        parts.append(_times(span.start_time, span.end_time))
        if attributes := span.attributes:
            # A copy, made in one step: the thread that ended the span may have another one that sets an attribute.
            self._attributes(b"\x4a", dict(attributes), parts)
        if span.dropped_attributes:
            parts.append(number(b"\x50", span.dropped_attributes))
        parts += [field(b"\x5a", self._event(event)) for event in span.events]
        parts += (number(b"\x60", span.dropped_events), self.links(span.links, span.dropped_links))
        status = span.status
        parts.append(_UNSET if status.status_code is StatusCode.UNSET and not status.description else self._status(status))
        parts.append(_REMOTE if parent and parent.is_remote else _LOCAL)
        message = b"".join(parts)
        return b"\x12" + varint(len(message)) + message

    @staticmethod
    def name(name: str) -> bytes:
        """Return a span's name as its field."""
        return text(b"\x2a", name)

    @staticmethod
    def state(state: TraceState) -> bytes:
        """Return a trace state as its field."""
        return text(b"\x1a", ",".join([f"{key}={value}" for key, value in state.items()]))

    def attribute(self, key: str, value: AnyValue) -> bytes:
        """Return an attribute of a span as its field; nothing for a value that OTLP cannot hold."""
        pair = self._short_pair(key, utf8(value)) if type(value) is str else None
        pair = self._pair((key, value)) if pair is None else pair
        return b"\x4a" + pair if pair else b""

    def links(self, links: Iterable[Link], dropped: int) -> bytes:
        """Return links as their fields, and that of how many were dropped."""
        return b"".join([field(b"\x6a", self._link(link)) for link in links]) + number(b"\x70", dropped)

    def request(self, groups: Iterable[ScopeGroup], spans: Iterable[bytes]) -> bytes:
        """Return an ``ExportTraceServiceRequest`` made of spans that ``span`` encoded, and of the group of each."""
        entries: defaultdict[ScopeGroup, list[bytes]] = defaultdict(list)
        for group, encoded in zip(groups, spans, strict=True):
            entries[group].append(encoded)
        by_resource: dict[int, tuple[Resource, list[bytes]]] = {}
        for group, encoded_spans in entries.items():
            resource, scope = group.resource, group.scope
            url = text(b"\x1a", scope.schema_url) if scope else b""
            _, scopes = by_resource.setdefault(id(resource), (resource, []))
            scopes.append(field(b"\x12", b"".join((self._scope(scope), *encoded_spans, url))))
        out = []
        for resource, scopes in by_resource.values():
            url = text(b"\x1a", resource.schema_url)
            out.append(field(b"\x0a", b"".join((self._resource(resource), *scopes, url))))
        return b"".join(out)

    def _resource(self, resource: Resource) -> bytes:
        known = self._resources.get(id(resource))
        if known is None:
            parts: list[bytes] = []
            self._attributes(b"\x0a", resource.attributes, parts)
            known = resource, field(b"\x0a", b"".join(parts))
            _remember(self._resources, id(resource), known)
        return known[1]

    def _scope(self, scope: InstrumentationScope | None) -> bytes:
        known = self._scopes.get(id(scope))
        if known is None:
            parts = [text(b"\x0a", scope.name), text(b"\x12", scope.version)] if scope else []
            if scope and scope.attributes:
                self._attributes(b"\x1a", scope.attributes, parts)
            known = scope, field(b"\x0a", b"".join(parts))
            _remember(self._scopes, id(scope), known)
        return known[1]

    def _name(self, name: str) -> bytes:
        """Return a span's name as its field, and remember it."""
        encoded = self.name(name)
        if len(self._names) < _MOST_REMEMBERED:
            self._names[name] = encoded
        return encoded

    def _state(self, state: TraceState) -> bytes:
        """Return a trace state as its field, and remember it for the rest of the trace."""
        encoded = self.state(state)
        self._last_state = state, encoded
        return encoded

    def _key(self, key: str) -> tuple[bytes, int]:
        """Return an attribute's key as its field and that field's length, and remember both."""
        encoded = text(b"\x0a", key)
        if len(self._keys) < _MOST_REMEMBERED:
            self._keys[key] = encoded, len(encoded)
        return encoded, len(encoded)

    def _attributes(self, tag: bytes, attributes: Mapping[str, AnyValue], parts: list[bytes]) -> None:
        """Append attributes as entries of a repeated ``KeyValue``. One that cannot be encoded is left out, as by the stock encoder."""
        texts, integers = self._texts, self._integers
        for pair in attributes.items():
            kind = type(pair[1])
            if kind is str:
                encoded = texts.get(pair) or self._text_pair(pair)  # type: ignore[arg-type]
            elif kind is int:
                encoded = integers.get(pair) or self._integer_pair(pair)  # type: ignore[arg-type]
            else:
                encoded = self._pair(pair)
            if encoded:
                parts += (tag, encoded)

    def _text_pair(self, pair: tuple[str, str]) -> bytes:
        """Return a pair with a text; a short one is remembered, for most come again."""
        encoded = self._short_pair(pair[0], utf8(pair[1]))
        if encoded is None:
            return self._pair(pair)
        if len(self._texts) >= _MOST_REMEMBERED:
            self._texts.clear()
        self._texts[pair] = encoded
        return encoded

    def _short_pair(self, key: str, value: bytes) -> bytes | None:
        """Return a pair with a text that is short; none for one that is not."""
        size = len(value)
        if size >= _SHORT:
            return None
        encoded_key, length = self._keys.get(key) or self._key(key)
        return b"".join((varint(length + size + 4), encoded_key, _SHORT_HEADS[size], value))

    def _integer_pair(self, pair: tuple[str, int]) -> bytes:
        encoded = self._pair(pair)
        if len(self._integers) >= _MOST_REMEMBERED:
            self._integers.clear()
        self._integers[pair] = encoded
        return encoded

    def _pair(self, pair: tuple[str, AnyValue]) -> bytes:
        """Return a ``KeyValue`` with its length in front, or nothing for a value that OTLP cannot hold."""
        encoded_key, length = self._keys.get(pair[0]) or self._key(pair[0])
        try:
            wrapped = field(b"\x12", encode_value(pair[1]))
        except (OverflowError, TypeError):
            return b""
        return varint(length + len(wrapped)) + encoded_key + wrapped

    def _event(self, event: Event) -> bytes:
        parts = [b"\x09" + FIXED64(event.timestamp) if event.timestamp else b"", text(b"\x12", event.name)]
        self._attributes(b"\x1a", event.attributes or {}, parts)
        parts.append(number(b"\x20", event.dropped_attributes))
        return b"".join(parts)

    def _link(self, link: Link) -> bytes:
        # Without the link's trace state, as the stock encoder has it.
        parts = [b"\x0a\x10", link.context.trace_id.to_bytes(16), b"\x12\x08", link.context.span_id.to_bytes(8)]
        self._attributes(b"\x22", link.attributes or {}, parts)
        parts += (number(b"\x28", link.dropped_attributes), _LINK_FLAGS[link.context.is_remote])
        return b"".join(parts)

    def _status(self, status: Status) -> bytes:
        return field(b"\x7a", text(b"\x12", status.description) + number(b"\x18", status.status_code.value))


def _times(start: int | None, end: int | None) -> bytes:
    """Return start and end as their fields; proto3 leaves zero out."""
    if start and end:
        return _TIMES(0x39, start, 0x41, end)
    return (b"\x39" + FIXED64(start) if start else b"") + (b"\x41" + FIXED64(end) if end else b"")


def _remember(cache: dict[int, _Kept], key: int, value: _Kept) -> None:
    """Keep what was encoded, and the object itself so that its id stays its own; a process that makes ever new ones starts over."""
    if len(cache) >= _MOST_REMEMBERED:
        cache.clear()
    cache[key] = value
