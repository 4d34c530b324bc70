"""Spans with ids that the test knows, sent by OTLP so that each acknowledgement is seen, and looked up again by id."""

from __future__ import annotations

import random
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from stacks.show.errors import QueryError
from stacks.show.fetch import fetch_trace
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stacks.show.stored import Trace
    from tracing_lib import Outputs

CLIENT, SERVER, INTERNAL = Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER, Span.SPAN_KIND_INTERNAL


def attribute(key: str, value: str | float) -> KeyValue:
    """An attribute of OTLP: text, a truth value, a whole number or another."""
    match value:
        case str():
            made = AnyValue(string_value=value)
        case bool():
            made = AnyValue(bool_value=value)
        case int():
            made = AnyValue(int_value=value)
        case _:
            made = AnyValue(double_value=value)
    return KeyValue(key=key, value=made)


@dataclass
class Sender:
    """Sends traces of one service, of its ``instance`` if any, and remembers which spans were acknowledged, by trace id."""

    outputs: Outputs
    seed: int
    service: str = "portal"
    instance: str | None = None
    acknowledged: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - ids, not secrets

    def trace(
        self,
        spans: int = 10,
        *,
        name: str = "POST /orders",
        milliseconds: int = 20,
        failed: bool = False,
        attributes: Mapping[str, str | float] | None = None,
        message: str = "",
    ) -> list[Span]:
        """The spans of one trace: a root and a chain of children."""
        trace_id, now = self._random.randbytes(16), time.time_ns()
        made: list[Span] = []
        for index in range(spans):
            made.append(
                Span(
                    trace_id=trace_id,
                    span_id=self._random.randbytes(8),
                    parent_span_id=made[-1].span_id if made else b"",
                    name=name if index == 0 else f"step {index}",
                    kind=SERVER if index == 0 else INTERNAL,
                    start_time_unix_nano=now - milliseconds * 1_000_000,
                    end_time_unix_nano=now,
                    attributes=[attribute(key, value) for key, value in (attributes or {}).items()],
                    status=Status(
                        code=Status.STATUS_CODE_ERROR if failed and index == spans - 1 else Status.STATUS_CODE_UNSET, message=message
                    ),
                )
            )
        return made

    def send(self, traces: Iterable[list[Span]]) -> bool:
        """Send traces in one request; whether the collector acknowledged all of it."""
        request, sent = ExportTraceServiceRequest(), list(traces)
        into = request.resource_spans.add()
        into.resource.attributes.append(attribute("service.name", self.service))
        if self.instance is not None:
            into.resource.attributes.append(attribute("service.instance.id", self.instance))
        scope = into.scope_spans.add()
        for spans in sent:
            scope.spans.extend(spans)
        if not _post(self.outputs.otlp_http_endpoint, request):
            return False
        for spans in sent:
            self.acknowledged.setdefault(spans[0].trace_id.hex(), set()).update(span.span_id.hex() for span in spans)
        return True


def _post(endpoint: str, request: ExportTraceServiceRequest) -> bool:
    """Whether a collector took a request as a whole."""
    headers = {"Content-Type": "application/x-protobuf"}
    message = urllib.request.Request(f"{endpoint}/v1/traces", request.SerializeToString(), headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(message, timeout=STALL_SECONDS) as response:  # noqa: S310 - loopback
            answer = ExportTraceServiceResponse.FromString(response.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        return False
    return answer.partial_success.rejected_spans == 0


def stored(outputs: Outputs, trace_id: str) -> Trace | None:
    """A trace as the backend has it, or None."""
    try:
        return fetch_trace(outputs, trace_id, wait_seconds=0)
    except QueryError:
        return None


def wait_until_stored(outputs: Outputs, wanted: Mapping[str, set[str]]) -> None:
    """Wait until all these spans are stored, as long as any are added."""
    left = {trace_id: set(spans) for trace_id, spans in wanted.items()}

    def all_are_stored() -> bool:
        for trace_id in list(left):
            trace = stored(outputs, trace_id)
            left[trace_id] -= {span.span_id for span in trace.spans} if trace else set()
            if left[trace_id]:
                return False
            del left[trace_id]
        return True

    def lacking() -> int:
        return sum(map(len, left.values()))

    until(all_are_stored, lambda: f"{lacking()} spans of {len(left)} traces to be stored", progress=lacking, every=0.2)
