"""Spans that stores are filled with, sent as gateways send them, and the bytes of each."""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks.orders import orders
from stacks.rehearse.recording import Recorded, grouped
from tests.servers.spans import attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ATTRIBUTES: Mapping[str, str | int] = {
    "rpc.system.name": "grpc",
    "rpc.method": "virtengine.market.v1.Msg/CreateOrder",
    "rpc.response.status_code": "OK",
    "virtengine.order.id": "order-000000",
    "server.port": 9090,
}
ORDERS_PER_SECOND = 100.0
_ORDER_SPANS = 20
"""An order has more spans than that."""
_PLAIN_SPANS = 10
_PACE_SPANS = 500
REQUEST_SECONDS, TRIES = 300.0, 20


@dataclass(frozen=True, slots=True)
class Way:
    """The spans of a request to a store, and the requests that are under way at once: those of gateways that catch up."""

    request_spans: int = 2_000
    under_way: int = 4


@dataclass(frozen=True, slots=True)
class Load:
    """Bytes in OTLP of spans, and of the resource of each of them, and their traces."""

    span_bytes: int
    resource_bytes: int
    traces: int


def of_orders(count: int, *, seed: int) -> Iterator[Recorded]:
    """Yield so many spans of VirtEngine's orders, that end about now."""
    number = count // _ORDER_SPANS
    began = time.time() - number / ORDERS_PER_SECOND
    every = (one for trace in orders(number, begin=began, per_second=ORDERS_PER_SECOND, seed=seed) for one in trace.spans)
    return islice(every, count)


def plain(count: int, *, seed: int) -> Iterator[Recorded]:
    """Yield so many spans with five attributes and a resource of two, in traces of ten, that end about now."""
    chance = random.Random(seed)  # noqa: S311 - ids, not secrets
    resource, scope = Resource(attributes=[attribute("service.name", "portal"), attribute("host.name", "node-1")]), InstrumentationScope()
    began = time.time_ns() - count * 100_000
    for number in range(count // _PLAIN_SPANS):
        trace_id, parent = chance.randbytes(16), b""
        for index in range(_PLAIN_SPANS):
            start = began + (number * _PLAIN_SPANS + index) * 100_000
            span = Span(
                trace_id=trace_id,
                span_id=chance.randbytes(8),
                parent_span_id=parent,
                name=f"step {index}",
                kind=Span.SPAN_KIND_INTERNAL if index else Span.SPAN_KIND_SERVER,
                start_time_unix_nano=start,
                end_time_unix_nano=start + chance.randrange(1_000_000, 50_000_000),
                attributes=[attribute(key, value) for key, value in ATTRIBUTES.items()],
            )
            span.attributes[3].value.string_value = f"order-{chance.getrandbits(48):012x}"
            parent = span.span_id
            yield Recorded(resource, scope, span)


def paced(spans: Iterator[Recorded], rate: float | None) -> Iterator[Recorded]:
    """Yield spans at a rate a second, at once where it is None."""
    began = time.monotonic()
    for number, one in enumerate(spans):
        if rate is not None and number % _PACE_SPANS == 0 and (ahead := number / rate - (time.monotonic() - began)) > 0:
            time.sleep(ahead)
        yield one


def send(target: str, spans: Iterator[Recorded], way: Way, say: Callable[[str], None]) -> Load:
    """Send spans to the OTLP/gRPC receiver at ``target``, some requests at a time, each until it is taken."""
    size, resources, sent, said, traces = 0, 0, 0, time.monotonic(), set[bytes]()
    with grpc.insecure_channel(target) as channel:
        stub, under_way = TraceServiceStub(channel), deque[tuple[ExportTraceServiceRequest, Any]]()  # type: ignore[no-untyped-call]  # written by protoc
        while batch := list(islice(spans, way.request_spans)):
            request = ExportTraceServiceRequest(resource_spans=grouped(batch))
            under_way.append((request, stub.Export.future(request, timeout=REQUEST_SECONDS)))
            sent, size = sent + len(batch), size + sum(one.span.ByteSize() for one in batch)
            traces.update(one.span.trace_id for one in batch)
            resources += sum(one.resource.ByteSize() for one in batch)
            if len(under_way) == way.under_way:
                _wait(stub, *under_way.popleft())
            if time.monotonic() > said + 10:
                said = time.monotonic()
                say(f"{sent:,} spans sent")
        for left in under_way:
            _wait(stub, *left)
    return Load(size, resources, len(traces))


def _wait(stub: TraceServiceStub, request: ExportTraceServiceRequest, call: Any) -> None:  # noqa: ANN401 - grpc has no types
    """Wait until a request is taken, and send it again where it is refused for the moment. Raises grpc.RpcError after many tries."""
    for left in reversed(range(TRIES)):
        try:
            call.result()
        except grpc.RpcError as error:
            if not left or error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}:
                raise
            time.sleep(1.0)
            call = stub.Export.future(request, timeout=REQUEST_SECONDS)
        else:
            return
