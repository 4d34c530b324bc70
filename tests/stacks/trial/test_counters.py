"""Counters of servers that end and begin anew, and gauges, as a scraper sees them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from stacks.trial.counters import Counters

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scraped(text: list[str]) -> Iterator[str]:
    """The URL at which the last of the texts is served."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text[-1].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            """Nothing is written."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_gauge_is_what_was_read_last_and_a_counter_what_it_has_grown_by() -> None:
    text = ['queued{exporter="a"} 7\nqueued{exporter="b"} 5\nqueued_total{exporter="a"} 100\n']
    with scraped(text) as url:
        counters = Counters({"one": url, "other": url}).start()
        assert counters.now("queued") == 24
        text.append('queued{exporter="a"} 0\nqueued{exporter="b"} 1\nqueued_total{exporter="a"} 3\n')
        counters.stop()
    assert counters.now("queued") == 2
    assert counters.now("queued", 'exporter="b"') == 2
    assert counters.grown("queued_total") == {"one": 3, "other": 3}


def test_moves_are_told_of_the_metric_that_is_followed_alone() -> None:
    text = ['offset{partition="0"} 7\noffset{partition="1"} 5\nother{partition="0"} 1\n']
    with scraped(text) as url:
        counters = Counters({"one": url}, followed="offset").start()
        text.append('offset{partition="0"} 7\noffset{partition="1"} 6\nother{partition="0"} 2\n')
        counters.stop()
    assert counters.at_each("offset") == {"one": 13}
    assert [(move.where, move.labels["partition"]) for move in counters.moves] == [("one", "0"), ("one", "1"), ("one", "1")]
