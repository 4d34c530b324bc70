"""What is worked out once for all requests to a collector is what `requests` would work out for each."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from tracing_lib import TracingSettings
from tracing_lib.export.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator


class Seen:
    """What a server was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.connections: set[int] = set()
        self.targets: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        """Given one after another, then always an empty success."""
        self.left = threading.Event()
        """Set when a connection has ended."""


@contextmanager
def server() -> Iterator[Seen]:
    """Run a server, or a proxy that answers in the stead of all others."""
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.connections.add(self.client_address[1])
            seen.targets.append(self.path)
            seen.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, headers, body = seen.answers.pop(0) if seen.answers else (200, {}, b"")
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def finish(self) -> None:
            super().finish()
            seen.left.set()

        def log_message(self, *_: object) -> None:
            """Say nothing: a test's output is its failures."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    seen.url = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield seen
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


@contextmanager
def transport(endpoint: str, **values: object) -> Iterator[HttpTransport]:
    made = HttpTransport(TracingSettings(service_name="portal", endpoint=endpoint, **values))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def test_one_connection_serves_all_requests_whatever_the_answers() -> None:
    with server() as seen, transport(seen.url, token=SecretStr("abc"), headers={"x-tenant": SecretStr("t1")}) as sending:
        seen.answers += [(200, {}, b"\x0a\x00"), (503, {"Retry-After": "2"}, b"busy"), (400, {}, b"no"), (200, {}, b"")]
        found = [sending.send(b"request", 5.0) for _ in range(5)]
    assert [outcome.kind for outcome in found] == ["accepted", "again", "refused", "accepted", "accepted"]
    assert (found[1].after_seconds, found[1].throttled) == (2.0, True)
    assert len(seen.connections) == 1
    assert set(seen.targets) == {"/v1/traces"}
    for headers in seen.headers:
        assert headers["authorization"] == "Bearer abc"
        assert headers["x-tenant"] == "t1"
        assert headers["content-type"] == "application/x-protobuf"
        assert headers["content-length"] == "7"


def test_a_connection_that_the_server_closes_is_opened_again() -> None:
    with server() as seen, transport(seen.url) as sending:
        seen.answers.append((200, {"Connection": "close"}, b""))
        assert [sending.send(b"request", 5.0).kind for _ in range(3)] == ["accepted"] * 3
    assert len(seen.connections) == 2


def test_the_connection_is_closed_with_the_transport() -> None:
    with server() as seen, transport(seen.url) as sending:
        sending.send(b"request", 5.0)
        assert not seen.left.is_set()
        sending.close()
        assert seen.left.wait(120.0)
        assert sending.send(b"request", 5.0).kind == "again"


def test_a_redirect_is_not_followed() -> None:
    with server() as seen, transport(seen.url) as sending:
        seen.answers.append((307, {"Location": "/elsewhere"}, b""))
        assert sending.send(b"request", 5.0).reason == "http_307"
    assert seen.targets == ["/v1/traces"]


def test_an_endless_answer_is_given_up_and_its_status_stands() -> None:
    with server() as seen, transport(seen.url) as sending:
        seen.answers.append((200, {}, b"x" * 300_000))
        assert [sending.send(b"request", 5.0).kind for _ in range(2)] == ["accepted"] * 2
    assert len(seen.connections) == 2, "what is left of the answer is not read"


@pytest.mark.parametrize(("spared", "by_proxy"), [("", True), ("example.org", True), ("127.0.0.1", False)])
def test_the_proxy_of_the_environment_is_asked_unless_the_host_is_spared(
    spared: str,
    by_proxy: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server() as seen, server() as proxy, transport(seen.url) as sending:
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://user:word@"))
        monkeypatch.setenv("no_proxy", spared)
        assert [sending.send(b"request", 5.0).kind for _ in range(2)] == ["accepted"] * 2
    assert proxy.targets == ([f"{seen.url}/v1/traces"] * 2 if by_proxy else [])
    assert seen.targets == ([] if by_proxy else ["/v1/traces"] * 2)
    assert all(headers["proxy-authorization"].startswith("Basic ") for headers in proxy.headers)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "http://no-such-host.invalid"])
def test_who_cannot_be_reached_is_tried_again(endpoint: str) -> None:
    with transport(endpoint) as sending:
        for _ in range(2):
            outcome = sending.send(b"request", 2.0)
            assert outcome.kind == "again"
            assert outcome.why.startswith("no answer (")
