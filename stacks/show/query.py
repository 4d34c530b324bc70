"""Fetch a stored trace, and wait until it is complete enough for its reader."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from stacks.show import fetch
from stacks.show.errors import TraceNotFoundError
from stacks.show.stored import Trace
from tracing_lib.base.errors import explain

if TYPE_CHECKING:
    from tracing_lib.contract.outputs import Outputs

__all__ = ["Trace", "Until", "fetch_trace"]

Until = Callable[[Trace], bool] | Collection[str]
"""Condition of a complete trace: a predicate, or the names of services that must have a span in it."""

_POLL_SECONDS: Final = 0.2


def fetch_trace(outputs: Outputs, trace_id: str, *, wait_seconds: float = 0.0, until: Until | None = None) -> Trace:
    """Return the trace with this id (32 hexadecimal digits), once ``until`` holds; default: as soon as the store has any span of it.

    For up to ``wait_seconds`` (default 0: one request) the request is repeated. Raises ``TraceNotFoundError`` when the trace is not there
    or not complete at the end of that time, and ``QueryError`` as ``stacks.show.fetch.fetch_trace`` does.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        trace = fetch.fetch_trace(outputs, trace_id, wait_seconds=max(deadline - time.monotonic(), 0.0))
        missing = _missing(trace, until)
        if missing is None:
            return trace
        if time.monotonic() >= deadline:
            then = "wait longer (--wait), and check that the other services export"
            raise TraceNotFoundError(explain(f"trace {trace.trace_id}", missing, "a complete trace", then))
        time.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0.0)))


def _missing(trace: Trace, until: Until | None) -> str | None:
    """Return a sentence on what the trace lacks, or None for a complete one."""
    if until is None:
        return None
    if callable(until):
        return None if until(trace) else f"has {len(trace.spans)} spans of {', '.join(trace.services)}, and is not complete"
    absent = sorted(set(until) - set(trace.services))
    return f"has no span of {', '.join(absent)} (but of {', '.join(trace.services)})" if absent else None
