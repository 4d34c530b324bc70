"""``AsgiTracing``: the requests and WebSockets that an ASGI application serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from opentelemetry import context as contexts
from opentelemetry.trace import set_span_in_context

from tracing_lib import conventions
from tracing_lib.asgi_routes import template_of
from tracing_lib.http_spans import SCOPE, SERVER_ERRORS, method_of, name_of, set_status
from tracing_lib.propagation import arriving
from tracing_lib.recording import TracerSource, fail, suppressed
from tracing_lib.websocket_events import WebSocketEvents

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_SWITCHING: Final = 101
_FORBIDDEN: Final = 403


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
        tracer = self._source.get()
        if tracer is None or scope["type"] not in ("http", "websocket") or suppressed():
            await self._app(scope, receive, send)
            return
        exchange = _Request(scope, tracer, self._answer_trace) if scope["type"] == "http" else _Socket(scope, tracer, self._envelope)
        before = contexts.get_current()
        contexts.attach(exchange.active)
        try:
            await self._app(scope, exchange.receiving(receive), exchange.sending(send))
        except BaseException as error:
            exchange.end(error)
            raise
        else:
            exchange.end(None)
        finally:
            contexts.attach(before)


class _Exchange:
    """The span of one request or handshake, from the first line to the answer."""

    def __init__(self, scope: Scope, tracer: Tracer, method: str) -> None:
        self.scope = scope
        self.root_path: str = scope.get("root_path", "")
        self.path: str = scope.get("path", "")
        self.method = method_of(method)
        carrier: dict[str, object] = {}
        for key, value in scope.get("headers") or ():
            name = key.decode("latin-1").lower()
            carrier[name] = f"{carrier[name]},{value.decode('latin-1')}" if name in carrier else value.decode("latin-1")
        self.parent, kind = arriving(carrier)
        self.span: Span = tracer.start_span(name_of(self.method, None), self.parent, kind, self._attributes())
        self.active = set_span_in_context(self.span, self.parent)
        self.ended = False
        self.template: str | None = None

    def _attributes(self) -> dict[str, str | int]:
        scope = self.scope
        attributes: dict[str, str | int] = {
            conventions.HTTP_REQUEST_METHOD: self.method,
            conventions.URL_SCHEME: scope.get("scheme") or ("ws" if scope["type"] == "websocket" else "http"),
        }
        if scope.get("http_version"):
            attributes[conventions.NETWORK_PROTOCOL_VERSION] = scope["http_version"]
        server = scope.get("server")
        if server:
            attributes[conventions.SERVER_ADDRESS] = server[0]
            if server[1] is not None:
                attributes[conventions.SERVER_PORT] = server[1]
        return attributes

    def route(self) -> None:
        """Name the span after the route, which is known once the application answers."""
        self.template = template_of(self.scope, self.path, self.root_path)
        if self.template is not None and self.span.is_recording():
            self.span.update_name(name_of(self.method, self.template))
            self.span.set_attribute(conventions.HTTP_ROUTE, self.template)

    def finish(self, error: BaseException | None) -> None:
        """End the span, once."""
        if self.ended:
            return
        self.ended = True
        if error is not None:
            fail(self.span, error)
        self.span.end()


class _Request(_Exchange):
    def __init__(self, scope: Scope, tracer: Tracer, answer_trace: bool) -> None:  # noqa: FBT001  private, named at the class above
        super().__init__(scope, tracer, scope.get("method", ""))
        self._answer_trace = answer_trace
        self._status: int | None = None
        self._gone = False
        self._trailers = False

    def receiving(self, receive: Receive) -> Receive:
        """Return ``receive``, noticing a client that leaves before it was answered."""

        async def traced_receive() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and not self.ended:
                self._gone = True
            return message

        return traced_receive

    def sending(self, send: Send) -> Send:
        """Return ``send``, noticing the status and the end of the answer."""

        async def traced_send(message: Message) -> None:
            kind = message["type"]
            if kind == "http.response.start":
                self._answered(message)
            await send(message)
            last = kind == "http.response.trailers" if self._trailers else kind == "http.response.body"
            # Of an error the exception is still to come: Starlette answers it first and raises it then.
            if last and not message.get("more_body") and not message.get("more_trailers") and (self._status or 0) < SERVER_ERRORS:
                self.finish(None)

        return traced_send

    def _answered(self, message: Message) -> None:
        self._status = message["status"]
        self._trailers = bool(message.get("trailers"))
        self.route()
        set_status(self.span, message["status"], SERVER_ERRORS)
        if self._answer_trace:
            held = self.span.get_span_context()
            value = f"00-{held.trace_id:032x}-{held.span_id:016x}-{held.trace_flags:02x}"
            message["headers"] = [*message.get("headers", ()), (b"traceresponse", value.encode())]

    def end(self, error: BaseException | None) -> None:
        """End the span with what the application ended with."""
        if self.ended:
            return
        if self._status is None:
            self.route()
            if isinstance(error, Exception):
                set_status(self.span, SERVER_ERRORS, SERVER_ERRORS)  # what every ASGI server answers in the application's stead
        if self._gone:
            self.span.set_attribute(conventions.CANCELLED, value=True)
        self.finish(error)


class _Socket(_Exchange):
    def __init__(self, scope: Scope, tracer: Tracer, envelope: bool) -> None:  # noqa: FBT001  private, named at the class above
        super().__init__(scope, tracer, "GET")
        self.span.set_attribute(conventions.NETWORK_PROTOCOL_NAME, conventions.WEBSOCKET)
        self._events = WebSocketEvents(tracer, None, envelope=envelope)

    def receiving(self, receive: Receive) -> Receive:
        """Return ``receive``, which ends the processing of one event and starts that of the next."""

        async def traced_receive() -> Message:
            self._events.processed()
            message = await receive()
            if message["type"] == "websocket.receive":
                self._events.received(_data(message))
            elif message["type"] == "websocket.disconnect" and not self.ended:
                self.span.set_attribute(conventions.CANCELLED, value=True)
            return message

        return traced_receive

    def sending(self, send: Send) -> Send:
        """Return ``send``, with each event in its span."""

        async def traced_send(message: Message) -> None:
            kind = message["type"]
            if kind == "websocket.send":
                data = _data(message)
                with self._events.sending(data) as enveloped:
                    await send(message if enveloped is data else {**message, "text": enveloped})
                return
            if kind in ("websocket.accept", "websocket.close", "websocket.http.response.start") and not self.ended:
                status = _SWITCHING if kind == "websocket.accept" else cast("int", message.get("status", _FORBIDDEN))
                self._answered(status)
            await send(message)

        return traced_send

    def _answered(self, status: int) -> None:
        self.route()
        set_status(self.span, status, SERVER_ERRORS)
        self.finish(None)
        self._events.opened(self.span.get_span_context(), self.template, self.parent)

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
