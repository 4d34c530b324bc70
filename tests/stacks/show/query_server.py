"""A query server that gives scripted answers, over real HTTP."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tracing_lib.samples import mapping
from tracing_lib.contract.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE_ID = "d494b736b33a8d60ced4b83fc22b6776"
RECORDED = (Path(__file__).parent / "jaeger-2.13.0-answer.json").read_bytes()
"""Response of the query API of Jaeger 2.13.0 for an order that failed for want of escrow."""

Answer = tuple[int, bytes]


@contextmanager
def query_server(*answers: Answer, listens_after: float = 0.0) -> Iterator[tuple[str, list[str]]]:
    """Serve the answers one after the other, the last for ever; yield the base URL and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[min(len(asked), len(answers) - 1)]
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: a test's output is its failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.server_bind()
    if not listens_after:
        server.server_activate()

    def serve() -> None:
        if listens_after:
            time.sleep(listens_after)
            server.server_activate()
        server.serve_forever(poll_interval=0.05)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def outputs_of(url: str, backend: str = "jaeger") -> Outputs:
    """Outputs whose query API is at the URL."""
    return Outputs.parse(mapping(query_url=url, backend=backend))
