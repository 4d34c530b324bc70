"""The two forms in which a span waits: encoded, or as the SDK ended it where the stock exporter is to send it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, Status

from tracing_lib.encoder import Encoder
from tracing_lib.span_queue import STOCK_SPAN_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.util.types import AnyValue

    from tracing_lib.encoder import AttributeFilter, Group, TextFilter
    from tracing_lib.settings import TracingSettings


class Packing(Protocol):
    """How spans wait and are joined to a request."""

    def pack(self, span: ReadableSpan) -> tuple[object, int]:
        """Return what waits, and the memory that it takes, in bytes."""
        ...

    def join(self, spans: Sequence[tuple[Group, Any]]) -> object:
        """Return the request of what was packed."""
        ...


class EncodedPacking:
    """Spans as OTLP bytes."""

    def __init__(self, attribute_filter: AttributeFilter | None, text_filter: TextFilter | None) -> None:
        self._encoder = Encoder(attribute_filter, text_filter)

    def pack(self, span: ReadableSpan) -> tuple[bytes, int]:
        """Return the span encoded."""
        encoded = self._encoder.span(span)
        return encoded, len(encoded)

    def join(self, spans: Sequence[tuple[Group, bytes]]) -> bytes:
        """Return the bytes of an ``ExportTraceServiceRequest``."""
        return self._encoder.request(spans)


class StockPacking:
    """Spans as they are, filtered."""

    def __init__(self, attribute_filter: AttributeFilter | None, text_filter: TextFilter | None) -> None:
        self._attribute_filter = attribute_filter
        self._text_filter = text_filter

    def pack(self, span: ReadableSpan) -> tuple[ReadableSpan, int]:
        """Return the span, or a filtered copy."""
        if self._attribute_filter is None and self._text_filter is None:
            return span, STOCK_SPAN_BYTES
        copy = ReadableSpan(
            name=self._text(span.name),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=self._kept(span.attributes),
            events=[Event(self._text(event.name), self._kept(event.attributes), event.timestamp) for event in span.events],
            links=[Link(link.context, self._kept(link.attributes)) for link in span.links],
            kind=span.kind,
            status=Status(span.status.status_code, self._text(span.status.description) if span.status.description else None),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )
        return copy, STOCK_SPAN_BYTES

    def join(self, spans: Sequence[tuple[Group, ReadableSpan]]) -> list[ReadableSpan]:
        """Return the spans alone; the stock exporter groups them itself."""
        return [span for _, span in spans]

    def _text(self, text: str) -> str:
        return self._text_filter(text) if self._text_filter else text

    def _kept(self, attributes: Mapping[str, AnyValue] | None) -> dict[str, AnyValue]:
        if self._attribute_filter is None:
            return dict(attributes or {})
        kept = {key: self._attribute_filter(key, value) for key, value in (attributes or {}).items()}
        return {key: value for key, value in kept.items() if value is not None}


def build_packing(settings: TracingSettings, attribute_filter: AttributeFilter | None, text_filter: TextFilter | None) -> Packing:
    """Return the packing for the exporter that the settings name."""
    return (StockPacking if settings.exporter == "stock" else EncodedPacking)(attribute_filter, text_filter)
