"""``trace_httpx``: the requests that an httpx client makes."""

from __future__ import annotations

import re
import sys
import weakref
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import httpx
from opentelemetry.trace import SpanKind
from wrapt import BaseObjectProxy, ObjectProxy, wrap_function_wrapper

from tracing_lib.base import conventions
from tracing_lib.base.errors import explain
from tracing_lib.instrument.http_spans import CLIENT_ERRORS, SCOPE, method_of, set_status, span_name
from tracing_lib.instrument.source import TracerSource, ending, suppressed

_instrumentation: ModuleType | None
try:
    _instrumentation = import_module("opentelemetry.instrumentation.utils")
except ImportError:  # the package is optional, and without it no other instrumentation makes a second span of a request
    _instrumentation = None

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from contextvars import Token
    from types import ModuleType

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

_C = TypeVar("_C", httpx.Client, httpx.AsyncClient)
_EXTENSION: Final = "url_template"
_PARAMETER: Final = re.compile(r"\\\{[^{}/]+\\\}")
_PORTS: Final = {"http": 80, "https": 443}
_AUTOMATIC: Final[weakref.WeakKeyDictionary[httpx.Client | httpx.AsyncClient, _Requests]] = weakref.WeakKeyDictionary()
"""Clients that are traced because ``patch`` was called."""


def trace_httpx(client: _C, *, templates: Iterable[str] = (), tracer_provider: TracerProvider | None = None) -> _C:
    """Make every request of an httpx client a span, and return the client.

    The span is named by method and URL template, and carries its trace to the server in the headers. ``templates``: those of the paths
    that the client asks for (``["/orders/{order_id}"]``), the first that fits wins; one request can give its own in
    ``extensions={"url_template": "/orders/{order_id}"}``. Without a template the span is named by its method alone. Never
    recorded are the path that was asked for, the query, user and password, headers, and bodies.

    An answer from 400 on is an error (semantic conventions, "HTTP client span"), a redirect a span of its own. The span ends with the
    body of the response: an error while it is read, or one that leaves the block of ``client.stream``, is the span's. Where
    opentelemetry-instrumentation-httpx is active as well, a request of this client is one span, and this one.
    ``tracer_provider``: by default OpenTelemetry's global one, also when it is set later. Raises ``ValueError`` for a template that
    does not start with a slash, and when the client is traced already.
    """
    requests = _Requests(templates, tracer_provider)
    if (automatic := _AUTOMATIC.pop(client, None)) is not None:
        automatic.become(requests)
        return client
    if isinstance(client._transport, TracedTransport):  # noqa: SLF001  httpx gives no other way in, see below
        wrong, then = "the client is traced already", "call trace_httpx once, where the client is made"
        raise ValueError(explain("trace_httpx", wrong, "a client as httpx made it", then))  # noqa: TRY004  the type is right
    _wire(client, requests)
    return client


def patch(provider: TracerProvider | None) -> None:
    """Trace every client that is made from now on; ``trace_httpx`` can still be called for one, and then decides."""

    def made(plain: Callable[..., None], client: httpx.Client | httpx.AsyncClient, arguments: Any, options: Any) -> None:  # noqa: ANN401  any
        plain(*arguments, **options)
        _AUTOMATIC[client] = requests = _Requests((), provider)
        _wire(client, requests)

    for kind in (httpx.Client, httpx.AsyncClient):
        wrap_function_wrapper(kind, "__init__", made)


def _wire(client: Any, requests: _Requests) -> None:  # noqa: ANN401  one of two classes, whose transports have no common type
    # Its mounts and proxies are made from arguments and environment by the client itself; wrapping is what leaves them as they are.
    client._transport = TracedTransport(client._transport, requests)  # noqa: SLF001
    mounts: dict[Any, Any] = client._mounts  # noqa: SLF001
    mounts.update({pattern: TracedTransport(mounted, requests) for pattern, mounted in mounts.items() if mounted is not None})


class _Requests:
    """Starts the spans of one client's requests."""

    def __init__(self, templates: Iterable[str], provider: TracerProvider | None) -> None:
        self._source = TracerSource(SCOPE, provider)
        self._templates = [(_pattern(template), template) for template in templates]

    def become(self, other: _Requests) -> None:
        """Start spans as another one does."""
        self.__dict__.update(other.__dict__)

    def start(self, request: httpx.Request) -> tuple[Span, Token[Context]] | None:
        if suppressed() or not (_instrumentation is None or _instrumentation.is_http_instrumentation_enabled()):
            return None
        method, template = method_of(request.method), self._template_of(request)
        attributes: dict[str, str | int] = {conventions.HTTP_REQUEST_METHOD: method, conventions.SERVER_ADDRESS: request.url.host}
        port = request.url.port or _PORTS.get(request.url.scheme)
        if port is not None:
            attributes[conventions.SERVER_PORT] = port
        if template is not None:
            attributes[conventions.URL_TEMPLATE] = template
        written: dict[str, str] = {}
        started = self._source.start_child(span_name(method, template), SpanKind.CLIENT, attributes)
        if started is None:
            self._source.inject(written, None)
            request.headers.update(written)
            return None
        # A request that is sent again after a redirect has the headers of the first; and none may survive from another trace.
        for name in ("traceparent", "tracestate", "baggage"):
            if name in request.headers:
                del request.headers[name]
        self._source.inject(written, f"{request.url.scheme}://{request.url.netloc.decode('ascii')}")
        request.headers.update(written)
        return started

    def _template_of(self, request: httpx.Request) -> str | None:
        given = request.extensions.get(_EXTENSION)
        if isinstance(given, str):
            return given
        path = request.url.path
        return next((template for pattern, template in self._templates if pattern.fullmatch(path)), None)


def _one_span(transport: object) -> AbstractContextManager[None]:
    """Keep other instrumentations of httpx from making a span of the request that is sent in the block."""
    # An application that the transport calls in this process sends requests of its own in the block (``ASGITransport``, ``TestClient``).
    return nullcontext() if _instrumentation is None or hasattr(transport, "app") else _instrumentation.suppress_http_instrumentation()


def _pattern(template: str) -> re.Pattern[str]:
    if not template.startswith("/"):
        wrong, right = f"the template {template[:80]!r} is no path", "one such as /orders/{order_id}"
        raise ValueError(explain("trace_httpx", wrong, right, "give the path of the URL, from its first slash"))
    return re.compile(_PARAMETER.sub("[^/]+", re.escape(template)))


class _Sending(ending):
    """The block in which a request is sent. Where the body of the response is still to come, the span ends when the response is closed."""

    held = False

    def answered(self, response: httpx.Response) -> httpx.Response:
        """Record the head of a response, and return it."""
        if self.span.is_recording():
            set_status(self.span, response.status_code, CLIENT_ERRORS)
            version = response.extensions.get("http_version")
            if isinstance(version, bytes):
                self.span.set_attribute(conventions.NETWORK_PROTOCOL_VERSION, version.decode("ascii", "ignore").removeprefix("HTTP/"))
        if not response.is_closed:
            self.held, self._before, self._failed = True, sys.exception(), response.status_code >= CLIENT_ERRORS
            response.stream = cast("httpx.SyncByteStream", _Body(response.stream, self))
        return response

    def end(self, error: BaseException | None) -> None:
        """End the span, unless the body does."""
        if error is not None or not self.held:
            super().end(error)

    def closed(self, error: BaseException | None) -> None:
        """End the span, once, with an error that is on its way and was not when the request was sent."""
        if self.held:
            self.held, before, self._before = False, self._before, None
            super().end(None if self._failed or error is before or isinstance(error, GeneratorExit) else error)


class _Body(ObjectProxy[Any]):
    """The body of a response, which is closed when it was read or broke off."""

    def __init__(self, stream: object, sending: _Sending) -> None:
        super().__init__(stream)
        self._self_sending = sending

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self.__wrapped__)

    def __del__(self) -> None:
        self._self_sending.closed(None)  # what is on its way may be another's

    def close(self) -> None:
        try:
            self.__wrapped__.close()
        finally:
            self._self_sending.closed(sys.exception())

    async def aclose(self) -> None:
        try:
            await self.__wrapped__.aclose()
        finally:
            self._self_sending.closed(sys.exception())


class TracedTransport(BaseObjectProxy[Any]):
    """An httpx transport, plain or asynchronous, with each request a span; made by ``trace_httpx``."""

    def __init__(self, transport: httpx.BaseTransport | httpx.AsyncBaseTransport, requests: _Requests) -> None:
        super().__init__(transport)
        self._self_requests = requests  # wrapt keeps what begins so on the proxy

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request in its span."""
        started = self._self_requests.start(request)
        if started is None:
            return cast("httpx.Response", self.__wrapped__.handle_request(request))
        with (sending := _Sending(*started)), _one_span(self.__wrapped__):
            return sending.answered(self.__wrapped__.handle_request(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request in its span."""
        started = self._self_requests.start(request)
        if started is None:
            return cast("httpx.Response", await self.__wrapped__.handle_async_request(request))
        with (sending := _Sending(*started)), _one_span(self.__wrapped__):
            return sending.answered(await self.__wrapped__.handle_async_request(request))
