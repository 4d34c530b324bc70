"""The watch over a load's traces tells those that were stored in pieces from those that came whole."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from stacks.trial import store
from stacks.trial.load import Intake, Load, Pace, Sent
from stacks.trial.traces import new_trace
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

SPANS = 4


@contextmanager
def answering(spans: dict[bytes, int]) -> Iterator[str]:
    """A backend that has so many spans of each trace, for what Jaeger's search answers."""

    class Search(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = [
                {"traceID": trace.hex(), "spans": [{"spanID": f"{number:016x}"} for number in range(count)]}
                for trace, count in spans.items()
            ]
            body = json.dumps({"data": found}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            """Nothing is written."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Search) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_trace_that_was_there_in_part_for_a_while_was_stored_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PERIOD_SECONDS", 0.05)
    monkeypatch.setattr(store, "PIECES_SECONDS", 0.3)
    load = Load(Intake(()), Pace(1, 1, spans=SPANS), "trial")
    load.sent = [Sent(new_trace(time.time_ns()), 0, acknowledged=time.time()) for _ in range(3)]
    whole, cut, unfinished = (sent.trace.id for sent in load.sent)
    spans = {whole: SPANS, cut: 1, unfinished: SPANS - 1}
    with answering(spans) as url:
        watch = store.Store(url, load).start()
        until(lambda: whole in watch.found and set(watch.parts) == {cut, unfinished}, "a first look")
        began = watch.parts[cut]
        until(lambda: time.time() - began > 0.3, "the time after which a part is a piece")
        spans[cut] = SPANS
        until(lambda: cut in watch.found, "the rest of the trace")
        watch.stop()
    assert watch.in_pieces() == 2
    assert [sent.trace.id for sent in watch.missing()] == [unfinished]


def test_missing_traces_are_waited_for_while_something_is_under_way_and_then_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PERIOD_SECONDS", 0.01)
    load = Load(Intake(()), Pace(1, 1, spans=SPANS), "trial")
    load.sent = [Sent(new_trace(time.time_ns()), 0, acknowledged=time.time())]
    watch, looks = store.Store("http://127.0.0.1:1", load), [True, True, False]
    assert watch.wait(seconds=0.1, under_way=lambda: looks.pop(0)) == load.sent
    assert looks == []
    assert watch.wait(seconds=0.01, under_way=lambda: True) == load.sent, "what moves nothing for long is no longer waited for"
