"""A Waldur-shaped server over real HTTP: marketplace orders as Waldur answers them, and what it was sent."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class WaldurServer:
    """Orders by UUID, and the requests in the order in which they came."""

    def __init__(self) -> None:
        self.url = ""
        self.orders: dict[str, dict[str, object]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def order(self, state: str = "executing") -> uuid.UUID:
        """Keep an order, and return its UUID."""
        made = uuid.uuid4()
        self.orders[str(made)] = {"uuid": str(made), "state": state, "created": "2026-11-23T06:00:00Z", "modified": "2026-11-23T06:00:00Z"}
        return made

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the latest request, by lower-case name."""
        return self.requests[-1][2]


@contextmanager
def serving() -> Iterator[WaldurServer]:
    kept = WaldurServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._note()
            found = kept.orders.get(self.path.partition("?")[0].split("/")[3] if self.path.count("/") > 3 else "")
            self._answer(*((200, found) if found else (404, {"detail": "Not found."})))

        def do_POST(self) -> None:
            self._note()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(200, {"status": "ok"})

        def _note(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.requests.append((self.command, self.path, headers))

        def _answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Request-ID", f"req-{len(kept.requests)}")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: a test's output is its failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
