"""Spans of a WebSocket's messages: ``trace_websocket`` for clients. ``tracing_lib.instrument.http.AsgiTracing`` has the server's side.

Needs the extra ``websockets``.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__, extras={"client": "websockets"})
