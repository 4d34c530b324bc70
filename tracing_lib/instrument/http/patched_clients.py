"""All httpx clients of a process, traced."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import httpx

from tracing_lib.instrument.http.client import trace_automatically

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


def patch(provider: TracerProvider | None) -> None:
    """Trace every httpx client that is made from now on."""
    for kind in (httpx.Client, httpx.AsyncClient):
        _patch(kind, provider)


def _patch(kind: Any, provider: TracerProvider | None) -> None:  # noqa: ANN401  one of two classes
    plain = kind.__init__

    @functools.wraps(plain)
    def made(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  as the class takes them
        plain(self, *arguments, **options)
        trace_automatically(self, provider)

    kind.__init__ = made
