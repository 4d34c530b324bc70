"""A sink on loopback, in a process of its own: takes what five vendors' exporters post, and counts.

``python -m benchmarks.sink`` prints its port. ``--accept N`` takes one request in N and answers 503 to the others. ``GET /count`` gives
requests, spans (OTLP only) and bytes as JSON; ``GET /reset`` forgets them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_lock = threading.Lock()
_counts: dict[str, Any] = {"requests": 0, "bytes": 0, "spans": 0, "refused": 0}
_bodies: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    accept = 1

    def _answer(self, status: int, body: bytes = b"", kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_GET(self) -> None:
        """Answer what agents ask (ddtrace: /info), and the counts."""
        if self.path == "/count":
            with _lock:
                if _bodies:
                    for body in _bodies:
                        request = ExportTraceServiceRequest.FromString(body)
                        _counts["spans"] += sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)
                    _bodies.clear()
                self._answer(200, json.dumps(_counts).encode())
        elif self.path == "/reset":
            with _lock:
                _bodies.clear()
                _counts.update(requests=0, bytes=0, spans=0, refused=0)
            self._answer(200, b"{}")
        else:
            self._answer(200, json.dumps({"endpoints": ["/v0.4/traces", "/v0.5/traces"], "version": "7.50.0"}).encode())

    def do_POST(self) -> None:
        """Take a request, or refuse it. OTLP is decoded later, so that the sink takes little of the machine meanwhile."""
        body = self._body()
        with _lock:
            _counts["requests"] += 1
            taken = _counts["requests"] % self.accept == 0
            if taken:
                _counts["bytes"] += len(body)
                if self.path.endswith("/v1/traces"):
                    _bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            else:
                _counts["refused"] += 1
        otlp = self.path.endswith("/v1/traces")
        self._answer(200 if taken else 503, b"" if otlp else b"{}", "application/x-protobuf" if otlp else "application/json")

    do_PUT = do_POST  # noqa: N815  the standard library's

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Takes connections that are cut short without a word."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accept", type=int, default=1)
    Handler.accept = parser.parse_args().accept
    socketserver.TCPServer.allow_reuse_address = True
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
