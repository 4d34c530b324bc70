"""Reading a trace back: real answers, over real HTTP, and what is said when there is none."""

from __future__ import annotations

import base64
import json
import socket
import time

import pytest

from stacks.show.errors import QueryError
from stacks.show.fetch import HEADERS, fetch_trace, headers
from stacks.show.stored import Trace, parse_trace
from tests.stacks.show.query_server import RECORDED, TRACE_ID, Answer, outputs_of, query_server


@pytest.fixture
def recorded() -> Trace:
    return parse_trace(TRACE_ID, json.loads(RECORDED))


def test_the_recorded_answer_of_jaeger_is_read_whole() -> None:
    with query_server((200, RECORDED)) as (url, asked):
        trace = fetch_trace(outputs_of(url), TRACE_ID.upper())
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
    with query_server((200, _as_tempo_writes_it(json.loads(RECORDED)))) as (url, asked):
        trace = fetch_trace(outputs_of(url, "tempo"), TRACE_ID)
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
    with query_server(first, first, (200, RECORDED)) as (url, asked):
        assert fetch_trace(outputs_of(url), TRACE_ID, wait_seconds=120).services == ("portal", "chain")
    assert len(asked) == 3


def test_a_server_that_comes_up_late_is_waited_for() -> None:
    # A bound socket that does not listen yet refuses connections, and keeps the port.
    with query_server((200, RECORDED), listens_after=0.4) as (url, asked):
        assert fetch_trace(outputs_of(url), TRACE_ID, wait_seconds=120).services == ("portal", "chain")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((404, b""), "not stored yet, was not sampled, or is older"),
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
    with query_server(answer) as (url, _), pytest.raises(QueryError, match=says):
        fetch_trace(outputs_of(url), TRACE_ID)


@pytest.mark.parametrize("identifier", ["", "zz", "0" * 32, "d494b736b33a8d60", "../../config"])
def test_an_id_that_is_no_trace_id_is_refused_before_anything_is_asked(identifier: str) -> None:
    with query_server((200, RECORDED)) as (url, asked), pytest.raises(QueryError, match="32 hexadecimal digits"):
        fetch_trace(outputs_of(url), identifier)
    assert asked == []


def test_a_server_that_is_not_there_is_named_within_the_time_to_wait() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{holder.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(QueryError, match=rf"{url}: cannot be reached \(.*refused.*python -m stacks run staging\)"):
            fetch_trace(outputs_of(url).model_copy(update={"environment": "staging"}), TRACE_ID, wait_seconds=0.5)
    assert 0.4 < time.monotonic() - started < 2 + 10  # the second is a loaded machine's


def test_a_store_that_names_no_api_is_told_with_its_user_interface_and_the_setting() -> None:
    there = outputs_of("https://ui.example.org").model_copy(update={"backend": "otlp", "query_protocol": "none"})
    with pytest.raises(QueryError, match=r"names no query API.*backend\.query_protocol") as refused:
        fetch_trace(there, TRACE_ID)
    assert there.ui_url in str(refused.value)


@pytest.mark.parametrize(("protocol", "path"), [("jaeger", "/api/v3/traces/"), ("tempo", "/api/v2/traces/")])
def test_a_store_that_is_there_already_is_asked_by_the_api_that_is_named(protocol: str, path: str) -> None:
    with query_server((404, b"")) as (url, asked):
        there = outputs_of(url).model_copy(update={"backend": "otlp", "query_protocol": protocol})
        with pytest.raises(QueryError, match="has no trace"):
            fetch_trace(there, TRACE_ID)
    assert asked == [f"{path}{TRACE_ID}"]


def test_headers_of_whoever_reads_are_sent_and_a_login_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HEADERS, "authorization=Bearer%20abc, x-scope-orgid=virtengine")
    assert headers() == {"authorization": "Bearer abc", "x-scope-orgid": "virtengine"}
    with query_server((401, b"")) as (url, _), pytest.raises(QueryError, match=HEADERS):
        fetch_trace(outputs_of(url), TRACE_ID)
    monkeypatch.setenv(HEADERS, "no header")
    with pytest.raises(QueryError, match="name=value"):
        headers()
