"""Interceptors that make every call a gRPC client makes a span: all four shapes, for ``grpc`` and for ``grpc.aio``."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

import grpc
import grpc.aio
from opentelemetry.trace import SpanKind

from tracing_lib.base import conventions
from tracing_lib.base.errors import explain
from tracing_lib.instrument.grpc.spans import SCOPE, end_client, method_of
from tracing_lib.instrument.source import TracerSource, ending, suppressed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

_Call: TypeAlias = Any  # the four shapes' calls share no type that grpcio or its stubs name
_Interceptor: TypeAlias = (
    "grpc.UnaryUnaryClientInterceptor[Any, Any] | grpc.UnaryStreamClientInterceptor[Any, Any] | "
    "grpc.StreamUnaryClientInterceptor[Any, Any] | grpc.StreamStreamClientInterceptor[Any, Any]"
)
_Continuation: TypeAlias = "Callable[[Any, Any], Any]"
_MOST_METHODS: Final = 4096
_SCHEMES: Final = ("dns:", "ipv4:", "ipv6:", "unix:", "xds:", "passthrough:")


def grpc_client_interceptors(target: str | None = None, *, tracer_provider: TracerProvider | None = None) -> Sequence[_Interceptor]:
    """Return interceptors for ``grpc.intercept_channel(channel, *interceptors)``.

    Each call becomes a span named ``package.Service/Method`` that lasts until its last answer, and carries its trace to the server in the
    metadata. Every code but ``OK`` makes it an error; the words of a status never enter it. What a stream of requests does while it is
    read belongs to the span too.

    ``target``: the channel's, for ``server.address`` and ``server.port``, and because baggage goes to our own hosts only; an
    interceptor cannot see it. ``tracer_provider``: by default
    OpenTelemetry's global one, also when it is set later. Raises ``ValueError`` for a target whose port is no number.
    """
    return (_ClientInterceptor(Calls(target, tracer_provider)),)


def grpc_aio_client_interceptors(
    target: str | None = None, *, tracer_provider: TracerProvider | None = None
) -> Sequence[grpc.aio.ClientInterceptor]:
    """Return interceptors for ``grpc.aio.insecure_channel(..., interceptors=...)``; everything is as for ``grpc_client_interceptors``."""
    calls = Calls(target, tracer_provider)
    interceptors = (_AioUnaryUnary(calls), _AioUnaryStream(calls), _AioStreamUnary(calls), _AioStreamStream(calls))
    return cast("Sequence[grpc.aio.ClientInterceptor]", interceptors)


class Calls:
    """Starts the spans of one channel's calls."""

    def __init__(self, target: str | None, provider: TracerProvider | None) -> None:
        self.source = TracerSource(SCOPE, provider)
        self._server = _server_of(target) if target else {}
        self._known: dict[str | bytes, tuple[str, SpanKind, dict[str, str | int]]] = {}
        self.target = target

    def start(self, method: str | bytes) -> tuple[Span, Token[Context]] | None:
        """Start a call's span and make it current; return it and the token that ends this, or None where nobody would receive it."""
        return None if suppressed() else self.source.start_child(*(self._known.get(method) or self._learn(method)))

    def _learn(self, method: str | bytes) -> tuple[str, SpanKind, dict[str, str | int]]:
        """Return name and kind of a method's spans, and the attributes that they start with."""
        name, attributes = method_of(method)
        known = name, SpanKind.CLIENT, {**attributes, **self._server}
        if len(self._known) < _MOST_METHODS:
            self._known[method] = known
        return known

    def metadata(self, given: object) -> Sequence[tuple[str, str | bytes]]:
        """Return a call's metadata with the headers of its span, which is current; a header that is there already gives way."""
        written: dict[str, str] = {}
        self.source.inject(written, self.target)
        if not given:
            return tuple(written.items())
        kept = [pair for pair in cast("Sequence[tuple[str, str | bytes]]", given) if pair[0] not in written]
        return (*kept, *written.items())


def _server_of(target: str) -> dict[str, str | int]:
    """Return host and port of a channel's target as gRPC names it ("gRPC Name Resolution"); of several addresses the first."""
    scheme = next((scheme for scheme in _SCHEMES if target.startswith(scheme)), "")
    rest = target.removeprefix(scheme)
    if scheme == "unix:":
        return {conventions.SERVER_ADDRESS: rest.removeprefix("//")}
    address = rest.rpartition("/")[2].partition(",")[0]
    host, separator, port = address.rpartition(":")
    if not separator or address.endswith("]"):
        return {conventions.SERVER_ADDRESS: address.strip("[]")}
    if not port.isdigit():
        wrong, right = f"the target's port is {port[:20]!r}", "a target such as chain.virtengine:9090"
        raise ValueError(explain("grpc_client_interceptors", wrong, right, "give the target that the channel was made with"))
    return {conventions.SERVER_ADDRESS: host.strip("[]"), conventions.SERVER_PORT: int(port)}


class Making(ending):
    """A block that makes a call: an exception that leaves it is the outcome of the call, which is not ended otherwise."""

    def end(self, error: BaseException | None) -> None:
        """End the span of a call that could not be made, or was cancelled meanwhile."""
        if error is not None:
            cancelled = not isinstance(error, Exception)
            end_client(self.span, grpc.StatusCode.CANCELLED if cancelled else None, None if cancelled else error)


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _ClientInterceptor(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]  # generic in the stubs alone, here and below
    grpc.UnaryStreamClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamStreamClientInterceptor,  # type: ignore[type-arg]
):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def _trace(self, continuation: _Continuation, details: grpc.ClientCallDetails, request: object) -> _Call:
        started = self._calls.start(details.method)
        if started is None:
            return continuation(details if suppressed() else self._carrying(details), request)
        with Making(*started, self._calls.source.leave) as span:
            call = continuation(self._carrying(details), request)
        # Not add_done_callback: it keeps the call alive, and one that is dropped would never be cancelled.
        if _is_done(call) or not call.add_callback(functools.partial(_ended, span, weakref.ref(call))):
            _done(span, call)
        return call

    def _carrying(self, details: grpc.ClientCallDetails) -> _Details:
        metadata = list(self._calls.metadata(details.metadata))
        optional = getattr(details, "wait_for_ready", None), getattr(details, "compression", None)
        return _Details(details.method, details.timeout, metadata, details.credentials, *optional)

    # grpcio calls them by position.
    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = _trace  # type: ignore[assignment]


def _is_done(call: _Call) -> bool:
    # Of all calls those that grpcio's channel makes can wait, and no others tell a callback about it.
    return not hasattr(call, "add_callback") or (isinstance(call, grpc.Future) and call.done())


def _ended(span: Span, reference: weakref.ref[_Call]) -> None:
    call = reference()
    if call is None:
        end_client(span, grpc.StatusCode.CANCELLED)  # by grpcio, when the last reference went
    else:
        _done(span, call)


def _done(span: Span, call: _Call) -> None:
    code = call.code()
    error = call.exception() if code is grpc.StatusCode.INTERNAL and isinstance(call, grpc.Future) else None
    end_client(span, code, None if isinstance(error, grpc.RpcError) else error)


class _AioInterceptor:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def trace(self, continuation: _Continuation, details: _Call, request: object) -> _Call:
        """Trace a call of any shape, where ``grpc.aio`` asks for an interceptor of each."""
        started = self._calls.start(details.method)
        if started is None:
            return await continuation(details if suppressed() else self._carrying(details), request)
        with Making(*started, self._calls.source.leave) as span:
            call = await continuation(self._carrying(details), request)
        call.add_done_callback(functools.partial(aio_done, span))
        return call

    def _carrying(self, details: _Call) -> _Call:
        return details._replace(metadata=grpc.aio.Metadata(*self._calls.metadata(details.metadata)))


def aio_done(span: Span, call: grpc.aio.Call) -> None:
    """End a span with the outcome of a call that is done."""
    # ``code`` is a coroutine, and a callback cannot wait; for a call that is done it does not wait either.
    asked = call.code()
    try:
        asked.send(None)
    except StopIteration as answer:
        end_client(span, answer.value)
    else:
        asked.close()
        end_client(span, None)


class _AioUnaryUnary(_AioInterceptor, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    intercept_unary_unary = _AioInterceptor.trace  # type: ignore[assignment]  # called by position


class _AioUnaryStream(_AioInterceptor, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]
    intercept_unary_stream = _AioInterceptor.trace  # type: ignore[assignment]  # called by position


class _AioStreamUnary(_AioInterceptor, grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[type-arg]
    intercept_stream_unary = _AioInterceptor.trace  # type: ignore[assignment]  # called by position


class _AioStreamStream(_AioInterceptor, grpc.aio.StreamStreamClientInterceptor):  # type: ignore[type-arg]
    intercept_stream_stream = _AioInterceptor.trace  # type: ignore[assignment]  # called by position
