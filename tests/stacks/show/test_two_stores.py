"""Traces of two stores: the first is asked first, and what it lacks comes from the second."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stacks.show.errors import QueryError, TraceNotFoundError
from stacks.show.fetch import fetch_trace, holder, reached, stores
from stacks.show.search import find_traces
from stacks.show.story import gather
from tests.stacks.show.query_server import TRACE_ID, query_server
from tests.tracing_lib.samples import mapping
from tracing_lib.contract.outputs import Outputs

if TYPE_CHECKING:
    from tests.stacks.show.query_server import Answer

NOT_THERE: Answer = (404, b"{}")


def spans(*numbers: int) -> Answer:
    """A trace with spans of these numbers."""
    listed = [
        {"traceId": TRACE_ID, "spanId": f"{number:016x}", "name": str(number), "startTimeUnixNano": str(number), "endTimeUnixNano": "9"}
        for number in numbers
    ]
    return 200, json.dumps({"result": {"resourceSpans": [{"scopeSpans": [{"spans": listed}]}]}}).encode()


def outputs_of(first: str, second: str, **more: Any) -> Outputs:  # noqa: ANN401  values of a contract
    also = {"backend": "jaeger", "query_url": second, "ui_url": second, "retention_seconds": 60} | more
    return Outputs.parse(mapping(query_url=first, ui_url=first, backend="jaeger", also=also))


@pytest.mark.parametrize(
    ("first", "second", "found", "held_by"),
    [
        (spans(1, 2), spans(1, 2), "12", 0),
        (NOT_THERE, spans(1, 2), "12", 1),
        (spans(2), spans(1, 2), "12", 1),
        (spans(2), spans(1), "12", 0),
        (spans(1), NOT_THERE, "1", 0),
        ((503, b""), spans(1), "1", 1),
    ],
)
def test_a_trace_is_found_whole_whichever_store_has_which_of_its_spans(first: Answer, second: Answer, found: str, held_by: int) -> None:
    with query_server(first) as (one, _), query_server(second) as (other, _):
        outputs = outputs_of(one, other)
        trace = fetch_trace(outputs, TRACE_ID)
        assert "".join(span.name for span in trace.spans) == found
        assert holder(outputs, trace).ui_url == (one, other)[held_by]


def test_a_trace_is_missing_when_both_stores_say_so_and_unknown_when_one_is_away() -> None:
    with query_server(NOT_THERE) as (one, _):
        with query_server(NOT_THERE) as (other, _), pytest.raises(TraceNotFoundError):
            fetch_trace(outputs_of(one, other), TRACE_ID)
        with query_server((503, b"")) as (other, _), pytest.raises(QueryError, match="status 503"):
            fetch_trace(outputs_of(one, other), TRACE_ID)


def test_a_search_finds_what_either_store_has_and_tells_of_one_that_is_silent() -> None:
    def listed(*ids: str) -> Answer:
        return 200, json.dumps({"data": [{"traceID": one * 32} for one in ids]}).encode()

    with query_server(listed("a", "b")) as (one, _):
        with query_server(listed("b", "c")) as (other, _):
            found = find_traces(outputs_of(one, other), {}, since=1, until=2, services=["portal"])
            assert found == (("a" * 32, "b" * 32, "c" * 32), (), ())
        with query_server((503, b"")) as (other, _):
            found = find_traces(outputs_of(one, other), {}, since=1, until=2, services=["portal"])
            assert found.trace_ids == ("a" * 32, "b" * 32)
            assert "status 503" in found.silent[0]


def test_a_trace_of_which_one_store_may_have_more_says_so() -> None:
    with query_server(spans(1)) as (one, _):
        for other_answer, told in (
            ((503, b""), "status 503"),
            ((401, b""), "status 401"),
            ((200, b"<html>"), "something else than a trace"),
        ):
            with query_server(other_answer) as (other, _):
                (sentence,) = fetch_trace(outputs_of(one, other), TRACE_ID).untold
                assert sentence.startswith("a store cannot be asked for more spans of it: ")
                assert told in sentence
                assert fetch_trace(outputs_of(other, one), TRACE_ID).untold == (sentence,)
        for other_answer in (NOT_THERE, spans(2)):
            with query_server(other_answer) as (other, _):
                assert fetch_trace(outputs_of(one, other), TRACE_ID).untold == (), "both were asked"


def found(trace_id: str) -> Answer:
    return 200, json.dumps({"traces": [{"traceID": trace_id, "startTimeUnixNano": str(2 * 10**9)}]}).encode()


def linking(to: str) -> Answer:
    """A trace with a span that links to another one."""
    span = {"traceId": TRACE_ID, "spanId": "1" * 16, "name": "1", "links": [{"traceId": to, "spanId": "2" * 16}]}
    return 200, json.dumps({"trace": {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}}).encode()


def test_a_story_goes_on_without_a_store_that_went_away_and_tells_what_it_lacks() -> None:
    with (
        query_server(found(TRACE_ID), linking("b" * 32), NOT_THERE) as (one, _),
        query_server((200, b'{"traces": []}'), (503, b"")) as (other, _),
    ):
        outputs = outputs_of(one, other, backend="tempo").model_copy(update={"backend": "tempo"})
        story = gather(outputs, "order", "1", since=1, until=3)
    assert [trace.trace_id for trace in story.traces] == [TRACE_ID]
    assert story.absent == (), "the store that is away may have it"
    cut, linked = story.untold
    assert cut.startswith("1 trace may lack spans: a store cannot be asked for more spans of it: ")
    assert linked.startswith(f"whether trace {'b' * 32}, which a link names, is stored: ")


def test_a_story_of_a_store_that_is_silent_tells_of_it_once() -> None:
    with query_server(found(TRACE_ID), linking(TRACE_ID)) as (one, _), query_server((503, b"")) as (other, _):
        outputs = outputs_of(one, other, backend="tempo").model_copy(update={"backend": "tempo"})
        (sentence,) = gather(outputs, "order", "1", since=1, until=3).untold
    assert sentence.startswith("a store cannot be searched: ")


def test_a_store_whose_api_is_not_known_is_not_asked() -> None:
    with query_server(spans(1)) as (one, _), query_server(spans(1, 2)) as (other, asked):
        assert len(fetch_trace(outputs_of(one, other, backend="otlp", query_protocol="none"), TRACE_ID).spans) == 1
        assert asked == []


def test_the_way_to_one_store_leads_to_no_other() -> None:
    outputs = outputs_of("http://a.example.org:1", "http://b.example.org:2")
    assert [store.query_url for store in stores(outputs)] == ["http://a.example.org:1", "http://b.example.org:2"]
    assert reached(outputs, "127.0.0.1", 9).also is None
