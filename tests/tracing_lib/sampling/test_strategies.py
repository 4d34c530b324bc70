"""Strategies from a server: followed within a poll, never waited for; a server that fails changes nothing and is mentioned once."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until
from tracing_lib import TracingSettings, configure
from tracing_lib.sampling.strategies import StrategyError, parse_strategy

if TYPE_CHECKING:
    from collections.abc import Iterator


def probabilistic(ratio: float) -> bytes:
    return json.dumps({"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": ratio}}).encode()


@dataclass
class Server:
    """A strategy server that answers as it is told, also when that is not at all."""

    url: str = ""
    body: bytes = probabilistic(0.5)
    status: int = 200
    drip: bool = False
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def strategy_server(server: Server, port: int = 0) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            body = server.body  # read once: the test changes it meanwhile
            self.send_response(server.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if server.drip:
                for index in range(len(body)):
                    if server.released.wait(0.05):
                        return
                    try:
                        self.wfile.write(body[index : index + 1])
                    except OSError:
                        return
            else:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    running.daemon_threads = True
    server.url = f"http://127.0.0.1:{running.server_port}/api/sampling"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        running.shutdown()
        thread.join()
        running.server_close()


def settings(server: Server, **values: object) -> TracingSettings:
    return TracingSettings(service_name="portal", strategies_url=server.url, strategies_poll_seconds=0.2, **values)  # type: ignore[arg-type]


def test_a_changed_strategy_is_followed_within_a_poll_interval() -> None:
    with strategy_server(Server()) as server, configure(settings(server, head_ratio=1.0), set_global=False) as tracing:
        sampler = tracing.provider.sampler.root  # type: ignore[attr-defined]
        until(lambda: sampler.operation("a").ratio == 0.5)
        server.body = probabilistic(0.25)
        started = time.monotonic()
        until(lambda: sampler.operation("a").ratio == 0.25)
        assert time.monotonic() - started < 0.2 + 10  # the second is a loaded test machine's
        assert set(server.asked) == {"/api/sampling?service=portal"}


GARBAGE = {
    "no JSON": b"<html>",
    "not UTF-8": b"\xff\xfe",
    "another shape": b"[1]",
    "an unknown type": b'{"strategyType": "CLEVER", "cleverSampling": {}}',
    "a ratio of seven": probabilistic(7),
    "not a number": b'{"probabilisticSampling": {"samplingRate": NaN}}',
    "nothing": b"",
    "too much": b" " * (2**20 + 10),
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_leaves_the_last_strategy_and_is_mentioned_once(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tracing_lib")
    with strategy_server(Server()) as server, configure(settings(server), set_global=False) as tracing:
        sampler = tracing.provider.sampler.root  # type: ignore[attr-defined]
        until(lambda: sampler.operation("a").ratio == 0.5)
        asked, server.body = len(server.asked), body
        until(lambda: len(server.asked) >= asked + 5)
        assert sampler.operation("a").ratio == 0.5
        server.body = probabilistic(0.125)
        until(lambda: sampler.operation("a").ratio == 0.125)
        until(lambda: "answers again" in caplog.text)
    said = [record.getMessage() for record in caplog.records if record.name == "tracing_lib"]
    # On a loaded machine a poll may have run out of time meanwhile, which is another state.
    assert all(line != following for line, following in pairwise(said)), said
    assert sum("no strategy" in line or "without end" in line for line in said) >= 1
    assert "the last strategy stays" in said[0]


@pytest.mark.parametrize("how", ["down", "slow", "an error", "moved"])
def test_a_server_that_cannot_be_heard_leaves_the_last_strategy_and_holds_up_nobody(how: str, caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    with strategy_server(server):
        tracing = configure(settings(server, targets=()), set_global=False)
        sampler = tracing.provider.sampler.root  # type: ignore[attr-defined]
        until(lambda: sampler.operation("a").ratio == 0.5)
        if how == "slow":
            server.drip = True
        elif how != "down":
            server.status = 500 if how == "an error" else 302
        asked = len(server.asked)
        if how != "down":
            until(lambda: len(server.asked) >= asked + 3)
            until(lambda: "the last strategy stays" in caplog.text)
    until(lambda: "cannot be reached" in caplog.text)
    began = time.monotonic()
    for _ in range(1000):
        tracing.tracer("t").start_span("a").end()
    assert time.monotonic() - began < 60, "no span waited for a server: a thousand would wait for minutes"
    assert sampler.operation("a").ratio == 0.5
    tracing.shutdown(0.5)
    kept = [line for line in caplog.messages if "the last strategy stays" in line]
    assert all(line != following for line, following in pairwise(kept)), "each state once: first this, then nobody there at all"


def test_until_a_server_was_heard_the_head_ratio_holds() -> None:
    with strategy_server(Server()) as server:
        pass
    with configure(settings(server, head_ratio=0.25), set_global=False) as tracing:
        time.sleep(0.3)
        assert tracing.provider.sampler.root.operation("a").ratio == 0.25  # type: ignore[attr-defined]


def test_operations_come_first_and_what_proto3_leaves_out_is_zero() -> None:
    strategy = parse_strategy(
        json.dumps(
            {
                "probabilisticSampling": {"samplingRate": 1},
                "operationSampling": {
                    "defaultSamplingProbability": 0.5,
                    "perOperationStrategies": [{"operation": "/health", "probabilisticSampling": {}}],
                },
            }
        ).encode()
    )
    assert strategy.default.ratio(10, 1.0) == 0.5
    assert strategy.operations["/health"].ratio(10, 1.0) == 0


def test_what_was_wrong_is_said_with_its_place_and_without_its_value() -> None:
    with pytest.raises(StrategyError, match=r"probabilisticSampling.samplingRate: Input should be a valid number"):
        parse_strategy(b'{"probabilisticSampling": {"samplingRate": "secret"}}')
