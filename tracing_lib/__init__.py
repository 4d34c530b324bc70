"""Tracing of VirtEngine services: ``configure(TracingSettings.from_environment(service_name="portal"))`` and nothing more.

Names are imported when they are first used, so that reading the contract does not import the OpenTelemetry SDK (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracing_lib.asgi import AsgiTracing
    from tracing_lib.context import ContextThread, ContextThreadPoolExecutor, carry, carry_in_executors
    from tracing_lib.contract import OperationTarget, Outputs, PrivacyRule
    from tracing_lib.delivery import ShutdownReport
    from tracing_lib.errors import AlreadyConfiguredError, ContractError, QueryError, SettingsError, TraceNotFoundError
    from tracing_lib.functions import traced
    from tracing_lib.grpc_client import grpc_aio_client_interceptors, grpc_client_interceptors
    from tracing_lib.grpc_server import grpc_aio_server_interceptor, grpc_server_interceptor
    from tracing_lib.httpx_client import trace_httpx
    from tracing_lib.keepers import trace_ante, trace_keeper
    from tracing_lib.link_sampling import FollowsLinks
    from tracing_lib.otlp_json import Span, Trace
    from tracing_lib.provider import Tracing, configure
    from tracing_lib.query import fetch_trace
    from tracing_lib.servicers import trace_servicer
    from tracing_lib.settings import TracingSettings
    from tracing_lib.tree import render_tree
    from tracing_lib.websocket_client import trace_websocket

_HOMES: Final = {
    "AlreadyConfiguredError": "errors",
    "AsgiTracing": "asgi",
    "ContextThread": "context",
    "ContextThreadPoolExecutor": "context",
    "ContractError": "errors",
    "FollowsLinks": "link_sampling",
    "OperationTarget": "contract",
    "Outputs": "contract",
    "PrivacyRule": "contract",
    "QueryError": "errors",
    "SettingsError": "errors",
    "ShutdownReport": "delivery",
    "Span": "otlp_json",
    "Trace": "otlp_json",
    "TraceNotFoundError": "errors",
    "Tracing": "provider",
    "TracingSettings": "settings",
    "carry": "context",
    "carry_in_executors": "context",
    "configure": "provider",
    "fetch_trace": "query",
    "grpc_aio_client_interceptors": "grpc_client",
    "grpc_aio_server_interceptor": "grpc_server",
    "grpc_client_interceptors": "grpc_client",
    "grpc_server_interceptor": "grpc_server",
    "render_tree": "tree",
    "trace_ante": "keepers",
    "trace_httpx": "httpx_client",
    "trace_keeper": "keepers",
    "trace_servicer": "servicers",
    "trace_websocket": "websocket_client",
    "traced": "functions",
}

__all__ = [
    "AlreadyConfiguredError",
    "AsgiTracing",
    "ContextThread",
    "ContextThreadPoolExecutor",
    "ContractError",
    "FollowsLinks",
    "OperationTarget",
    "Outputs",
    "PrivacyRule",
    "QueryError",
    "SettingsError",
    "ShutdownReport",
    "Span",
    "Trace",
    "TraceNotFoundError",
    "Tracing",
    "TracingSettings",
    "carry",
    "carry_in_executors",
    "configure",
    "fetch_trace",
    "grpc_aio_client_interceptors",
    "grpc_aio_server_interceptor",
    "grpc_client_interceptors",
    "grpc_server_interceptor",
    "render_tree",
    "trace_ante",
    "trace_httpx",
    "trace_keeper",
    "trace_servicer",
    "trace_websocket",
    "traced",
]


def __getattr__(name: str) -> object:
    """Import a public name from the module that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
