"""The two forms in which a span waits: encoded, or as the SDK ended it where the stock exporter is to send it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tracing_lib.encoder import Encoder
from tracing_lib.span_queue import STOCK_SPAN_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from tracing_lib.encoder import Group
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

    def __init__(self) -> None:
        self._encoder = Encoder()

    def pack(self, span: ReadableSpan) -> tuple[bytes, int]:
        """Return the span encoded."""
        encoded = self._encoder.span(span)
        return encoded, len(encoded)

    def join(self, spans: Sequence[tuple[Group, bytes]]) -> bytes:
        """Return the bytes of an ``ExportTraceServiceRequest``."""
        return self._encoder.request(spans)


class StockPacking:
    """Spans as they are."""

    def pack(self, span: ReadableSpan) -> tuple[ReadableSpan, int]:
        """Return the span itself."""
        return span, STOCK_SPAN_BYTES

    def join(self, spans: Sequence[tuple[Group, ReadableSpan]]) -> list[ReadableSpan]:
        """Return the spans alone; the stock exporter groups them itself."""
        return [span for _, span in spans]


def build_packing(settings: TracingSettings) -> Packing:
    """Return the packing for the exporter that the settings name."""
    return StockPacking() if settings.exporter == "stock" else EncodedPacking()
