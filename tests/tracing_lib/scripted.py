"""A collector on loopback that answers as a test says, and that can be stopped and started again on its port."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

_METHOD = "opentelemetry.proto.collector.trace.v1.TraceService"


@dataclass(frozen=True)
class Answer:
    """What one request is answered with; it is kept when the status is a success."""

    status: int = 200
    """HTTP status; for gRPC its code's number, 0 for success."""
    retry_after: str | None = None
    """``Retry-After`` header; for gRPC the seconds of a ``RetryInfo``."""
    rejected: int = 0
    """Spans of this request, the first ones, that are rejected."""
    raw: bytes | None = None
    """A body in place of a right one."""
    wait: threading.Event | None = None
    """Answer only when this is set."""


@dataclass
class Collector:
    """Keeps the spans that it took, by id, and answers from a list, then always well."""

    protocol: str = "http/protobuf"
    answers: deque[Answer] = field(default_factory=deque)
    taken: list[Span] = field(default_factory=list)
    requests: int = 0
    asked: list[float] = field(default_factory=list)
    """When each request came, by the monotonic clock."""
    encodings: list[str | None] = field(default_factory=list)
    port: int = 0
    largest: int = 2**22
    """Bytes of the largest request that is taken."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ids(self) -> set[bytes]:
        return {span.span_id for span in self.taken}

    @property
    def names(self) -> list[str]:
        return sorted(span.name for span in self.taken)

    def take(self, body: bytes, encoding: str | None) -> tuple[Answer, bytes]:
        """Keep a request, or not; return the answer and its body."""
        self.requests += 1
        self.asked.append(time.monotonic())
        self.encodings.append(encoding)
        answer = self.answers.popleft() if self.answers else Answer(0 if self.protocol == "grpc" else 200)
        if answer.wait:
            answer.wait.wait(STALL_SECONDS)
        response = ExportTraceServiceResponse()
        if answer.status in {0, 200}:
            request = ExportTraceServiceRequest.FromString(gzip.decompress(body) if encoding == "gzip" else body)
            spans = [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]
            self.taken += spans[answer.rejected :]
            if answer.rejected:
                response.partial_success.CopyFrom(ExportTracePartialSuccess(rejected_spans=answer.rejected, error_message="too old"))
        return answer, response.SerializeToString() if answer.raw is None else answer.raw

    def start(self) -> None:
        """Listen, on the port of the last time."""
        if self.protocol == "grpc":
            self._start_grpc()
        else:
            self._start_http()

    def _start_http(self) -> None:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) > collector.largest:
                    answer, response = Answer(413), b""
                else:
                    answer, response = collector.take(body, self.headers["Content-Encoding"])
                self.send_response(answer.status)
                if answer.retry_after is not None:
                    self.send_header("Retry-After", answer.retry_after)
                self.send_header("Content-Length", str(len(response)))
                self.end_headers()
                self.wfile.write(response)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            connections: set[socket.socket]

            def get_request(self) -> tuple[socket.socket, object]:
                connection, address = super().get_request()
                self.connections.add(connection)
                return connection, address

            def handle_error(self, *_: object) -> None:
                """Say nothing of clients that went away."""

        Server.connections = set()
        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def _start_grpc(self) -> None:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            metadata = {key: str(value) for key, value in context.invocation_metadata()}
            answer, response = self.take(body, metadata.get("grpc-encoding"))
            if answer.status:
                if answer.retry_after is not None:
                    detail = Any()
                    detail.Pack(RetryInfo(retry_delay=Duration(nanos=int(float(answer.retry_after) * 1e9))))
                    status = Status(code=answer.status, details=[detail])
                    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
                code = next(code for code in grpc.StatusCode if code.value[0] == answer.status)
                context.abort(code, "as the test says")
            return response

        handlers = grpc.method_handlers_generic_handler(_METHOD, {"Export": grpc.unary_unary_rpc_method_handler(export)})
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", self.largest)]
        self._grpc = grpc.server(ThreadPoolExecutor(max_workers=2), options=options)
        self._grpc.add_generic_rpc_handlers((handlers,))
        self.port = self._grpc.add_insecure_port(f"127.0.0.1:{self.port}")
        self._grpc.start()

    def stop(self) -> None:
        """Take no more, and end the connections that are open."""
        if self.protocol == "grpc":
            self._grpc.stop(None).wait()
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in self._server.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
