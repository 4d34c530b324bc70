"""Spans of HTTP: ``AsgiTracing`` for servers, which serves WebSockets as well, and ``trace_httpx`` for clients.

``trace_httpx`` needs the extra ``httpx``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.instrument.http.asgi import AsgiTracing
    from tracing_lib.instrument.http.client import trace_httpx
else:
    __getattr__, __dir__ = offer(__name__, {"asgi": ("AsgiTracing",), "client": ("trace_httpx",)}, extras={"client": "httpx"})

__all__ = ["AsgiTracing", "trace_httpx"]
