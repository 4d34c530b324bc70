"""Answers of a store that may have left out traces are not taken for all that there is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from stacks.copies.pieces import MOST, Source
from stacks.show.errors import QueryError
from tests.stacks.show.query_server import query_server
from tests.tracing_lib.samples import mapping
from tracing_lib.contract.outputs import Outputs

if TYPE_CHECKING:
    from tests.stacks.show.query_server import Answer


def answer(*traces: tuple[str, int, float]) -> Answer:
    """Traces of a service: the digit of the id, the number of spans, and when they began."""
    groups: list[dict[str, Any]] = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "portal"}}]},
            "scopeSpans": [{"spans": [{"traceId": digit * 32, "startTimeUnixNano": str(round(began * 1e9))}] * spans}],
        }
        for digit, spans, began in traces
    ]
    return 200, json.dumps({"result": {"resourceSpans": groups}}).encode()


def source(url: str, **more: object) -> Source:
    return Source(Outputs.parse(mapping(query_url=url, backend="jaeger")), **more)  # type: ignore[arg-type]  # settings of a source


def times(asked: list[str]) -> list[tuple[str, str]]:
    """The time of each search."""
    queries = [parse_qs(urlsplit(path).query) for path in asked]
    return [(query["query.start_time_min"][0][17:23], query["query.start_time_max"][0][17:23]) for query in queries]


def test_a_time_with_more_spans_than_an_index_gives_rows_is_searched_in_halves() -> None:
    # Cassandra's rows reach for the spans of one trace and not for the other's.
    answers = [answer(("a", 700, 13)), answer(("a", 350, 11)), answer(("a", 350, 13), ("b", 1, 14))]
    with query_server(*answers) as (url, asked):
        found = [ids(documents) for documents in source(url, service="portal").traces(10.001, 13.999)]
    assert found == [{"a"}, {"b"}]
    assert times(asked) == [("10.000", "14.000"), ("10.000", "12.000"), ("12.000", "14.000")]


def ids(documents: list[dict[str, Any]]) -> set[str]:
    """The digit of each trace."""
    return {document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"][0] for document in documents}


def test_a_trace_that_several_services_take_part_in_comes_once() -> None:
    services: Answer = (200, b'{"services": ["", "portal", "chain"]}')
    with query_server(services, answer(("a", 1, 11), ("b", 1, 11)), answer(("b", 1, 11), ("c", 1, 11))) as (url, asked):
        assert [ids(documents) for documents in source(url).traces(10, 12)] == [{"a", "b"}, {"c"}]
        assert len(asked) == 3, "a service without a name is not searched"


def test_more_traces_than_an_answer_holds_within_a_millisecond_are_said() -> None:
    many = [{"scopeSpans": [{"spans": [{"traceId": f"{number:032x}", "startTimeUnixNano": "0"}]}]} for number in range(MOST)]
    body = json.dumps({"result": {"resourceSpans": many}}).encode()
    with query_server((200, body)) as (url, _), pytest.raises(QueryError, match="200 traces of portal or more within"):
        list(source(url, service="portal").traces(10, 11))
