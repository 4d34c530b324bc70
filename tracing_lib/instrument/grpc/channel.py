"""``trace_aio_channel``: a channel of ``grpc.aio`` whose every call is a span, without an interceptor's cost."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, Self

import grpc
import grpc.aio

from tracing_lib.instrument.grpc.client import Calls, aio_done, raised
from tracing_lib.instrument.grpc.spans import end_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

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
    return _TracedChannel(channel, Calls(target, tracer_provider))


class _TracedChannel(grpc.aio.Channel):
    def __init__(self, channel: grpc.aio.Channel, calls: Calls) -> None:
        self._channel = channel
        self._calls = calls

    def unary_unary(self, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401  as the channel's own, here and below
        return _Method(self._channel.unary_unary(method, *args, **options), method, self._calls)

    def unary_stream(self, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return _Method(self._channel.unary_stream(method, *args, **options), method, self._calls)

    def stream_unary(self, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return _Method(self._channel.stream_unary(method, *args, **options), method, self._calls)

    def stream_stream(self, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return _Method(self._channel.stream_stream(method, *args, **options), method, self._calls)

    async def __aenter__(self) -> Self:
        await self._channel.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self._channel.__aexit__(kind, error, traceback)

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002  the interface's
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()


class _Method:
    """One method of a channel, of whichever shape: calling it returns the channel's own call."""

    __slots__ = ("_call", "_calls", "_path")

    def __init__(self, call: Callable[..., Any], path: str, calls: Calls) -> None:
        self._call, self._path, self._calls = call, path, calls

    def __call__(self, *request: object, metadata: object = None, **options: object) -> Any:  # noqa: ANN401  one of four kinds
        if len(request) > 1:
            options.update(zip(_AFTER_THE_REQUESTS, request[1:], strict=False))
            request, metadata = request[:1], options.pop("metadata", metadata)
        started = self._calls.start(self._path)
        if started is None:
            return self._call(*request, metadata=metadata, **options)
        span, token = started
        try:
            headers = grpc.aio.Metadata(*self._calls.metadata(metadata))
            call = self._call(*request, metadata=headers, **options)
        except BaseException as error:
            end_client(span, None, raised(error))
            raise
        finally:
            self._calls.source.leave(token)
        call.add_done_callback(functools.partial(aio_done, span))
        return call
