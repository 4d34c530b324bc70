"""The traces of a time out of a store, some at a time, as OTLP JSON in the store's own form.

Jaeger answers a search with whole traces, so nothing is read twice that one search has brought. Tempo's search gives ids.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from stacks.show.errors import QueryError, TraceNotFoundError
from stacks.show.fetch import get, get_trace_document, protocol_of
from stacks.show.search import INDEX_ROWS, find_traces, services_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.placement.outputs import Outputs

Document = dict[str, Any]
"""A trace as a mapping with ``resourceSpans``."""

MOST: Final = 200
"""Traces that are held at a time: a few megabytes of JSON, and ten times as much once it is read."""
_ASKED: Final = MOST + MOST // 10
"""Traces that a search is asked for: a store leaves some out that have just expired, and is not to seem to have no more for it."""
_NARROWEST_SECONDS: Final = 0.001
_AT_ONCE: Final = 4
"""Traces that are asked for at a time: a store that serves operators has most of its processors left."""
_REQUEST_SECONDS: Final = 60.0
_EDGE_SECONDS: Final = 0.001
"""A little more than the wanted time, because seconds in floating point are not exact to the microsecond."""


@dataclass(slots=True)
class Source:
    """A store that traces are copied out of: all of them, or those in which one service has a span.

    ``widths`` remembers for each service the time whose traces fit into one answer.
    """

    outputs: Outputs
    service: str | None = None
    widths: dict[str, float] = field(default_factory=dict)

    def traces(self, since: float, until: float) -> Iterator[list[Document]]:
        """Yield the traces that have a span in a time, in seconds since 1970, ``MOST`` at most together and each once.

        Raises ``QueryError``.
        """
        since, until = since - _EDGE_SECONDS, until + _EDGE_SECONDS
        if protocol_of(self.outputs) == "tempo":
            yield from self._read(since, until)
            return
        seen: set[str] = set()
        for service in [self.service] if self.service is not None else filter(None, services_of(self.outputs)):
            for found in self._searched(service, since, until):
                yield [document for trace_id, document in found.items() if trace_id not in seen]
                seen |= found.keys()

    def _read(self, since: float, until: float) -> Iterator[list[Document]]:
        services = None if self.service is None else [self.service]
        ids = find_traces(self.outputs, {}, since=since, until=until, services=services).trace_ids
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for first in range(0, len(ids), MOST):
                yield [found for found in pool.map(self._one, ids[first : first + MOST]) if found]

    def _one(self, trace_id: str) -> Document | None:
        """Return a trace; None for one that the store has dropped since the search."""
        try:
            answer: Any = get_trace_document(self.outputs, trace_id, seconds=_REQUEST_SECONDS)
        except TraceNotFoundError:
            return None
        found = answer.get("result") or answer.get("trace") or {}
        return found if found.get("resourceSpans") else None

    def _searched(self, service: str, since: float, until: float) -> Iterator[dict[str, Document]]:
        """Yield what the store has of a service in one part of a time after the other, each as long as one answer allows."""
        width = self.widths.get(service, until - since)
        while since < until:
            end = min(since + width, until)
            found, rows = self._answer(service, since, end)
            if len(found) >= MOST or (rows >= INDEX_ROWS * _ASKED and width > _NARROWEST_SECONDS):
                if width <= _NARROWEST_SECONDS:
                    wrong = f"has {MOST} traces of {service} or more within {width:g} s"
                    raise QueryError(f"{self.outputs.query_url}: {wrong}; copy the other services, by --service")
                width = min(width, end - since) / 2
                continue
            yield found
            since = end
            width *= 2 if len(found) < MOST / 4 else 1
        self.widths[service] = width

    def _answer(self, service: str, since: float, until: float) -> tuple[dict[str, Document], int]:
        """Return the traces of one answer by their ids, and the number of spans of the service that began in that time."""
        times = {f"query.start_time_{name}": _rfc3339(moment) for name, moment in (("min", since), ("max", until))}
        asked = urlencode({"query.service_name": service, **times, "query.num_traces": _ASKED})
        url = f"{self.outputs.query_url.rstrip('/')}/api/v3/traces?{asked}"
        try:
            groups = json.loads(get(url, self.outputs.environment, seconds=_REQUEST_SECONDS))["result"]["resourceSpans"]
        except TraceNotFoundError:
            return {}, 0
        except (ValueError, KeyError, TypeError) as error:
            raise QueryError(f"{url}: answered with something else than traces in OTLP JSON ({error}); check query_url") from None
        by_id: dict[str, list[Document]] = defaultdict(list)
        rows = 0
        for group in groups:
            if _service(group) == service:
                rows += sum(since * 1e9 <= int(span["startTimeUnixNano"]) <= until * 1e9 for span in _spans(group))
            for trace_id in {span["traceId"] for span in _spans(group)}:
                by_id[trace_id].append(_only(group, trace_id))
        return {trace_id: {"resourceSpans": found} for trace_id, found in by_id.items()}, rows


def _spans(group: Document) -> Iterator[Document]:
    return (span for scope in group.get("scopeSpans", ()) for span in scope.get("spans", ()))


def _service(group: Document) -> str:
    attributes = group.get("resource", {}).get("attributes", ())
    return next((str(pair["value"].get("stringValue")) for pair in attributes if pair["key"] == "service.name"), "")


def _only(group: Document, trace_id: str) -> Document:
    """The part of a resource's spans that belongs to a trace."""
    scopes = [
        scope | {"spans": [span for span in scope.get("spans", ()) if span["traceId"] == trace_id]} for scope in group.get("scopeSpans", ())
    ]
    return group | {"scopeSpans": [scope for scope in scopes if scope["spans"]]}


def _rfc3339(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="microseconds")
