"""The place of the store in a rehearsal: a server of OTLP over gRPC that notes which traces come, and by which policy."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_POLICY = "tailsampling.policy"
_UNLIMITED = [("grpc.max_receive_message_length", -1)]


@dataclass
class Sink:
    """The policy that has kept each trace that came, by trace id."""

    kept: dict[bytes, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: ExportTraceServiceRequest, _: grpc.ServicerContext) -> ExportTraceServiceResponse:
        """Note what came."""
        with self._lock:
            for scope in (scope for group in request.resource_spans for scope in group.scope_spans):
                policy = next((pair.value.string_value for pair in scope.scope.attributes if pair.key == _POLICY), "unknown")
                self.kept.update((span.trace_id, policy) for span in scope.spans)
        return ExportTraceServiceResponse()


@contextmanager
def listening(port: int) -> Iterator[Sink]:
    """A sink on a port of loopback for as long as the context lasts."""
    sink = Sink()
    method = grpc.unary_unary_rpc_method_handler(
        sink.take,
        request_deserializer=ExportTraceServiceRequest.FromString,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(2), options=_UNLIMITED)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": method}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield sink
    finally:
        server.stop(None).wait()
