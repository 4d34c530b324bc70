"""A stored trace is waited for until it is complete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stacks.show.errors import TraceNotFoundError
from stacks.show.query import fetch_trace
from tests.stacks.show.query_server import RECORDED, TRACE_ID, outputs_of, query_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from stacks.show.stored import Trace


@pytest.mark.parametrize("until", [{"portal", "provider-daemon"}, lambda trace: len(trace.spans) > 6])
def test_a_trace_is_waited_for_until_it_has_what_was_asked_for(until: set[str] | Callable[[Trace], bool]) -> None:
    document = json.loads(RECORDED)
    more = json.loads(json.dumps(document["result"]["resourceSpans"][0]))
    more["resource"]["attributes"] = [{"key": "service.name", "value": {"stringValue": "provider-daemon"}}]
    for number, span in enumerate(more["scopeSpans"][0]["spans"]):
        span["spanId"] = f"{number + 1:016x}"
    document["result"]["resourceSpans"].append(more)
    with query_server((200, RECORDED), (200, json.dumps(document).encode())) as (url, asked):
        assert "provider-daemon" in fetch_trace(outputs_of(url), TRACE_ID, wait_seconds=10, until=until).services
    assert len(asked) == 2
    with query_server((200, RECORDED)) as (url, _), pytest.raises(TraceNotFoundError, match="portal, chain"):
        fetch_trace(outputs_of(url), TRACE_ID, until=until)


def test_a_complete_trace_is_returned_by_the_first_request() -> None:
    with query_server((200, RECORDED)) as (url, asked):
        assert fetch_trace(outputs_of(url), TRACE_ID, wait_seconds=10, until=["portal", "chain"]).services == ("portal", "chain")
    assert len(asked) == 1
