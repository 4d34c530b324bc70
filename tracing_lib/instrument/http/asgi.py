"""``AsgiTracing``: the requests and WebSockets that an ASGI application serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from tracing_lib.base import conventions
from tracing_lib.fast.native import ExchangeCore
from tracing_lib.fast.native import exchange as quick_exchange
from tracing_lib.fast.plain import PlainAttributes
from tracing_lib.instrument.entering import serve
from tracing_lib.instrument.http.routes import template_of
from tracing_lib.instrument.http.spans import SCOPE, SERVER_ERRORS, method_of, name_of, set_status
from tracing_lib.instrument.source import TracerSource, fail
from tracing_lib.instrument.websocket.events import WebSocketEvents
from tracing_lib.propagation.current import SUPPRESSED, attach, get_current

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer, TracerProvider

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_SWITCHING: Final = 101
_FORBIDDEN: Final = 403
_MOST_KNOWN: Final = 64
_KNOWN: Final[dict[tuple[object, ...], tuple[str, PlainAttributes]]] = {}
"""The name and the attributes that the spans of a server's requests start with, by what they are made of."""


class AsgiTracing:
    """ASGI middleware: every HTTP request a span, every WebSocket one for its handshake and one for each event.

    Put it outside of all others (``app = AsgiTracing(Starlette(...))``, or first among Starlette's). A request's span is named by method
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
        self._app = app
        self._answer_trace = answer_trace
        self._envelope = envelope
        self._source = TracerSource(SCOPE, tracer_provider)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket in its span; pass anything else on."""
        before = get_current()
        exchange: _Request | _Socket | None = None
        if scope["type"] == "http" and not before.get(SUPPRESSED):
            exchange = quick_exchange(_Request, self._source, before, _KNOWN, scope, receive, send, self._answer_trace)
        if exchange is None:
            exchange = self._begin(scope, receive, send, before)
            if exchange is None:
                await self._app(scope, receive, send)
                return
        attach(exchange.active)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.end(error)
            raise
        else:
            exchange.end(None)
        finally:
            attach(before)

    def _begin(self, scope: Scope, receive: Receive, send: Send, before: Context) -> _Request | _Socket | None:
        """Start the span of a request or a handshake, the long way; None where there is none to start."""
        tracer = self._source.get()
        if tracer is None or before.get(SUPPRESSED):
            return None
        calls = receive, send
        if scope["type"] == "http":
            return _Request(scope, tracer, calls, option=self._answer_trace)
        return _Socket(scope, tracer, calls, option=self._envelope) if scope["type"] == "websocket" else None


class _Exchange(ExchangeCore):
    """The span of one request or handshake, from the first line to the answer."""

    template: str | None = None

    def __init__(self, scope: Scope, tracer: Tracer, calls: tuple[Receive, Send], *, option: bool) -> None:
        self.scope, (self._receive, self._send), self._option = scope, calls, option
        get, server = scope.get, scope.get("server")
        self.root_path, self.path = get("root_path", ""), get("path", "")
        same = get("method", "GET"), scope["type"], get("scheme"), get("http_version"), tuple(server) if type(server) is list else server
        name, attributes = _KNOWN.get(same) or _beginning(*same)
        self.span, self.active = serve(tracer, get("headers") or (), name, attributes)

    def route(self) -> None:
        """Name the span after the route, which is known once the application answers."""
        self.template = template_of(self.scope, self.path, self.root_path)
        if self.template is not None and self.span.is_recording():
            self.span.update_name(name_of(method_of(self.scope.get("method", "GET")), self.template))
            self.span.set_attribute(conventions.HTTP_ROUTE, self.template)

    def finish(self, error: BaseException | None) -> None:
        """End the span, once."""
        if self.ended:
            return
        self.ended = True
        if error is not None:
            fail(self.span, error)
        self.span.end()


def _beginning(
    asked: str, kind: str, scheme: str | None, version: str | None, server: tuple[str, int | None] | None
) -> tuple[str, PlainAttributes]:
    method = method_of(asked)
    attributes = PlainAttributes(
        {
            conventions.HTTP_REQUEST_METHOD: method,
            conventions.URL_SCHEME: scheme or ("ws" if kind == "websocket" else "http"),
        }
    )
    if version:
        attributes[conventions.NETWORK_PROTOCOL_VERSION] = version
    if server:
        attributes[conventions.SERVER_ADDRESS] = server[0]
        if server[1] is not None:
            attributes[conventions.SERVER_PORT] = server[1]
    beginning = name_of(method, None), attributes
    if len(_KNOWN) < _MOST_KNOWN:
        _KNOWN[asked, kind, scheme, version, server] = beginning
    return beginning


class _Request(_Exchange):
    async def receive(self) -> Message:
        """Receive, noticing a client that leaves before it was answered."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.ended:
            self._gone = True
        return message

    async def _send_more(self, message: Message) -> None:
        await self._send(message)
        last = message["type"] == ("http.response.trailers" if self._trailers else "http.response.body")
        # Of an error the exception is still to come: Starlette answers it first and raises it then.
        if last and not message.get("more_body") and not message.get("more_trailers") and (self._status or 0) < SERVER_ERRORS:
            self.finish(None)

    def end(self, error: BaseException | None) -> None:
        """End the span with what the application ended with."""
        if self.ended:
            return
        if self._status is None and isinstance(error, Exception):
            self._status = SERVER_ERRORS  # what every ASGI server answers in the application's stead
        if self._gone:
            self.span.set_attribute(conventions.CANCELLED, value=True)
        self.finish(error)

    def finish(self, error: BaseException | None) -> None:
        """Name the span, give it its status and end it, once: when the answer is on its way, which waits for nothing of this."""
        if not self.ended:
            self.route()
            if self._status is not None:
                set_status(self.span, self._status, SERVER_ERRORS)
        super().finish(error)


class _Socket(_Exchange):
    def __init__(self, scope: Scope, tracer: Tracer, calls: tuple[Receive, Send], *, option: bool) -> None:
        super().__init__(scope, tracer, calls, option=option)
        self.span.set_attribute(conventions.NETWORK_PROTOCOL_NAME, conventions.WEBSOCKET)
        self._events = WebSocketEvents(tracer, None, envelope=option)

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
            with self._events.sending(data) as enveloped:
                await self._send(message if enveloped is data else {**message, "text": enveloped})
            return
        if kind in ("websocket.accept", "websocket.close", "websocket.http.response.start") and not self.ended:
            status = _SWITCHING if kind == "websocket.accept" else cast("int", message.get("status", _FORBIDDEN))
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
