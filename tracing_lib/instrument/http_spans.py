"""Names, methods and statuses of HTTP spans (semantic conventions 1.44, "HTTP spans"), for HTTP and for the handshakes of WebSockets."""

from __future__ import annotations

import functools
from typing import Final

from opentelemetry.trace import Span, StatusCode

from tracing_lib.base import conventions

SCOPE: Final = "tracing_lib.http"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
SERVER_ERRORS: Final = 500
CLIENT_ERRORS: Final = 400


def method_of(method: str) -> str:
    """Return a request's method, or ``_OTHER`` for one that no standard knows: anybody may send any."""
    return method if method in METHODS else conventions.HTTP_OTHER_METHOD


@functools.lru_cache(maxsize=1024)
def span_name(method: str, template: str | None) -> str:
    """Return a span's name: method and template, never the path that was asked for."""
    shown = "HTTP" if method == conventions.HTTP_OTHER_METHOD else method
    return f"{shown} {template}" if template else shown


def set_status(span: Span, status: int, errors_from: int) -> None:
    """Set the response's status code, and for one of an error the span's status."""
    span.set_attribute(conventions.HTTP_RESPONSE_STATUS_CODE, status)
    if status >= errors_from:
        span.set_attribute(conventions.ERROR_TYPE, str(status))
        span.set_status(StatusCode.ERROR)
