"""Spans of a WebSocket's messages: ``trace_websocket`` for clients. ``tracing_lib.instrument.http.AsgiTracing`` has the server's side.

Needs the extra ``websockets``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.instrument.websocket.client import trace_websocket
else:
    __getattr__, __dir__ = offer(__name__, {"client": ("trace_websocket",)}, extras={"client": "websockets"})

__all__ = ["trace_websocket"]
