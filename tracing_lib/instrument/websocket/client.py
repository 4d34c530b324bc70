"""``trace_websocket``: a WebSocket connection of the ``websockets`` library, its handshake and every event a span."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry.trace import SpanKind
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from tracing_lib.base import conventions
from tracing_lib.instrument.http_spans import CLIENT_ERRORS, set_status, span_name
from tracing_lib.instrument.socket_events import SCOPE, WebSocketEvents
from tracing_lib.instrument.source import TracerSource, ending, suppressed
from tracing_lib.propagation.current import start_child
from tracing_lib.propagation.headers import inject

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from opentelemetry.trace import Span, Tracer, TracerProvider
    from websockets.datastructures import HeadersLike
    from websockets.typing import Data

_SWITCHING = 101


class trace_websocket(connect):  # noqa: N801  named like ``websockets.connect``, whose place it takes
    """``websockets.connect`` with its connections traced: to be awaited, entered, or iterated over to reconnect.

    The handshake is a span of kind client, which carries its trace to the server. Every message that is sent or received is a span in
    a trace of its own, linked to the handshake and, where it holds a ``traceparent``, to its sender. The span of a message that
    was received is current until the next is asked for; receive in the task that does the work, with ``async for`` or ``recv``
    (under ``asyncio.timeout``: ``asyncio.wait_for`` may receive in another task). What the URL holds is not recorded.

    ``template``: names the spans, as in ``/orders/{order_id}/events``. ``envelope``: put the sender into every message that is a
    JSON object, as its first member, ``traceparent``. ``tracer_provider``: by default OpenTelemetry's global one, also when
    it is set later. All other arguments are those of ``websockets.connect``, as are the exceptions raised.
    """

    def __init__(
        self,
        uri: str,
        *,
        template: str | None = None,
        envelope: bool = False,
        tracer_provider: TracerProvider | None = None,
        **options: Any,  # noqa: ANN401  those of websockets.connect
    ) -> None:
        super().__init__(uri, create_connection=options.pop("create_connection", TracedConnection), **options)
        self._source = TracerSource(SCOPE, tracer_provider)
        self._template = template
        self._envelope = envelope

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        """Connect."""
        return self._connect().__await__()

    async def _connect(self) -> ClientConnection:
        tracer = self._source.tracer()
        if tracer is None or suppressed():
            return await _connected(self)
        with ending(*start_child(tracer, span_name("GET", self._template), SpanKind.CLIENT, self._attributes())) as span:
            try:
                connection = await _connected(self)
            except InvalidStatus as error:
                set_status(span, error.response.status_code, CLIENT_ERRORS)
                raise
            set_status(span, _SWITCHING, CLIENT_ERRORS)
        if isinstance(connection, TracedConnection):
            connection.trace(tracer, span, self._template, envelope=self._envelope)
        return connection

    def _attributes(self) -> dict[str, str | int]:
        attributes: dict[str, str | int] = {
            conventions.HTTP_REQUEST_METHOD: "GET",
            conventions.NETWORK_PROTOCOL_NAME: conventions.WEBSOCKET,
        }
        uri = getattr(self, "ws_uri", None)
        if uri is not None:
            attributes |= {conventions.SERVER_ADDRESS: uri.host, conventions.SERVER_PORT: uri.port}
        if self._template:
            attributes[conventions.URL_TEMPLATE] = self._template
        return attributes


@types.coroutine
def _connected(connecting: trace_websocket) -> Generator[Any, None, ClientConnection]:
    """Connect as ``websockets.connect`` does when it is awaited."""
    return (yield from connect.__await__(connecting))


class TracedConnection(ClientConnection):
    """A connection that ``trace_websocket`` opened."""

    _events: WebSocketEvents | None = None

    def trace(self, tracer: Tracer, handshake: Span, template: str | None, *, envelope: bool) -> None:
        """Trace what is sent and received from now on, in the task that calls this."""
        self._before = contexts.get_current()
        self._events = WebSocketEvents(tracer, template, envelope=envelope)
        self._events.opened(handshake.get_span_context(), template, self._before)
        # Until the first message the caller's work is the caller's.
        contexts.attach(self._before)

    async def handshake(self, additional_headers: HeadersLike | None = None, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  websockets' own
        """Open the connection, with the headers of the current span."""
        from websockets.datastructures import Headers

        headers = Headers(additional_headers or ())
        written: dict[str, str] = {}
        inject(written, str(self.protocol.uri.host))
        for name, value in written.items():
            if name not in headers:
                headers[name] = value
        await super().handshake(headers, *arguments, **options)

    async def recv(self, decode: bool | None = None) -> Data:  # type: ignore[override]  # noqa: FBT001  users see the type of websockets
        """Receive a message; it is processed until the next is asked for."""
        events = self._events
        if events is None:
            return await super().recv(decode)
        events.processed()
        try:
            message = await super().recv(decode)
        except BaseException as error:
            self._leave()
            if isinstance(error, ConnectionClosedError):  # the other side broke it off, or the network did
                events.broke(error)
            raise
        events.received(message)
        return message

    async def send(self, message: Any, **options: Any) -> None:  # noqa: ANN401  websockets' own: text, bytes, or fragments of either
        """Send a message in its span; one that is sent in fragments is none."""
        if self._events is None or not isinstance(message, str | bytes):
            await super().send(message, **options)
            return
        with self._events.sending(message):
            await super().send(self._events.enveloped(message), **options)

    async def close(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  websockets' own
        """Close the connection; the last message is processed."""
        self._leave()
        await super().close(*arguments, **options)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Leave the connection; what was raised is the error of the message that was processed."""
        if self._events is not None and error is not None:
            self._events.processed(error)
        await super().__aexit__(kind, error, traceback)

    def _leave(self) -> None:
        """Give the caller back the context from before the first message."""
        if self._events is not None:
            self._events.left(self._before)
