"""An HTTP request that is being served, until its answer begins, in Python; the same as ``_c/exchange.h``, of which ``native`` chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tracing_lib.fast.pure import serve, traceparent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from tracing_lib.fast.plain import PlainAttributes
    from tracing_lib.fast.pure import SourceCore

_Exchange = TypeVar("_Exchange", bound="ExchangeCore")


class ExchangeCore:
    """What is known of a request, and its way out."""

    scope: MutableMapping[str, Any]
    root_path: str
    path: str
    span: Span
    active: Context
    """The context in which the span is current."""
    ended: bool = False
    _receive: Callable[[], Awaitable[MutableMapping[str, Any]]]
    _send: Callable[[MutableMapping[str, Any]], Awaitable[None]]
    _option: bool = False
    """Of a request whether its answer names the trace."""
    _status: int | None = None
    _gone: bool = False
    """Whether the client left before it was answered."""
    _trailers: bool = False
    """Whether trailers end the answer."""

    if TYPE_CHECKING:  # what the class that is made from this one does

        def _send_more(self, message: MutableMapping[str, Any]) -> Awaitable[None]: ...

    def send(self, message: MutableMapping[str, Any]) -> Awaitable[None]:
        """Send, noticing the status and the end of the answer."""
        if message["type"] != "http.response.start":
            return self._send_more(message)
        self._status = message["status"]
        self._trailers = bool(message.get("trailers"))
        if self._option:
            ids = getattr(self.span, "ids", None) or self.span.get_span_context()
            message["headers"] = [*message.get("headers", ()), (b"traceresponse", traceparent(ids).encode())]
        return self._send(message)


def exchange(  # noqa: PLR0917  called for every request
    cls: type[_Exchange],
    source: SourceCore,
    before: Context,
    known: Mapping[tuple[object, ...], tuple[str, PlainAttributes]],
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    option: bool,  # noqa: FBT001
) -> _Exchange | None:
    """Return a request whose span has started, or none where it takes more. ``known``: what the spans of such requests begin with."""
    get, server = scope.get, scope.get("server")
    same = get("method", "GET"), get("type"), get("scheme"), get("http_version"), tuple(server) if type(server) is list else server
    start = known.get(same) if type(scope) is dict else None
    entered = None if start is None else serve(source, before, *start, get("headers") or (), None)
    if entered is None:
        return None
    made = cls.__new__(cls)
    made.scope, made.root_path, made.path = scope, get("root_path", ""), get("path", "")
    made._receive, made._send, made._option = receive, send, option
    made.span, made.active = entered
    return made
