"""What is asked of each backend, and what is made of its answer. That they answer so is shown on real servers (``tests/servers``)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from stacks.show.errors import QueryError
from stacks.show.search import find_traces
from tests.stacks.show.query_server import outputs_of, query_server

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

SECOND = 10**9


def answering(*answers: tuple[int, object]) -> AbstractContextManager[tuple[str, list[str]]]:
    """A query server with these answers in JSON, one after the other; its URL, and what it was asked."""
    return query_server(*((status, json.dumps(content).encode()) for status, content in answers))


def test_jaeger_is_asked_for_each_service_by_tags_in_microseconds() -> None:
    found = {"data": [{"traceID": "a" * 32}, {"traceID": "b" * 32}]}
    with answering((200, {"services": ["portal", "chain"]}), (200, found), (200, {"data": None})) as (url, asked):
        assert find_traces(outputs_of(url, "jaeger"), {"virtengine.order.id": "order-1"}, since=10, until=20).trace_ids == (
            "a" * 32,
            "b" * 32,
        )
    assert asked[0] == "/api/v3/services"
    query = parse_qs(urlsplit(asked[1]).query)
    assert query == {
        "service": ["portal"],
        "start": ["10000000"],
        "end": ["20000000"],
        "limit": ["1000"],
        "tags": ['{"virtengine.order.id": "order-1"}'],
    }


def test_tempo_is_asked_in_traceql_and_gives_whole_ids_of_traces_that_began_then() -> None:
    found = {"traces": [{"traceID": "abc", "startTimeUnixNano": str(15 * SECOND)}, {"traceID": "d" * 32, "startTimeUnixNano": "1"}]}
    with answering((200, found)) as (url, asked):
        ids = find_traces(outputs_of(url, "tempo"), {"virtengine.order.id": 'a"b'}, since=10, until=20, services=["portal", "chain"])
    assert ids.trace_ids == ("abc".rjust(32, "0"),)
    (traceql,) = parse_qs(urlsplit(asked[0]).query)["q"]
    assert traceql == '{ .virtengine.order.id = "a\\"b" && (resource.service.name = "portal" || resource.service.name = "chain") }'


def test_a_start_that_tempo_refuses_is_asked_for_again_a_little_earlier() -> None:
    found = {"traces": [{"traceID": "a" * 32, "startTimeUnixNano": str(15 * SECOND)}]}
    with answering((400, "start must be before end"), (200, found)) as (url, asked):
        assert find_traces(outputs_of(url, "tempo"), {}, since=10, until=20).trace_ids == ("a" * 32,)
    assert ["start=10&" in asked[0] + "&", "start=5&" in asked[1] + "&"] == [True, True]


@pytest.mark.parametrize("backend", ["jaeger", "tempo"])
def test_an_answer_that_is_no_list_is_said_to_be_none(backend: str) -> None:
    with answering((200, ["login"]), (200, ["login"])) as (url, _), pytest.raises(QueryError, match="answered without a list"):
        find_traces(outputs_of(url, backend), {}, since=10, until=20)


def test_nothing_found_is_no_error() -> None:
    with answering((404, "no traces")) as (url, _):
        assert find_traces(outputs_of(url, "jaeger"), {}, since=10, until=20, services=["portal"]).trace_ids == ()


def test_a_service_that_the_store_does_not_search_spoils_nothing_and_is_told() -> None:
    found = (200, {"data": [{"traceID": "a" * 32}]})
    with answering((200, {"services": ["", "portal"]}), (400, {}), found) as (url, _):
        assert find_traces(outputs_of(url, "jaeger"), {}, since=10, until=20) == (("a" * 32,), ("",), ())
    with answering((200, {"services": [""]}), (400, {})) as (url, _), pytest.raises(QueryError, match="status 400"):
        find_traces(outputs_of(url, "jaeger"), {}, since=10, until=20)


@pytest.mark.parametrize("backend", ["jaeger", "tempo"])
def test_where_a_response_is_full_the_halves_of_its_time_are_asked(backend: str) -> None:
    def page(*names: str) -> tuple[int, object]:
        traces = [{"traceID": name * 32, "startTimeUnixNano": str(19 * SECOND)} for name in names]
        return 200, {"data": traces, "traces": traces}

    with answering(page("a", "b"), page("a"), page("b", "c"), page("b"), page("c")) as (url, asked):
        found = find_traces(outputs_of(url, backend), {}, since=10, until=20, services=["portal"], most=2)
    assert found.trace_ids == tuple(name * 32 for name in "abc")
    starts = [int(parse_qs(urlsplit(path).query)["start"][0]) for path in asked]
    unit = 10**6 if backend == "jaeger" else 1
    assert starts == [10 * unit, 10 * unit, 15 * unit, 15 * unit, int(17.5 * unit)]


@pytest.mark.parametrize("backend", ["jaeger", "tempo"])
def test_more_traces_at_once_than_a_response_holds_are_told(backend: str) -> None:
    full = 200, {"data": [{"traceID": "a" * 32}], "traces": [{"traceID": "a" * 32, "startTimeUnixNano": str(20 * SECOND)}]}
    with answering(*[full] * 30) as (url, _), pytest.raises(QueryError, match="1 traces or more within"):
        find_traces(outputs_of(url, backend), {}, since=10, until=20, services=["portal"], most=1)


def test_a_response_with_more_spans_than_cassandra_reads_rows_counts_as_full() -> None:
    def trace(identifier: str, spans: int, start: float) -> dict[str, object]:
        own = [{"processID": "p", "startTime": start * 1e6}] * spans
        return {"traceID": identifier * 32, "spans": own, "processes": {"p": {"serviceName": "portal"}}}

    whole, first, second = ({"data": [trace("a", 6, 12)]}, {"data": [trace("a", 3, 12)]}, {"data": [trace("b", 3, 18)]})
    with answering((200, whole), (200, first), (200, second)) as (url, asked):
        found = find_traces(outputs_of(url, "jaeger"), {}, since=10, until=20, services=["portal"], most=2)
        assert found.trace_ids == ("a" * 32, "b" * 32)
        assert len(asked) == 3
