"""Reads a trace back from the query API of Jaeger v2 or Tempo, waiting for it where asked."""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tracing_lib.base.errors import QueryError, TraceNotFoundError, explain
from tracing_lib.contract.outputs import Outputs
from tracing_lib.reading.trace import Trace, parse_trace

if TYPE_CHECKING:
    from tracing_lib.contract.outputs import Backend

Until = Callable[[Trace], bool] | Collection[str]
"""When a trace has all that is waited for: a predicate, or the names of services that must have a span in it."""

_PATHS: Final[dict[Backend, str]] = {"jaeger": "/api/v3/traces/", "tempo": "/api/v2/traces/"}
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_REQUEST_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.2
_NOT_FOUND: Final = 404
_SERVER_ERRORS: Final = 500


class _UnavailableError(QueryError):
    """The server could not be reached or is not ready: worth another try while there is time."""


def fetch_trace(
    source: Outputs | str,
    trace_id: str,
    *,
    backend: Backend | None = None,
    wait_seconds: float = 0.0,
    until: Until | None = None,
) -> Trace:
    """Return the trace with this id (32 hex digits), as the store holds it now.

    ``source`` is the outputs of a stack, or the base URL of the query API with its ``backend`` (default ``jaeger``). For up to
    ``wait_seconds`` (default 0: one try) it is asked for again while the server is away, the trace is not there, or ``until`` does
    not hold. Raises ``TraceNotFoundError`` when the time is over and the trace, or what ``until`` asks of it, is not there;
    ``QueryError`` when the server cannot be reached, refuses, or answers something else.
    """
    identifier = trace_id.strip().lower()
    if not _TRACE_ID.fullmatch(identifier) or not identifier.strip("0"):
        right = "32 hexadecimal digits, not all zero (W3C Trace Context, trace-id)"
        raise QueryError(explain("trace id", f"is {trace_id[:40]!r}", right, "copy it from the log or from the traceparent header"))
    base, kind = (source.query_url, source.backend) if isinstance(source, Outputs) else (source, backend or "jaeger")
    url = f"{base.rstrip('/')}{_PATHS[kind]}{identifier}"
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            trace = _fetch(url, identifier)
            missing = _missing(trace, until)
        except (_UnavailableError, TraceNotFoundError):
            if time.monotonic() >= deadline:
                raise
        else:
            if missing is None:
                return trace
            if time.monotonic() >= deadline:
                then = "wait longer, and look whether the other services export at all"
                raise TraceNotFoundError(explain(f"trace {identifier}", missing, "a complete trace", then))
        time.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0.0)))


def _missing(trace: Trace, until: Until | None) -> str | None:
    """Say what is still waited for; none when nothing is."""
    if until is None:
        return None
    if callable(until):
        return None if until(trace) else f"has {len(trace.spans)} spans of {', '.join(trace.services)}, and not all that was waited for"
    absent = sorted(set(until) - set(trace.services))
    return f"has no span of {', '.join(absent)} (but of {', '.join(trace.services)})" if absent else None


def _fetch(url: str, trace_id: str) -> Trace:
    body = get(url)
    try:
        trace = parse_trace(trace_id, json.loads(body)) if body.strip() else Trace(trace_id, ())
    except ValueError as error:
        wrong = f"answered with something that is no trace ({error})"
        then = "look whether query_url is the address of the query API, and not of a login page before the UI"
        raise QueryError(explain(url, wrong, "OTLP JSON", then)) from None
    if not trace.spans:
        raise _not_found(url)
    return trace


def get(url: str, *, seconds: float = _REQUEST_SECONDS) -> bytes:
    """Return what a query server answers to GET, within ``seconds``. Raises ``QueryError``, and ``TraceNotFoundError`` for 404."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise QueryError(explain(url, "is no web address", "http://host:port", "look at query_url in the outputs"))
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  the scheme is checked above
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:  # noqa: S310  as above
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(url, error.code) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        server = f"{parts.scheme}://{parts.netloc}"
        then = "look whether the stack runs (python -m stacks run dev) and whether query_url is reachable from here"
        raise _UnavailableError(explain(server, f"cannot be reached ({reason})", "a running query server", then)) from None


def _refused(url: str, status: int) -> QueryError:
    if status == _NOT_FOUND:
        return _not_found(url)
    error = _UnavailableError if status >= _SERVER_ERRORS else QueryError
    return error(explain(url, f"answered with status {status}", "status 200", "look into the log of the query server"))


def _not_found(url: str) -> TraceNotFoundError:
    wrong = "is not there: not stored yet, not sampled, or older than the retention"
    then = "try again with --wait 30, and look whether the service samples and exports"
    return TraceNotFoundError(explain(url, wrong, "a stored trace", then))
