"""Fetch a stored trace from the query API of Jaeger v2 or Tempo, and wait for it where asked."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import time
import urllib.error
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit

from stacks.show.errors import QueryError, QueryRefusedError, TraceNotFoundError, first_line
from stacks.show.stored import Trace, joined, parse_trace
from tracing_lib.base.errors import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracing_lib.contract.outputs import Outputs

Protocol = Literal["jaeger", "tempo"]

HEADERS: Final = "VIRTENGINE_TRACING_QUERY_HEADERS"
"""Environment variable with headers of every request, ``name=value`` separated by commas and percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS
is: what a query API asks for that is not the stack's own."""

_PATHS: Final[dict[Protocol, str]] = {"jaeger": "/api/v3/traces/", "tempo": "/api/v2/traces/"}
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_REQUEST_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.2
_NOT_FOUND: Final = 404
_SERVER_ERRORS: Final = 500


class _UnavailableError(QueryError):
    """The server could not be reached or is not ready. A later request can succeed."""


def stores(outputs: Outputs) -> tuple[Outputs, ...]:
    """The outputs as each store has them, with its own URLs and no other store, in the order in which stores are asked."""
    first, other = outputs.model_copy(update={"also": None}), outputs.also
    return (first,) if other is None else (first, first.model_copy(update=dict(other)))


def readable(outputs: Outputs) -> tuple[Outputs, ...]:
    """The ``stores`` whose query API is known; the first where none is."""
    every = stores(outputs)
    return tuple(each for each in every if (each.query_protocol or each.backend) in _PATHS) or every[:1]


def protocol_of(outputs: Outputs) -> Protocol:
    """The query API of a stack's first store. Raises ``QueryError`` where none is known."""
    found = outputs.query_protocol or outputs.backend
    if found in {"none", "otlp"}:
        wrong = "names no query API by which traces could be read"
        then = f"look at {outputs.ui_url}, or name the API in the stack file and deploy: backend.query_url and backend.query_protocol"
        raise QueryError(explain(f"backend of {outputs.environment}", wrong, "the API of Jaeger or of Tempo", then))
    return "tempo" if found == "tempo" else "jaeger"


def reached(outputs: Outputs, host: str, port: int) -> Outputs:
    """The outputs of the first store with its query API at another host and port, from which there is a way to it."""
    netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return outputs.model_copy(update={"query_url": urlsplit(outputs.query_url)._replace(netloc=netloc).geturl(), "also": None})


def fetch_trace(outputs: Outputs, trace_id: str, *, wait_seconds: float = 0.0) -> Trace:
    """Return the trace with this id (32 hexadecimal digits), as the stores of the stack hold it now.

    Of two stores the second has the spans that the first lacks: a trace of before a move, or one that was cut by its begin. For up to
    ``wait_seconds`` (default 0: one request) the request is repeated while the server is away or does not have the trace. A trace that one
    store has while another cannot be asked is returned, with a sentence in ``untold``. Raises ``TraceNotFoundError`` when no server has the
    trace at the end of that time, and ``QueryError`` when it cannot be reached, refuses the request, or answers with something else than a
    trace.
    """
    identifier = trace_id.strip().lower()
    if not _TRACE_ID.fullmatch(identifier) or not identifier.strip("0"):
        right = "32 hexadecimal digits, not all zero (W3C Trace Context, trace-id)"
        raise QueryError(explain("trace id", f"is {trace_id[:40]!r}", right, "copy it from the log or from the traceparent header"))
    urls = [_url(each, identifier) for each in readable(outputs)]
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return _joined(urls, identifier, outputs.environment)
        except (_UnavailableError, TraceNotFoundError):
            if time.monotonic() >= deadline:
                raise
        time.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0.0)))


def _url(outputs: Outputs, trace_id: str) -> str:
    return f"{outputs.query_url.rstrip('/')}{_PATHS[protocol_of(outputs)]}{trace_id}"


def _joined(urls: Sequence[str], trace_id: str, environment: str) -> Trace:
    """The spans of a trace in all stores. One that is away, or refuses, hides nothing that another one has, and is told."""
    found: list[Trace] = []
    failed: list[QueryError] = []
    for url in urls:
        try:
            found.append(_fetch(url, trace_id, environment))
        except QueryError as error:
            failed.append(error)
    if not found:
        # Where one could not be asked, nobody knows that the trace is not there.
        raise next((error for error in failed if not isinstance(error, TraceNotFoundError)), failed[0])
    silent = (error for error in failed if not isinstance(error, TraceNotFoundError))
    untold = tuple(f"a store cannot be asked for more spans of it: {first_line(error)}" for error in silent)
    return replace(joined(trace_id, found), untold=untold)


def holder(outputs: Outputs, trace: Trace) -> Outputs:
    """The outputs of the store in which a person finds a trace: of those that have most of it the one that is asked first."""
    every = stores(outputs)
    return every[0] if len(every) == 1 else max(every, key=lambda each: _spans_in(each, trace.trace_id))


def _spans_in(outputs: Outputs, trace_id: str) -> int:
    try:
        return len(fetch_trace(outputs, trace_id).spans)
    except QueryError:
        return 0


def get_trace_document(outputs: Outputs, trace_id: str, *, seconds: float = _REQUEST_SECONDS) -> object:
    """Return the JSON in which the first store has a trace, received within ``seconds``. Raises as ``fetch_trace`` does."""
    url = _url(outputs, trace_id)
    try:
        document: object = json.loads(get(url, outputs.environment, seconds=seconds))
    except ValueError as error:
        raise QueryError(explain(url, f"answered with something else than a trace ({error})", "OTLP JSON", "check query_url")) from None
    return document


def _fetch(url: str, trace_id: str, environment: str) -> Trace:
    body = get(url, environment)
    try:
        trace = parse_trace(trace_id, json.loads(body.decode(errors="replace"))) if body.strip() else Trace(trace_id, ())
    except ValueError as error:
        wrong = f"answered with something else than a trace ({error})"
        then = "check that query_url is the address of the query API, not of a login page in front of the user interface"
        raise QueryError(explain(url, wrong, "OTLP JSON", then)) from None
    if not trace.spans:
        raise _not_found(url)
    return trace


def get(url: str, environment: str, *, seconds: float = _REQUEST_SECONDS) -> bytes:
    """Return the body of a GET response of a query server, received within ``seconds``.

    ``environment`` is the name of the environment whose server it is, for the advice of an error.
    Raises ``TraceNotFoundError`` for status 404, and ``QueryError`` for every other failure.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise QueryError(explain(url, "is not an HTTP address", "http://host:port", "correct query_url in the outputs"))
    request = urllib.request.Request(url, headers={"Accept": "application/json"} | headers())  # noqa: S310  the scheme is checked above
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
        runs = f"check that {environment} is deployed, or runs here (python -m stacks run {shlex.quote(environment)})"
        then = f"{runs}, and that query_url can be reached from this host"
        raise _UnavailableError(explain(server, f"cannot be reached ({reason})", "a running query server", then)) from None


def headers() -> dict[str, str]:
    """The headers that whoever reads has set. Raises ``QueryError`` for a text that is none."""
    pairs = [pair.partition("=") for pair in os.environ.get(HEADERS, "").split(",") if pair.strip()]
    if any(not name.strip() or not equals for name, equals, _ in pairs):
        then = f"export {HEADERS}=authorization=Bearer%20TOKEN"
        raise QueryError(explain(HEADERS, "holds something else than headers", "name=value, separated by commas", then))
    return {unquote(name.strip()): unquote(value.strip()) for name, _, value in pairs}


def _refused(url: str, status: int) -> QueryError:
    if status == _NOT_FOUND:
        return _not_found(url)
    error = _UnavailableError if status >= _SERVER_ERRORS else QueryRefusedError
    asks = status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}
    then = f"set the headers that it asks for in {HEADERS}" if asks else "read the log of the query server"
    return error(explain(url, f"answered with status {status}", "status 200", then))


def _not_found(url: str) -> TraceNotFoundError:
    wrong = "has no trace: it is not stored yet, was not sampled, or is older than the retention"
    then = "try again with --wait 30, and check that the service samples and exports"
    return TraceNotFoundError(explain(url, wrong, "a stored trace", then))
