"""Spans of HTTP: ``AsgiTracing`` for servers, which serves WebSockets as well, and ``trace_httpx`` for clients.

``trace_httpx`` needs the extra ``httpx``.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__, extras={"client": "httpx"})
