"""Reading a trace back: real answers, over real HTTP, and what is said when there is none."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tracing_lib.samples import mapping
from tracing_lib import Outputs, QueryError, Trace, TraceNotFoundError, fetch_trace, render_tree
from tracing_lib.__main__ import main
from tracing_lib.reading.trace import parse_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRACE_ID = "d494b736b33a8d60ced4b83fc22b6776"
RECORDED = (Path(__file__).parent / "jaeger-2.13.0-answer.json").read_bytes()
"""What the query API of Jaeger 2.13.0 answered for an order that failed for want of escrow."""

Answer = tuple[int, bytes]


@contextmanager
def _server(*answers: Answer, listens_after: float = 0.0) -> Iterator[tuple[str, list[str]]]:
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


@pytest.fixture
def recorded() -> Trace:
    return parse_trace(TRACE_ID, json.loads(RECORDED))


def test_the_recorded_answer_of_jaeger_is_read_whole() -> None:
    with _server((200, RECORDED)) as (url, asked):
        trace = fetch_trace(Outputs.parse(mapping(query_url=url)), TRACE_ID.upper())
    assert asked == [f"/api/v3/traces/{TRACE_ID}"]
    assert trace.services == ("portal", "chain")
    (root,) = trace.roots
    assert (root.service, root.name, root.kind, root.parent_id) == ("portal", "POST /orders", "server", None)
    assert root.attributes["virtengine.order.id"] == "order-1-2"
    assert root.attributes["http.status_code"] == 422
    deposit = next(span for span in trace.spans if span.name == "escrow.keeper.Deposit")
    assert (deposit.status, deposit.status_message) == ("error", "EscrowError: deposit 15 is below 30, which 3 CPU units need")
    assert [event.name for event in deposit.events] == ["exception"]
    assert deposit.resource["service.namespace"] == "virtengine"
    assert root.start_ns < deposit.start_ns < deposit.end_ns < root.end_ns


def _as_tempo_writes_it(document: dict[str, object]) -> bytes:
    """Rewrite OTLP JSON as generic protobuf JSON: ids in base64, enumerations by name, under ``trace``."""
    kinds = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
    text = json.loads(json.dumps(document))["result"]
    for group in text["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    span[key] = base64.b64encode(bytes.fromhex(span.get(key, ""))).decode()
                span["kind"] = f"SPAN_KIND_{kinds[span['kind']]}"
                if span["status"].get("code"):
                    span["status"]["code"] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"][span["status"]["code"]]
    return json.dumps({"trace": text, "metrics": {}, "status": "COMPLETE"}).encode()


def test_tempo_and_jaeger_give_the_same_trace(recorded: Trace) -> None:
    with _server((200, _as_tempo_writes_it(json.loads(RECORDED)))) as (url, asked):
        trace = fetch_trace(url, TRACE_ID, backend="tempo")
    assert asked == [f"/api/v2/traces/{TRACE_ID}"]
    assert trace == recorded


def test_attributes_of_every_type_and_links_are_read() -> None:
    values = {
        "s": {"stringValue": "a"},
        "i": {"intValue": "-9223372036854775808"},
        "d": {"doubleValue": 1.5},
        "b": {"boolValue": False},
        "y": {"bytesValue": "AAEC"},
        "l": {"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "x"}]}},
        "m": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}},
        "e": {},
    }
    span = {
        "traceId": TRACE_ID,
        "spanId": "00f067aa0ba902b7",
        "startTimeUnixNano": 5,
        "endTimeUnixNano": "7",
        "attributes": [{"key": key, "value": value} for key, value in values.items()],
        "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331"}],
    }
    (read,) = parse_trace(TRACE_ID, {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).spans
    expected = {"s": "a", "i": -(2**63), "d": 1.5, "b": False, "y": b"\0\1\2", "l": (1, "x"), "m": {"k": True}, "e": None}
    assert read.attributes == expected
    assert (read.links[0].trace_id, read.links[0].span_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert (read.kind, read.status, read.service, read.duration_ns) == ("unspecified", "unset", "unknown", 2)


def test_a_span_that_was_delivered_twice_is_there_once(recorded: Trace) -> None:
    document = json.loads(RECORDED)["result"]
    doubled = {"resourceSpans": document["resourceSpans"] * 2}
    assert parse_trace(TRACE_ID, doubled) == recorded


@pytest.mark.parametrize(
    "first",
    [(404, b'{"error":{"httpCode":404,"message":"No traces found"}}'), (200, b""), (200, b'{"trace":{}}'), (503, b"starting")],
)
def test_a_trace_that_is_not_there_yet_is_waited_for(first: Answer) -> None:
    with _server(first, first, (200, RECORDED)) as (url, asked):
        assert fetch_trace(url, TRACE_ID, wait_seconds=120).services == ("portal", "chain")
    assert len(asked) == 3


def test_a_server_that_comes_up_late_is_waited_for() -> None:
    # A bound socket that does not listen yet refuses connections, and keeps the port.
    with _server((200, RECORDED), listens_after=0.4) as (url, asked):
        assert fetch_trace(url, TRACE_ID, wait_seconds=120).services == ("portal", "chain")
    assert len(asked) == 1


@pytest.mark.parametrize("until", [{"portal", "provider-daemon"}, lambda trace: len(trace.spans) > 6])
def test_a_trace_is_waited_for_until_it_has_what_was_asked_for(until: set[str] | Callable[[Trace], bool]) -> None:
    document = json.loads(RECORDED)
    more = json.loads(json.dumps(document["result"]["resourceSpans"][0]))
    more["resource"]["attributes"] = [{"key": "service.name", "value": {"stringValue": "provider-daemon"}}]
    for number, span in enumerate(more["scopeSpans"][0]["spans"]):
        span["spanId"] = f"{number + 1:016x}"
    document["result"]["resourceSpans"].append(more)
    with _server((200, RECORDED), (200, json.dumps(document).encode())) as (url, asked):
        assert "provider-daemon" in fetch_trace(url, TRACE_ID, wait_seconds=120, until=until).services
    assert len(asked) == 2
    with _server((200, RECORDED)) as (url, _), pytest.raises(TraceNotFoundError, match="portal, chain"):
        fetch_trace(url, TRACE_ID, until=until)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((404, b""), "not stored yet, not sampled, or older"),
        ((400, b"bad"), "status 400"),
        ((302, b""), "status 302"),
        ((500, b""), "status 500"),
        ((200, b"<html>login</html>"), "Expecting value"),
        ((200, b"[]"), "no OTLP JSON"),
        ((200, b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"x"}]}]}]}'), "no OTLP JSON"),
        ((200, b'{"resourceSpans":[3]}'), "no OTLP JSON"),
    ],
)
def test_an_answer_that_is_no_trace_says_what_it_was(answer: Answer, says: str) -> None:
    with _server(answer) as (url, _), pytest.raises(QueryError, match=says):
        fetch_trace(url, TRACE_ID)


@pytest.mark.parametrize("identifier", ["", "zz", "0" * 32, "d494b736b33a8d60", "../../config"])
def test_an_id_that_is_no_trace_id_is_refused_before_anything_is_asked(identifier: str) -> None:
    with _server((200, RECORDED)) as (url, asked), pytest.raises(QueryError, match="32 hexadecimal digits"):
        fetch_trace(url, identifier)
    assert asked == []


def test_a_server_that_is_not_there_is_named_within_the_time_to_wait() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{holder.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(QueryError, match=rf"{url}: cannot be reached \(.*refused"):
            fetch_trace(url, TRACE_ID, wait_seconds=0.5)
    assert 0.4 < time.monotonic() - started < 2 + 10  # the second is a loaded machine's


def test_the_command_shows_the_tree_or_the_spans_and_its_status_tells_them_from_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recorded: Trace
) -> None:
    path = tmp_path / "outputs.json"
    with _server((200, RECORDED)) as (url, _):
        path.write_text(json.dumps(mapping(query_url=url, otlp_token="[secret]")))
        assert main(["trace", TRACE_ID, "--outputs", str(path)]) == 0
        assert capsys.readouterr().out == render_tree(recorded) + "\n"
        assert main(["trace", TRACE_ID, "--outputs", str(path), "--json"]) == 0
        assert [span["name"] for span in json.loads(capsys.readouterr().out)["spans"]] == [span.name for span in recorded.spans]
    with _server((404, b"")) as (url, _):
        path.write_text(json.dumps(mapping(query_url=url)))
        assert main(["trace", TRACE_ID, "--outputs", str(path), "--wait", "0"]) == 1
        assert "Next: try again with --wait" in capsys.readouterr().err
    assert main(["trace", TRACE_ID, "--outputs", str(path), "--wait", "0"]) == 1
    assert "cannot be reached" in capsys.readouterr().err
    assert main(["trace", TRACE_ID]) == 2
    assert "VIRTENGINE_TRACING_OUTPUTS" in capsys.readouterr().err
