"""``AsgiTracing``: the requests and WebSockets that an ASGI application serves."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, cast

from opentelemetry.context import get_current
from opentelemetry.trace import NoOpTracer

from tracing_lib.base import conventions
from tracing_lib.base.background import SUPPRESSED
from tracing_lib.instrument.http.routes import template_of
from tracing_lib.instrument.http_spans import SCOPE, SERVER_ERRORS, method_of, set_status, span_name
from tracing_lib.instrument.socket_events import WebSocketEvents
from tracing_lib.instrument.source import TracerSource, fail, inside
from tracing_lib.propagation.headers import stand_outside

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

SERVED: Final = "virtengine.tracing"
"""Member of an ASGI scope that has its span, so that an ``AsgiTracing`` further in makes no second one."""


class AsgiTracing:
    """ASGI middleware: every HTTP request a span, every WebSocket one for its handshake and one for each event.

    Put it outside of all others (``app = AsgiTracing(Starlette(...))``, or first among Starlette's). Inside of another ``AsgiTracing`` it
    makes no second span, and its options hold. FastAPI's own telemetry is off inside of it. A request's span is named by method
    and route (``GET /orders/{order_id}``) where the application routes with Starlette or FastAPI, else by its method. Never recorded
    are the path that was asked for, the query, headers, addresses of clients, and bodies.

    A WebSocket's events are traces of their own, linked to the handshake and, where the message holds a ``traceparent``, to the
    sender; of an event that arrived the span is current from ``receive`` until the next ``receive``.

    ``answer_trace``: name the trace in the response header ``traceresponse`` (W3C Trace Context, level 2). ``envelope``: put the sender
    into every WebSocket message that is a JSON object, as its first member, ``traceparent``. ``tracer_provider``: by default
    OpenTelemetry's global one, also when it is set later.
    """

    def __init__(
        self, app: App, *, answer_trace: bool = False, envelope: bool = False, tracer_provider: TracerProvider | None = None
    ) -> None:
        self.app = app
        self.answer_trace = answer_trace
        self.envelope = envelope
        self.source = TracerSource(SCOPE, tracer_provider)
        stand_outside()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket in its span; pass anything else on."""
        before, kind = get_current(), _KINDS.get(scope["type"])
        if scope["type"] == "lifespan":
            stand_outside()
        exchange = None
        if (outer := scope.get(SERVED)) is not None:
            outer.opened(self)
        elif kind is not None and not before.get(SUPPRESSED):
            exchange = kind.begin(self, scope, receive, send)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        scope[SERVED] = exchange
        scope.setdefault("fastapi.telemetry", None)  # by which FastAPI (0.165) keeps itself from a second server span
        try:
            with exchange:
                await self.app(scope, exchange.receive, exchange.send)
        finally:
            scope.pop(SERVED, None)  # else exchange and scope would hold each other


class _Exchange(inside[None]):
    """The span of one request or handshake, from the first line to the response."""

    template: str | None = None
    ended = False
    _end_time: int | None = None  # when the last part of the response was sent, of a span that waits for the application's return

    @classmethod
    def begin(cls, tracing: AsgiTracing, scope: Scope, receive: Receive, send: Send) -> Self | None:
        """Start the span of a request or a handshake; None where nobody would receive it."""
        get, server = scope.get, scope.get("server")
        name, attributes = _beginning(get("method", "GET"), scope["type"], get("scheme"), get("http_version"), server and tuple(server))
        started = tracing.source.start_server_span(name, get("headers") or (), attributes)
        return None if started is None else cls(tracing, scope, receive, send, *started)

    def __init__(  # noqa: PLR0917  called for every request
        self, tracing: AsgiTracing, scope: Scope, receive: Receive, send: Send, span: Span, active: Context
    ) -> None:
        self.scope, self.root_path, self.path = scope, scope.get("root_path", ""), scope.get("path", "")
        self.span, self.active, self.leave = span, active, tracing.source.leave
        self._attach = tracing.source.attach
        self._receive, self._send = receive, send
        self.opened(tracing)

    def __enter__(self) -> None:
        self.token = self._attach(self.active)

    def opened(self, tracing: AsgiTracing) -> None:
        """Prepare what differs between requests and WebSockets."""

    def route(self) -> None:
        """Name the span after the route, which is known once the application answers."""
        self.template = template_of(self.scope, self.path, self.root_path)
        if self.template is not None and self.span.is_recording():
            self.span.update_name(span_name(method_of(self.scope.get("method", "GET")), self.template))
            self.span.set_attribute(conventions.HTTP_ROUTE, self.template)

    def finish(self, error: BaseException | None) -> None:
        """End the span, once."""
        if self.ended:
            return
        self.ended = True
        if error is not None:
            fail(self.span, error)
        self.span.end(self._end_time)


@functools.lru_cache(maxsize=64)
def _beginning(
    asked: str, kind: str, scheme: str | None, version: str | None, server: tuple[str, int | None] | None
) -> tuple[str, dict[str, str | int]]:
    """Return the name and the attributes that the spans of requests start with."""
    method = method_of(asked)
    attributes: dict[str, str | int] = {
        conventions.HTTP_REQUEST_METHOD: method,
        conventions.URL_SCHEME: scheme or ("ws" if kind == "websocket" else "http"),
    }
    if version:
        attributes[conventions.NETWORK_PROTOCOL_VERSION] = version
    if server:
        attributes[conventions.SERVER_ADDRESS] = server[0]
        if server[1] is not None:
            attributes[conventions.SERVER_PORT] = server[1]
    return span_name(method, None), attributes


class _Request(_Exchange):
    _answer_trace = False
    _status: int | None = None
    _gone = False
    """Whether the client left before it was answered."""
    _trailers = False
    """Whether trailers end the response."""
    _parts = False  # whether the response is sent in parts

    def opened(self, tracing: AsgiTracing) -> None:
        """Note whether the response is to name the trace."""
        self._answer_trace = tracing.answer_trace

    async def receive(self) -> Message:
        """Receive, noticing a client that leaves before it was answered."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.ended and self._end_time is None:
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        """Send, noticing the status and the end of the response."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._trailers = bool(message.get("trailers"))
            if self._answer_trace:
                # A copy: an application may send the same message with every response.
                message = {**message, "headers": [*message.get("headers", ()), (b"traceresponse", _traceresponse(self.span))]}
            await self._send(message)
            return
        await self._send(message)
        last = message["type"] == ("http.response.trailers" if self._trailers else "http.response.body")
        if not last or message.get("more_body") or message.get("more_trailers"):
            self._parts = True
        # Of an error the exception is still to come: Starlette answers it first and raises it then. So it does where a body that
        # middleware passes on breaks off: the middleware ends the response as if it were whole.
        elif self._parts or (self._status or 0) >= SERVER_ERRORS:
            self._end_time = time.time_ns()
        else:
            self.finish(None)

    def end(self, error: BaseException | None) -> None:
        """End the span with what the application ended with."""
        if self.ended:
            return
        if self._status is None and isinstance(error, Exception):
            self._status = SERVER_ERRORS  # what every ASGI server answers in the application's stead
        if self._gone:
            self.span.set_attribute(conventions.CANCELLED, value=True)
        self.finish(error if self._end_time is None or isinstance(error, Exception) else None)

    def finish(self, error: BaseException | None) -> None:
        """Name the span, give it its status and end it, once: when the answer is on its way, which waits for nothing of this."""
        if not self.ended:
            self.route()
            if self._status is not None:
                set_status(self.span, self._status, SERVER_ERRORS)
        super().finish(error)


class _Socket(_Exchange):
    def opened(self, tracing: AsgiTracing) -> None:
        """Begin to take events."""
        self.span.set_attribute(conventions.NETWORK_PROTOCOL_NAME, conventions.WEBSOCKET)
        self._events = WebSocketEvents(tracing.source.tracer() or NoOpTracer(), None, envelope=tracing.envelope)

    async def receive(self) -> Message:
        """Receive, ending the processing of one event and starting that of the next."""
        self._events.processed()
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self._events.received(_data(message))
        elif message["type"] == "websocket.disconnect" and not self.ended:
            self.span.set_attribute(conventions.CANCELLED, value=True)
        return message

    async def send(self, message: Message) -> None:
        """Send, with each event in its span."""
        kind = message["type"]
        if kind == "websocket.send":
            data = _data(message)
            with self._events.sending(data):
                enveloped = self._events.enveloped(data)
                await self._send(message if enveloped is data else {**message, "text": enveloped})
            return
        if kind in ("websocket.accept", "websocket.close", "websocket.http.response.start") and not self.ended:
            status = 101 if kind == "websocket.accept" else cast("int", message.get("status", 403))
            self._answered(status)
        await self._send(message)

    def _answered(self, status: int) -> None:
        self.route()
        set_status(self.span, status, SERVER_ERRORS)
        self.finish(None)
        self._events.opened(self.span.get_span_context(), self.template, self.active)

    def end(self, error: BaseException | None) -> None:
        """End what is open with what the application ended with."""
        if not self.ended:
            self.route()
            self.finish(error)
        elif not self._events.processed(error) and error is not None:
            self._events.broke(error)


def _data(message: Message) -> str | bytes:
    text = message.get("text")
    return text if text is not None else cast("bytes", message.get("bytes") or b"")


def _traceresponse(span: Span) -> bytes:
    """Return the header that names a span to the client (W3C Trace Context, level 2, "traceresponse")."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}".encode()


_KINDS: Final[dict[str, type[_Request | _Socket]]] = {"http": _Request, "websocket": _Socket}
"""The exchange of each kind of ASGI scope that has one."""
