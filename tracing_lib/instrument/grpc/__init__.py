"""Spans of gRPC calls, for ``grpc`` and ``grpc.aio``. Needs the extra ``grpc``.

A server takes ``grpc_server_interceptor`` or ``grpc_aio_server_interceptor``, or its servicers ``trace_servicer``. A client's channel takes
``grpc_client_interceptors`` or ``grpc_aio_client_interceptors``, or is wrapped by ``trace_aio_channel``.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(
    __name__, __file__, extras={"channel": "grpc", "client": "grpc", "server": "grpc", "servicer": "grpc"}
)
