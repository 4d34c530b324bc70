"""All gRPC servers and channels of a process, traced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio
from wrapt import wrap_function_wrapper

from tracing_lib.instrument.grpc.channel import trace_aio_channel
from tracing_lib.instrument.grpc.client import grpc_client_interceptors
from tracing_lib.instrument.grpc.server import grpc_aio_server_interceptor, grpc_server_interceptor

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from opentelemetry.trace import TracerProvider

_INTERCEPTORS: Final = 2
"""Position of the interceptors among the arguments of ``grpc.server`` and ``grpc.aio.server``."""


def patch(provider: TracerProvider | None) -> None:
    """Trace every server and channel that is made from now on."""
    _servers(grpc, grpc_server_interceptor, provider)
    _servers(grpc.aio, grpc_aio_server_interceptor, provider)
    for name in ("insecure_channel", "secure_channel"):
        _channels(
            grpc, name, lambda made, target: grpc.intercept_channel(made, *grpc_client_interceptors(target, tracer_provider=provider))
        )
        _channels(grpc.aio, name, lambda made, target: trace_aio_channel(made, target, tracer_provider=provider))


def _servers(module: ModuleType, interceptor: Callable[..., Any], provider: TracerProvider | None) -> None:
    def server(plain: Callable[..., Any], _instance: object, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:  # noqa: ANN401  a server
        given, first = list(arguments), interceptor(tracer_provider=provider)
        if len(given) > _INTERCEPTORS:
            given[_INTERCEPTORS] = [first, *(given[_INTERCEPTORS] or ())]
        else:
            options["interceptors"] = [first, *(options.get("interceptors") or ())]
        return plain(*given, **options)

    wrap_function_wrapper(module, "server", server)


def _channels(module: ModuleType, name: str, trace: Callable[[Any, str], Any]) -> None:
    def channel(plain: Callable[..., Any], _instance: object, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:  # noqa: ANN401  a channel
        return trace(plain(*arguments, **options), arguments[0] if arguments else options["target"])

    wrap_function_wrapper(module, name, channel)
