"""Traces as OTLP bytes, fast: encoded once with placeholders, which are then replaced by ids and times."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

TRACE_MARK, SPAN_MARK = b"\xfeid of the trace", b"\xfe span "
START, END = 0x0101010101010101, 0x0202020202020202
"""Placeholders of an id, of the first bytes of a span's id, and of the two times of a span, whose lengths never change."""
SPAN_PREFIX_BYTES = len(SPAN_MARK)
RESOURCE_BYTES = 30
"""Bytes of the resource, which has the name of a service alone."""
FRAME_BYTES = 28
"""Bytes that an attribute takes beside its text."""
MILLISECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace to send: its id, and when it begins, in nanoseconds since 1970. Span number n has the id ``trace id[:7] + n``."""

    id: bytes
    start: int

    def span_id(self, number: int) -> bytes:
        """The id of a span of it."""
        return self.id[:SPAN_PREFIX_BYTES] + bytes([number])


def new_trace(start: int) -> Trace:
    """A trace with a random id that begins at ``start``, in nanoseconds since 1970."""
    return Trace(os.urandom(len(TRACE_MARK)), start)


class Template:
    """The spans ``numbers`` of any trace of ``service``; number 0 is the root, the others are its children.

    The last span of a trace of ``spans`` spans has failed, so that tail sampling keeps the trace whatever else it keeps. An attribute
    fills each span up to about ``span_bytes``.
    """

    def __init__(self, service: str, numbers: Sequence[int], *, spans: int, span_bytes: int = 270, milliseconds: int = 20) -> None:
        self._duration = milliseconds * MILLISECOND
        whole = ResourceSpans()
        whole.resource.attributes.append(_attribute("service.name", service))
        scope = whole.scope_spans.add()
        for number in numbers:
            scope.spans.append(_span(number, span_bytes, failed=number == spans - 1))
        # Requests that follow each other are one request with the resources of all.
        self._encoded = ExportTraceServiceRequest(resource_spans=[whole]).SerializeToString()

    def encode(self, traces: Sequence[Trace]) -> bytes:
        """Return an OTLP request with these spans of all ``traces``."""
        return b"".join(map(self._one, traces))

    def _one(self, trace: Trace) -> bytes:
        return (
            self._encoded.replace(TRACE_MARK, trace.id)
            .replace(SPAN_MARK, trace.id[:SPAN_PREFIX_BYTES])
            .replace(_time(START), _time(trace.start))
            .replace(_time(END), _time(trace.start + self._duration))
        )


def _time(nanoseconds: int) -> bytes:
    return nanoseconds.to_bytes(8, "little")


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _span(number: int, size: int, *, failed: bool) -> Span:
    span = Span(
        trace_id=TRACE_MARK,
        span_id=SPAN_MARK + bytes([number]),
        parent_span_id=SPAN_MARK + bytes([0]) if number else b"",
        name="POST /orders" if number == 0 else f"step {number}",
        kind=Span.SPAN_KIND_SERVER if number == 0 else Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=START,
        end_time_unix_nano=END,
        attributes=[
            _attribute("http.route", "/orders"),
            _attribute("rpc.method", f"virtengine.market.v1.Msg/Step{number}"),
            _attribute("virtengine.order.state", "open"),
        ],
        status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
    )
    span.attributes.append(_attribute("virtengine.filling", "-" * max(0, size - span.ByteSize() - FRAME_BYTES)))
    return span
