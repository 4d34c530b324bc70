"""``trace_httpx``: the requests that an httpx client makes."""

from __future__ import annotations

import functools
import re
import sys
import weakref
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import httpx
from opentelemetry.trace import SpanKind

from tracing_lib.base import conventions
from tracing_lib.base.errors import explain
from tracing_lib.instrument.http_spans import CLIENT_ERRORS, SCOPE, method_of, set_status, span_name
from tracing_lib.instrument.source import TracerSource, ending, fail, suppressed

_instrumentation: ModuleType | None
try:
    _instrumentation = import_module("opentelemetry.instrumentation.utils")
except ImportError:  # the package is optional, and without it no other instrumentation makes a second span of a request
    _instrumentation = None

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from contextvars import Token
    from types import ModuleType, TracebackType

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
    if isinstance(client._transport, TracedTransport | AsyncTracedTransport):  # noqa: SLF001  httpx gives no other way in, see below
        wrong, then = "the client is traced already", "call trace_httpx once, where the client is made"
        raise ValueError(explain("trace_httpx", wrong, "a client as httpx made it", then))  # noqa: TRY004  the type is right
    _wire(client, requests)
    return client


def patch(provider: TracerProvider | None) -> None:
    """Trace every client that is made from now on; ``trace_httpx`` can still be called for one, and then decides."""
    for kind in (httpx.Client, httpx.AsyncClient):
        _patch(kind, provider)


def _patch(kind: Any, provider: TracerProvider | None) -> None:  # noqa: ANN401  one of two classes
    plain = kind.__init__

    @functools.wraps(plain)
    def made(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  as the class takes them
        plain(self, *arguments, **options)
        _AUTOMATIC[self] = requests = _Requests((), provider)
        _wire(self, requests)

    kind.__init__ = made


def _wire(client: httpx.Client | httpx.AsyncClient, requests: _Requests) -> None:
    # Its mounts and proxies are made from arguments and environment by the client itself; wrapping is what leaves them as they are.
    kind: Any = AsyncTracedTransport
    if isinstance(client, httpx.Client):
        kind = TracedTransport
    client._transport = kind(client._transport, requests)  # noqa: SLF001
    mounts: dict[Any, Any] = client._mounts  # noqa: SLF001
    mounts.update({pattern: kind(mounted, requests) for pattern, mounted in mounts.items() if mounted is not None})


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


def _one_span() -> AbstractContextManager[None]:
    """Keep other instrumentations of httpx from making a span of the request that is sent in the block."""
    if _instrumentation is None:
        return nullcontext()
    suppressing: AbstractContextManager[None] = _instrumentation.suppress_http_instrumentation()
    return suppressing


def _pattern(template: str) -> re.Pattern[str]:
    if not template.startswith("/"):
        wrong, right = f"the template {template[:80]!r} is no path", "one such as /orders/{order_id}"
        raise ValueError(explain("trace_httpx", wrong, right, "give the path of the URL, from its first slash"))
    return re.compile(_PARAMETER.sub("[^/]+", re.escape(template)))


def _answered(span: Span, response: httpx.Response) -> bool:
    """Record the head of a response; return whether its body is still to come."""
    if span.is_recording():
        set_status(span, response.status_code, CLIENT_ERRORS)
        version = response.extensions.get("http_version")
        if isinstance(version, bytes):
            span.set_attribute(conventions.NETWORK_PROTOCOL_VERSION, version.decode("ascii", "ignore").removeprefix("HTTP/"))
    return not response.is_closed


class _Body(AbstractContextManager[None]):
    """The body of a response: the span of the request ends with it, with what breaks it off, or when the response is closed."""

    def __init__(self, response: httpx.Response, span: Span) -> None:
        self._stream: Any = response.stream
        self._span: Span | None = span
        self._errors = response.status_code < CLIENT_ERRORS  # else the span is one already
        self._before = sys.exception()

    def __exit__(self, *_: object) -> None:
        """End the span, once, with the exception that is on its way here and was not when the request was sent."""
        span, self._span = self._span, None
        if span is not None:
            error = sys.exception()
            if self._errors and error is not None and error is not self._before and not isinstance(error, GeneratorExit):
                fail(span, error)
            span.end()

    def __del__(self) -> None:
        self._errors = False  # what is on its way may be another's
        self.__exit__()


class _SyncBody(_Body, httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        with self:
            yield from self._stream

    def close(self) -> None:
        with self:
            self._stream.close()


class _AsyncBody(_Body, httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self:
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        with self:
            await self._stream.aclose()


class TracedTransport(httpx.BaseTransport):
    """An httpx transport with each request a span; made by ``trace_httpx``."""

    def __init__(self, transport: httpx.BaseTransport, requests: _Requests) -> None:
        self._transport = transport
        self._requests = requests

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request in its span."""
        started = self._requests.start(request)
        if started is None:
            return self._transport.handle_request(request)
        with (block := ending(*started)) as span, _one_span():
            response = self._transport.handle_request(request)
            if _answered(span, response):
                response.stream, block.held = _SyncBody(response, span), True
            return response

    def close(self) -> None:
        """Close the transport inside."""
        self._transport.close()

    def __exit__(
        self, kind: type[BaseException] | None = None, error: BaseException | None = None, traceback: TracebackType | None = None
    ) -> None:
        self._transport.__exit__(kind, error, traceback)

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self


class AsyncTracedTransport(httpx.AsyncBaseTransport):
    """An asynchronous httpx transport with each request a span; made by ``trace_httpx``."""

    def __init__(self, transport: httpx.AsyncBaseTransport, requests: _Requests) -> None:
        self._transport = transport
        self._requests = requests

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request in its span."""
        started = self._requests.start(request)
        if started is None:
            return await self._transport.handle_async_request(request)
        with (block := ending(*started)) as span, _one_span():
            response = await self._transport.handle_async_request(request)
            if _answered(span, response):
                response.stream, block.held = _AsyncBody(response, span), True
            return response

    async def aclose(self) -> None:
        """Close the transport inside."""
        await self._transport.aclose()

    async def __aexit__(
        self, kind: type[BaseException] | None = None, error: BaseException | None = None, traceback: TracebackType | None = None
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self
