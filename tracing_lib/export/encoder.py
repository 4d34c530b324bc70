"""From the SDK's ended span to OTLP bytes, by the generated classes of ``opentelemetry-proto``.

A message on the wire is the concatenation of its fields, and so is a repeated field. So the parts of a span, of a scope and of a request
are encoded one by one and joined, in the order of their field numbers: the bytes are those of the stock encoder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Link, SpanContext
    from opentelemetry.trace.span import TraceState
    from opentelemetry.util.types import AnyValue

    from tracing_lib.export.groups import ScopeGroup

_SPANS, _SCOPE_SPANS, _RESOURCE_SPANS = b"\x12", b"\x12", b"\x0a"
"""Tags of ``ScopeSpans.spans``, ``ResourceSpans.scope_spans`` and ``ExportTraceServiceRequest.resource_spans``."""


def encode_span(span: ReadableSpan) -> bytes:
    """Return a span as an entry of ``ScopeSpans.spans``: tag, length and message."""
    context: SpanContext = span.context
    message = otlp.Span(
        trace_id=context.trace_id.to_bytes(16),
        span_id=context.span_id.to_bytes(8),
        trace_state=_state(context.trace_state),
        parent_span_id=span.parent.span_id.to_bytes(8) if span.parent else b"",
        name=_text(span.name),
        kind=span.kind.value + 1,  # type: ignore[arg-type]  # OTLP has "unspecified" before the SDK's kinds, in their order
        start_time_unix_nano=span.start_time or 0,
        end_time_unix_nano=span.end_time or 0,
        # A copy, made in one step: the thread that ended the span may have another one that sets an attribute.
        attributes=_pairs(dict(span.attributes or {})),
        dropped_attributes_count=span.dropped_attributes,
        events=[
            otlp.Span.Event(
                time_unix_nano=event.timestamp or 0,
                name=_text(event.name),
                attributes=_pairs(event.attributes),
                dropped_attributes_count=event.dropped_attributes,
            )
            for event in span.events
        ],
        dropped_events_count=span.dropped_events,
        links=_links(span.links),
        dropped_links_count=span.dropped_links,
        status=otlp.Status(code=span.status.status_code.value, message=_text(span.status.description)),  # type: ignore[arg-type]  # the same numbers
        flags=_flags(span.parent),
    )
    return _field(_SPANS, message.SerializeToString())


def encode_name(name: str) -> bytes:
    """Return a span's name as its field of a span."""
    return otlp.Span(name=_text(name)).SerializeToString()


def encode_state(state: TraceState) -> bytes:
    """Return a trace state as its field of a span."""
    return otlp.Span(trace_state=_state(state)).SerializeToString()


def encode_attribute(key: str, value: AnyValue) -> bytes:
    """Return an attribute as its field of a span; nothing for a value that OTLP cannot hold."""
    return otlp.Span(attributes=_pairs({key: value})).SerializeToString()


def encode_links(links: Iterable[Link]) -> bytes:
    """Return links as their fields of a span."""
    return otlp.Span(links=_links(links)).SerializeToString()


def encode_request(groups: Iterable[ScopeGroup], spans: Iterable[bytes]) -> bytes:
    """Return an ``ExportTraceServiceRequest`` made of spans that ``encode_span`` encoded, and of the group of each."""
    entries: defaultdict[ScopeGroup, list[bytes]] = defaultdict(list)
    for group, encoded in zip(groups, spans, strict=True):
        entries[group].append(encoded)
    resources = {id(group.resource): group.resource for group in entries}
    scopes: defaultdict[int, list[bytes]] = defaultdict(list)
    for group, encoded_spans in entries.items():
        scope = group.scope
        head, url = otlp.ScopeSpans(scope=common.InstrumentationScope()), otlp.ScopeSpans()
        if scope is not None:
            name, version = _text(scope.name), _text(scope.version)
            head.scope.MergeFrom(common.InstrumentationScope(name=name, version=version, attributes=_pairs(scope.attributes)))
            url.schema_url = _text(scope.schema_url)
        content = b"".join((head.SerializeToString(), *encoded_spans, url.SerializeToString()))
        scopes[id(group.resource)].append(_field(_SCOPE_SPANS, content))
    out = []
    for key, resource in resources.items():
        start = otlp.ResourceSpans(resource=Resource(attributes=_pairs(resource.attributes))).SerializeToString()
        end = otlp.ResourceSpans(schema_url=_text(resource.schema_url)).SerializeToString()
        out.append(_field(_RESOURCE_SPANS, b"".join((start, *scopes[key], end))))
    return b"".join(out)


def _field(tag: bytes, content: bytes) -> bytes:
    """Return a length-delimited field: tag, length as a varint, content (protocol buffers documentation, "Encoding")."""
    length, digits = len(content), bytearray()
    while length >= 1 << 7:
        digits.append(length & 0x7F | 0x80)
        length >>= 7
    return b"".join((tag, digits, bytes((length,)), content))


def _text(value: str | None) -> str:
    """Return text that UTF-8 can hold: a lone surrogate, which protobuf refuses together with the whole batch, becomes ``?``."""
    return value.encode(errors="replace").decode() if value else ""


def _state(state: TraceState) -> str:
    return ",".join([f"{key}={value}" for key, value in state.items()])


def _flags(parent: SpanContext | None) -> int:
    """Return the flags of a span or a link: it is known whether its parent or target is remote, and whether that is so."""
    has_is_remote, is_remote = otlp.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK, otlp.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
    return has_is_remote | is_remote if parent and parent.is_remote else has_is_remote


def _links(links: Iterable[Link]) -> list[otlp.Span.Link]:
    # Without the link's trace state, as the stock encoder has it.
    return [
        otlp.Span.Link(
            trace_id=link.context.trace_id.to_bytes(16),
            span_id=link.context.span_id.to_bytes(8),
            attributes=_pairs(link.attributes),
            dropped_attributes_count=link.dropped_attributes,
            flags=_flags(link.context),
        )
        for link in links
    ]


def _pairs(attributes: Mapping[str, AnyValue] | None) -> Iterator[common.KeyValue]:
    """Yield attributes as OTLP has them. One that OTLP cannot hold is left out, as by the stock encoder."""
    for key, value in (attributes or {}).items():
        try:
            yield common.KeyValue(key=_text(key), value=_value(value))
        except (ValueError, TypeError):
            continue


def _value(value: AnyValue) -> common.AnyValue:  # noqa: PLR0911  one per type
    """Return a value of an attribute. Raises ``ValueError`` for an integer of more than 64 bits, ``TypeError`` for other types."""
    if isinstance(value, str):
        return common.AnyValue(string_value=_text(value))
    if isinstance(value, bool):
        return common.AnyValue(bool_value=value)
    if isinstance(value, int):
        return common.AnyValue(int_value=value)
    if isinstance(value, float):
        return common.AnyValue(double_value=value)
    if value is None:
        return common.AnyValue()
    if isinstance(value, bytes):
        return common.AnyValue(bytes_value=value)
    if isinstance(value, Sequence):
        return common.AnyValue(array_value=common.ArrayValue(values=[_value(item) for item in value]))
    if isinstance(value, Mapping):
        pairs = [common.KeyValue(key=_text(str(key)), value=_value(item)) for key, item in value.items()]
        return common.AnyValue(kvlist_value=common.KeyValueList(values=pairs))
    raise TypeError(type(value).__name__)
