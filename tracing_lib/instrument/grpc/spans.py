"""Common parts of the spans of gRPC calls: names, attributes, and which outcome is an error on which side.

From the semantic conventions 1.44, "gRPC": the span's name and ``rpc.method`` are ``package.Service/Method``; the status code is a
string; on the client every code but ``OK`` is an error, on the server those that are the server's fault.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import grpc
from opentelemetry.trace import StatusCode

from tracing_lib.base import conventions
from tracing_lib.base.fingerprints import qualified_type
from tracing_lib.instrument.source import record_exception

if TYPE_CHECKING:
    from opentelemetry.trace import Span

SCOPE: Final = "tracing_lib.grpc"
_SERVER_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}


@functools.lru_cache(maxsize=4096)
def method_of(path: str | bytes) -> tuple[str, dict[str, str | int]]:
    """Return a method's full name without the leading slash, and the attributes that every span of it starts with."""
    name = (path.decode() if isinstance(path, bytes) else path).lstrip("/")
    return name, {conventions.RPC_SYSTEM_NAME: conventions.GRPC, conventions.RPC_METHOD: name}


def code_of(code: object) -> grpc.StatusCode | None:
    """Return a status code however grpcio holds it: as itself, as a number, or not set."""
    return code if isinstance(code, grpc.StatusCode) else _BY_NUMBER.get(code) if isinstance(code, int) else None


def end_server(span: Span, code: grpc.StatusCode, error: BaseException | None = None) -> None:
    """Give a server's span its outcome and end it. ``error``: what the servicer raised by itself, not to abort."""
    if span.is_recording():
        span.set_attribute(conventions.RPC_RESPONSE_STATUS_CODE, code.name)
        if error is not None:
            record_exception(span, error)
        if code is grpc.StatusCode.CANCELLED:
            span.set_attribute(conventions.CANCELLED, value=True)
        if code in _SERVER_FAULTS:
            _set_error(span, code.name if error is None else qualified_type(error))
    span.end()


def end_client(span: Span, code: grpc.StatusCode | None, error: BaseException | None = None) -> None:
    """Give a client's span its outcome and end it. ``error``: what kept the call from being made or its answer from being read."""
    if span.is_recording():
        if code is not None:
            span.set_attribute(conventions.RPC_RESPONSE_STATUS_CODE, code.name)
        if error is not None:
            record_exception(span, error)
            _set_error(span, qualified_type(error))
        elif code is not None and code is not grpc.StatusCode.OK:
            if code is grpc.StatusCode.CANCELLED:
                span.set_attribute(conventions.CANCELLED, value=True)
            _set_error(span, code.name)
    span.end()


def _set_error(span: Span, kind: str) -> None:
    # The status' details are the servicer's words and may hold anything: they are not copied.
    span.set_attribute(conventions.ERROR_TYPE, kind)
    span.set_status(StatusCode.ERROR, kind)
