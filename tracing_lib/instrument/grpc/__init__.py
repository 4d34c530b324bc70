"""Spans of gRPC calls, for ``grpc`` and ``grpc.aio``. Needs the extra ``grpc``.

A server takes ``grpc_server_interceptor`` or ``grpc_aio_server_interceptor``, or its servicers ``trace_servicer``. A client's channel takes
``grpc_client_interceptors`` or ``grpc_aio_client_interceptors``, or is wrapped by ``trace_aio_channel``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.instrument.grpc.channel import trace_aio_channel
    from tracing_lib.instrument.grpc.client import grpc_aio_client_interceptors, grpc_client_interceptors
    from tracing_lib.instrument.grpc.server import grpc_aio_server_interceptor, grpc_server_interceptor
    from tracing_lib.instrument.grpc.servicer import trace_servicer
else:
    __getattr__, __dir__ = offer(
        __name__,
        {
            "channel": ("trace_aio_channel",),
            "client": ("grpc_aio_client_interceptors", "grpc_client_interceptors"),
            "server": ("grpc_aio_server_interceptor", "grpc_server_interceptor"),
            "servicer": ("trace_servicer",),
        },
        extras={"channel": "grpc", "client": "grpc", "server": "grpc", "servicer": "grpc"},
    )

__all__ = [
    "grpc_aio_client_interceptors",
    "grpc_aio_server_interceptor",
    "grpc_client_interceptors",
    "grpc_server_interceptor",
    "trace_aio_channel",
    "trace_servicer",
]
