"""Find the traces that have a span with given attributes, in Jaeger v2 or Tempo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from stacks.show.errors import QueryError, QueryRefusedError, TraceNotFoundError, first_line
from stacks.show.fetch import get, protocol_of, readable
from tracing_lib.base.errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from tracing_lib.contract.outputs import Outputs

_MOST: Final = 1000
_SEARCH_SECONDS: Final = 60.0
_MICROSECONDS: Final = 1_000_000
_NANOSECONDS: Final = 1_000_000_000
_EARLIER_SECONDS: Final = 5
_TRACE_ID_DIGITS: Final = 32


INDEX_ROWS: Final = 3
"""Rows of an index that Jaeger reads of Cassandra for each trace that is asked for. A trace has a row for each of its spans, so a search
may come back with fewer traces than it was asked for and have left out others (2.13, cassandra/spanstore/reader.go)."""

_NARROWEST_SECONDS: Final = {"jaeger": 0.001, "tempo": 1.0}
"""Shortest time that is searched by itself. Tempo's searches begin and end on whole seconds."""


class _Window(NamedTuple):
    since: float
    until: float
    most: int


class Found(NamedTuple):
    """Ids of traces, sorted; the names of services that a store lists and cannot be asked for; why one of two stores is silent."""

    trace_ids: tuple[str, ...]
    unasked: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()


def find_traces(
    outputs: Outputs,
    attributes: dict[str, str],
    *,
    since: float,
    until: float,
    services: Collection[str] | None = None,
    most: int = _MOST,
) -> Found:
    """Return the traces in which one span has all these attributes.

    ``since`` and ``until`` bound the start of such a trace, in seconds since 1970 (UTC). ``services`` limits the search to their spans;
    default: every service that the store knows, because Jaeger searches service by service; one that it refuses to search is returned
    as ``unasked``. ``most`` is the limit of one response, default 1,000; where a response reaches it, the halves of its time are searched
    by themselves. Without attributes every trace is found. Of two stores each is asked, and one that fails is ``silent``. Raises
    ``QueryError`` when no server can be reached, or each refuses every search or has more than ``most`` traces in the shortest time that it
    can be asked for.
    """
    window, found, failed = _Window(since, until, most), list[Found](), list[QueryError]()
    for each in readable(outputs):
        try:
            found.append(_in_store(each, attributes, services, window))
        except QueryError as error:
            failed.append(error)
    if not found:
        raise failed[0]
    ids, unasked = ({one for part in found for one in part[field]} for field in (0, 1))
    return Found(tuple(sorted(ids)), tuple(sorted(unasked)), tuple(map(first_line, failed)))


def _in_store(outputs: Outputs, attributes: dict[str, str], services: Collection[str] | None, window: _Window) -> Found:
    if protocol_of(outputs) == "tempo":
        return Found(tuple(sorted(_halved(outputs, window, lambda part: _in_tempo(outputs, attributes, services, part)))))
    found: set[str] = set()
    refused: dict[str, QueryError] = {}
    asked = services_of(outputs) if services is None else services
    for service in asked:
        try:
            found |= _halved(outputs, window, lambda part, service=service: _of(outputs, service, attributes, part))  # type: ignore[misc]
        except QueryRefusedError as error:
            refused[service] = error
    if refused and len(refused) == len(asked):
        raise next(iter(refused.values()))
    return Found(tuple(sorted(found)), tuple(sorted(refused)))


def some_trace(outputs: Outputs, *, since: float, until: float) -> str | None:
    """The id of a trace that began between two times, in seconds since 1970; None where there is none.

    Raises ``QueryError`` as ``find_traces``.
    """
    window = _Window(since, until, 1)
    if protocol_of(outputs) == "tempo":
        return next((found for found in _in_tempo(outputs, {}, None, window) if found), None)
    return next((found for service in services_of(outputs) for found in _of(outputs, service, {}, window)), None)


def _halved(outputs: Outputs, window: _Window, search: Callable[[_Window], Iterator[str]]) -> set[str]:
    """Search a time, and its halves where a response may have left out traces."""
    found = list(search(window))
    if len(found) < window.most:
        return set(found) - {""}
    length = window.until - window.since
    if length <= _NARROWEST_SECONDS[protocol_of(outputs)]:
        wrong = f"has {window.most} traces or more within {length:g} s"
        raise QueryError(explain(outputs.query_url, wrong, "fewer at once", "ask for one service, or for another attribute"))
    middle = window.since + length / 2
    return _halved(outputs, window._replace(until=middle), search) | _halved(outputs, window._replace(since=middle), search)


def services_of(outputs: Outputs) -> list[str]:
    """The services that Jaeger lists. Raises ``QueryError``."""
    known = _asked(outputs, f"{outputs.query_url.rstrip('/')}/api/v3/services", "services")
    return [str(name) for name in known]


def _of(outputs: Outputs, service: str, attributes: dict[str, str], window: _Window) -> Iterator[str]:
    """Ask the API of Jaeger's own user interface: v3 over HTTP takes no attributes (read in 2.13, ``apiv3/http_gateway.go``)."""
    query = {
        "service": service,
        "start": int(window.since * _MICROSECONDS),
        "end": int(window.until * _MICROSECONDS),
        "limit": window.most,
    }
    wanted = urlencode(query | ({"tags": json.dumps(attributes)} if attributes else {}))
    traces = _asked(outputs, f"{outputs.query_url.rstrip('/')}/api/traces?{wanted}", "data")
    yield from map(_identifier, traces)
    # A response that may have left out traces counts as full.
    yield from [""] * (sum(_rows(trace, service, window) for trace in traces) // INDEX_ROWS - len(traces))


def _rows(trace: object, service: str, window: _Window) -> int:
    """Spans of a service in a trace that began in a time."""
    if not isinstance(trace, dict):
        return 0
    own = {key for key, process in (trace.get("processes") or {}).items() if process.get("serviceName") == service}
    begun = (span.get("startTime", 0) / _MICROSECONDS for span in trace.get("spans") or () if span.get("processID") in own)
    return sum(window.since <= moment <= window.until for moment in begun)


def _in_tempo(outputs: Outputs, attributes: dict[str, str], services: Collection[str] | None, window: _Window) -> Iterator[str]:
    """Search by TraceQL. An attribute name without a scope is searched in spans and in resources."""
    conditions = [f".{key} = {json.dumps(value)}" for key, value in attributes.items()]
    if services is not None:
        conditions.append("(" + " || ".join(f"resource.service.name = {json.dumps(name)}" for name in services) + ")")
    query = {"q": f"{{ {' && '.join(conditions)} }}", "end": int(window.until) + 1, "limit": window.most}
    try:
        found = _search(outputs, query | {"start": int(window.since)})
    except QueryError:
        # Tempo 3.0.3 refuses a search whose start is the second at which its blocks end, because one part of the search is then empty.
        found = _search(outputs, query | {"start": int(window.since) - _EARLIER_SECONDS})
    for trace in found:
        # What began earlier counts towards the limit of the response, and is no trace of this time.
        if isinstance(trace, dict):
            yield _identifier(trace) if int(trace.get("startTimeUnixNano", 0)) >= window.since * _NANOSECONDS else ""


def _search(outputs: Outputs, query: Mapping[str, object]) -> list[object]:
    return _asked(outputs, f"{outputs.query_url.rstrip('/')}/api/search?{urlencode(query)}", "traces")


def _asked(outputs: Outputs, url: str, key: str) -> list[object]:
    try:
        answer = json.loads(get(url, outputs.environment, seconds=_SEARCH_SECONDS).decode(errors="replace"))
        listed = answer.get(key) or []
    except TraceNotFoundError:
        return []
    except (ValueError, AttributeError):
        listed = None
    if not isinstance(listed, list):
        then = "check that query_url is the address of the query API, not of a login page in front of the user interface"
        raise QueryError(explain(url.partition("?")[0], f"answered without a list {key!r}", "the answer of a search", then))
    return listed


def _identifier(trace: object) -> str:
    # Tempo omits leading zeros.
    return str(trace["traceID"]).rjust(_TRACE_ID_DIGITS, "0") if isinstance(trace, dict) else ""
