"""A stored trace, read back and shown: the tree, a table by service, and where to look at it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.request import urlopen

from stacks.show.errors import QueryError
from stacks.show.fetch import holder, protocol_of
from stacks.show.page import write_page
from stacks.show.query import fetch_trace
from stacks.show.tree import render_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from stacks.show.stored import Trace
    from tracing_lib.contract.outputs import Outputs

__all__ = ["QueryError", "as_json", "fetch", "links", "render_tree", "where_to_look"]

PLACEHOLDER_MARK = b"not compiled with the UI assets"
"""Text on the page of a Jaeger that was built from its Go module, which lacks the user interface."""


def fetch(outputs: Outputs, trace_id: str, *, wait_seconds: float, services: Collection[str] = ()) -> Trace:
    """The trace as the backend has it, waited for until it has spans of all ``services``. Raises ``QueryError``."""
    return fetch_trace(outputs, trace_id, wait_seconds=wait_seconds, until=services or None)


def links(outputs: Outputs, trace: Trace, pages: Path) -> Iterator[tuple[str, str]]:
    """URLs of a trace in the store that has it, each with a word. Without a user interface a page is written into the folder ``pages``."""
    trace_id, outputs = trace.trace_id, holder(outputs, trace)
    if protocol_of(outputs) == "tempo":
        yield "ui", outputs.trace_url(trace_id)
        yield "api", f"{outputs.query_url}/api/v2/traces/{trace_id}"
        return
    if _has_interface(outputs.ui_url):
        yield "ui", outputs.trace_url(trace_id)
    else:
        yield "page", write_page(trace, pages, beside=[f"not told: {sentence}" for sentence in trace.untold]).as_uri()
    yield "api", f"{outputs.query_url}/api/v3/traces/{trace_id}"


def where_to_look(outputs: Outputs, read: str) -> str:
    """Say where people look at traces: at the user interface, or, of a Jaeger that was built without it, by the command ``read``."""
    page = _page(outputs.query_url) if outputs.backend == "jaeger" else None
    if page is None or PLACEHOLDER_MARK not in page:
        return f"user interface {outputs.ui_url}"
    login = "" if outputs.ui_url.startswith(outputs.query_url) else f", with a login {outputs.ui_url}"
    return f"query API {outputs.query_url}{login}; this Jaeger is built without its user interface, so read traces by: {read}"


def _has_interface(url: str) -> bool:
    page = _page(url)
    return page is not None and PLACEHOLDER_MARK not in page


def _page(url: str) -> bytes | None:
    """The page at a URL; None where nothing can be read there."""
    if not url.startswith(("http://", "https://")):
        return None
    try:
        with urlopen(url, timeout=2) as page:  # noqa: S310 - the scheme was looked at
            found: bytes = page.read()
            return found
    except OSError:
        return None


def as_json(trace: Trace) -> str:
    """A trace for programs."""
    return json.dumps(asdict(trace), sort_keys=True, indent=2, default=bytes.hex)
