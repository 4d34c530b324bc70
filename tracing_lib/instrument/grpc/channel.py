"""``trace_aio_channel``: a channel of ``grpc.aio`` whose every call is a span, without an interceptor's cost."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, Self, cast

import grpc
import grpc.aio
from wrapt import BaseObjectProxy

from tracing_lib.instrument.grpc.client import Calls, Making, aio_done
from tracing_lib.instrument.source import suppressed

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import TracerProvider

_AFTER_THE_REQUESTS: Final = ("timeout", "metadata", "credentials", "wait_for_ready", "compression")
"""Parameters that calls with a stream of requests take by position, too."""


def trace_aio_channel(
    channel: grpc.aio.Channel, target: str | None = None, *, tracer_provider: TracerProvider | None = None
) -> grpc.aio.Channel:
    """Return the channel with each call a span; make stubs with it, and close it, in the channel's stead.

    The spans are those of ``grpc_aio_client_interceptors``. With those, grpcio runs every call in a task of its own behind a second call
    object, which costs more than the span. Give a channel the one or the other.

    ``target``: the channel's, for ``server.address`` and ``server.port``, and because baggage goes to our own hosts only.
    ``tracer_provider``: by default OpenTelemetry's global one, also when it is set later. Raises ``ValueError`` for a target whose port
    is no number.
    """
    return cast("grpc.aio.Channel", _TracedChannel(channel, Calls(target, tracer_provider)))


class _TracedChannel(BaseObjectProxy[grpc.aio.Channel]):
    def __init__(self, channel: grpc.aio.Channel, calls: Calls) -> None:
        super().__init__(channel)
        self._self_calls = calls  # wrapt keeps what begins so on the proxy

    def unary_unary(self, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401  as the channel's own, here and below
        return _Method(self.__wrapped__.unary_unary(method, *args, **options), method, self._self_calls)

    def unary_stream(self, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return _Method(self.__wrapped__.unary_stream(method, *args, **options), method, self._self_calls)

    def stream_unary(self, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return _Method(self.__wrapped__.stream_unary(method, *args, **options), method, self._self_calls)

    def stream_stream(self, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return _Method(self.__wrapped__.stream_stream(method, *args, **options), method, self._self_calls)

    async def __aenter__(self) -> Self:
        await self.__wrapped__.__aenter__()
        return self


class _Method:
    """Method of a channel, of whichever shape: calling it returns the channel's own call."""

    __slots__ = ("_call", "_calls", "_path")

    def __init__(self, call: Callable[..., Any], path: str, calls: Calls) -> None:
        self._call, self._path, self._calls = call, path, calls

    def __call__(self, *request: object, metadata: object = None, **options: object) -> Any:  # noqa: ANN401  one of four kinds
        if len(request) > 1:
            options.update(zip(_AFTER_THE_REQUESTS, request[1:], strict=False))
            request, metadata = request[:1], options.pop("metadata", metadata)
        started = self._calls.start(self._path)
        if started is None:
            return self._call(*request, metadata=metadata if suppressed() else self._carrying(metadata), **options)
        with Making(*started, self._calls.source.leave) as span:
            call = self._call(*request, metadata=self._carrying(metadata), **options)
        call.add_done_callback(functools.partial(aio_done, span))
        return call

    def _carrying(self, metadata: object) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*self._calls.metadata(metadata))
