"""Stored traces, read back from the query API of Jaeger v2 or Tempo.

``trace`` has the types and reads the JSON of OTLP, ``query`` fetches one trace. The doctor finds its test span by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.reading.query import fetch_trace
    from tracing_lib.reading.trace import Event, Link, Span, Trace
else:
    __getattr__, __dir__ = offer(__name__, {"query": ("fetch_trace",), "trace": ("Event", "Link", "Span", "Trace")})

__all__ = ["Event", "Link", "Span", "Trace", "fetch_trace"]
