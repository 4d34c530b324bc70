"""Collectors that a test runs on loopback: real servers that decode OTLP and keep what they were sent."""

from __future__ import annotations

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceServicer, add_TraceServiceServicer_to_server

from tests.waiting import until

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Received:
    """What a collector was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.paths: list[str] = []
        self.authorizations: list[str | None] = []
        self._requests: list[ExportTraceServiceRequest] = []

    def add(self, request: ExportTraceServiceRequest, path: str, authorization: str | None) -> None:
        self.paths.append(path)
        self.authorizations.append(authorization)
        self._requests.append(request)

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        """Every request, in the order in which they came."""
        return list(self._requests)

    @property
    def spans(self) -> list[tuple[dict[str, object], Span]]:
        """Every span with the attributes of its resource."""
        return [
            (attributes(group.resource.attributes), span)
            for request in self.requests
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    @property
    def names(self) -> list[str]:
        return sorted(span.name for _, span in self.spans)

    def wait_for(self, number: int) -> None:
        """Wait until so many spans are there."""
        until(lambda: len(self.spans) >= number, lambda: f"{number} spans: {self.names}", progress=lambda: len(self.spans))


def attributes(pairs: object) -> dict[str, object]:
    """Return protobuf attributes as plain values."""
    listed: list[KeyValue] = list(pairs)  # type: ignore[call-overload]  # a protobuf repeated field
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in listed}


@contextmanager
def http_receiver(certificate: tuple[Path, Path] | None = None, *, status: int = 200) -> Iterator[Received]:
    """Run an OTLP/HTTP collector; with certificate and key it speaks TLS, with another status it refuses."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.add(ExportTraceServiceRequest.FromString(body), self.path, self.headers["Authorization"])
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing: a test's output is its failures."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if context and certificate:
        context.load_cert_chain(*certificate)

    class Server(ThreadingHTTPServer):
        def get_request(self) -> tuple[socket.socket, object]:
            connection, address = super().get_request()
            if context is None:
                return connection, address
            try:
                # A client that is gone already: wrapping its socket would leave it open (CPython, ssl.SSLSocket._create).
                connection.getpeername()
                return context.wrap_socket(connection, server_side=True), address
            except OSError:
                connection.close()
                raise

    server = Server(("127.0.0.1", 0), Handler)
    received.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_receiver(certificate: tuple[Path, Path] | None = None) -> Iterator[Received]:
    """Run an OTLP/gRPC collector; with certificate and key it speaks TLS."""
    received = Received()

    class Servicer(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: grpc.ServicerContext) -> ExportTraceServiceResponse:  # noqa: N802  gRPC's name
            metadata = {key: str(value) for key, value in context.invocation_metadata()}
            received.add(request, "Export", metadata.get("authorization"))
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    add_TraceServiceServicer_to_server(Servicer(), server)  # type: ignore[no-untyped-call]  # generated code
    if certificate:
        chain, key = (path.read_bytes() for path in certificate)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    received.url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    server.start()
    try:
        yield received
    finally:
        server.stop(None).wait()
