"""Tracing of VirtEngine services: ``configure(TracingSettings.from_environment(service_name="portal"))`` and nothing more.

Names are imported when they are first used, so that reading the contract does not import the OpenTelemetry SDK (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracing_lib.asgi import AsgiTracing
    from tracing_lib.attributes import Attribute, Privacy, Shape, declare, declare_names
    from tracing_lib.baggage import inject, outbound_to, set_baggage
    from tracing_lib.context import ContextThread, ContextThreadPoolExecutor, carry, carry_in_executors
    from tracing_lib.contract import OperationTarget, Outputs, PrivacyRule
    from tracing_lib.current import current_span
    from tracing_lib.delivery import ShutdownReport
    from tracing_lib.doctor import Diagnosis, diagnose
    from tracing_lib.errors import (
        AlreadyConfiguredError,
        ContractError,
        JobTokenError,
        PrivacyError,
        QueryError,
        SettingsError,
        SlurmError,
        TraceNotFoundError,
    )
    from tracing_lib.fingerprints import ErrorReport, fingerprint, report
    from tracing_lib.functions import traced
    from tracing_lib.grpc_channel import trace_aio_channel
    from tracing_lib.grpc_client import grpc_aio_client_interceptors, grpc_client_interceptors
    from tracing_lib.grpc_server import grpc_aio_server_interceptor, grpc_server_interceptor
    from tracing_lib.httpx_client import trace_httpx
    from tracing_lib.jobs import JobContext, consume, continued, link_to_transaction, produce, transaction
    from tracing_lib.keepers import trace_ante, trace_keeper
    from tracing_lib.kubernetes import TracedApiClient, carry_context
    from tracing_lib.link_sampling import FollowsLinks
    from tracing_lib.logs import JsonFormatter, TraceContextFilter, configure_logging
    from tracing_lib.otlp_json import Span, Trace
    from tracing_lib.privacy import PrivacyPolicy
    from tracing_lib.provider import Tracing, configure
    from tracing_lib.query import fetch_trace
    from tracing_lib.servicers import trace_servicer
    from tracing_lib.settings import TracingSettings
    from tracing_lib.slurm import SlurmClient
    from tracing_lib.tree import render_tree
    from tracing_lib.waldur import waldur_client
    from tracing_lib.websocket_client import trace_websocket

_HOMES: Final = {
    "AlreadyConfiguredError": "errors",
    "AsgiTracing": "asgi",
    "Attribute": "attributes",
    "ContextThread": "context",
    "ContextThreadPoolExecutor": "context",
    "ContractError": "errors",
    "Diagnosis": "doctor",
    "ErrorReport": "fingerprints",
    "FollowsLinks": "link_sampling",
    "JobContext": "jobs",
    "JobTokenError": "errors",
    "JsonFormatter": "logs",
    "OperationTarget": "contract",
    "Outputs": "contract",
    "Privacy": "attributes",
    "PrivacyError": "errors",
    "PrivacyPolicy": "privacy",
    "PrivacyRule": "contract",
    "QueryError": "errors",
    "SettingsError": "errors",
    "Shape": "attributes",
    "ShutdownReport": "delivery",
    "SlurmClient": "slurm",
    "SlurmError": "errors",
    "Span": "otlp_json",
    "Trace": "otlp_json",
    "TraceContextFilter": "logs",
    "TraceNotFoundError": "errors",
    "TracedApiClient": "kubernetes",
    "Tracing": "provider",
    "TracingSettings": "settings",
    "carry": "context",
    "carry_context": "kubernetes",
    "carry_in_executors": "context",
    "configure": "provider",
    "configure_logging": "logs",
    "consume": "jobs",
    "continued": "jobs",
    "current_span": "current",
    "declare": "attributes",
    "declare_names": "attributes",
    "diagnose": "doctor",
    "fetch_trace": "query",
    "fingerprint": "fingerprints",
    "grpc_aio_client_interceptors": "grpc_client",
    "grpc_aio_server_interceptor": "grpc_server",
    "grpc_client_interceptors": "grpc_client",
    "grpc_server_interceptor": "grpc_server",
    "inject": "baggage",
    "link_to_transaction": "jobs",
    "outbound_to": "baggage",
    "produce": "jobs",
    "render_tree": "tree",
    "report": "fingerprints",
    "set_baggage": "baggage",
    "trace_aio_channel": "grpc_channel",
    "trace_ante": "keepers",
    "trace_httpx": "httpx_client",
    "trace_keeper": "keepers",
    "trace_servicer": "servicers",
    "trace_websocket": "websocket_client",
    "traced": "functions",
    "transaction": "jobs",
    "waldur_client": "waldur",
}

__all__ = [
    "AlreadyConfiguredError",
    "AsgiTracing",
    "Attribute",
    "ContextThread",
    "ContextThreadPoolExecutor",
    "ContractError",
    "Diagnosis",
    "ErrorReport",
    "FollowsLinks",
    "JobContext",
    "JobTokenError",
    "JsonFormatter",
    "OperationTarget",
    "Outputs",
    "Privacy",
    "PrivacyError",
    "PrivacyPolicy",
    "PrivacyRule",
    "QueryError",
    "SettingsError",
    "Shape",
    "ShutdownReport",
    "SlurmClient",
    "SlurmError",
    "Span",
    "Trace",
    "TraceContextFilter",
    "TraceNotFoundError",
    "TracedApiClient",
    "Tracing",
    "TracingSettings",
    "carry",
    "carry_context",
    "carry_in_executors",
    "configure",
    "configure_logging",
    "consume",
    "continued",
    "current_span",
    "declare",
    "declare_names",
    "diagnose",
    "fetch_trace",
    "fingerprint",
    "grpc_aio_client_interceptors",
    "grpc_aio_server_interceptor",
    "grpc_client_interceptors",
    "grpc_server_interceptor",
    "inject",
    "link_to_transaction",
    "outbound_to",
    "produce",
    "render_tree",
    "report",
    "set_baggage",
    "trace_aio_channel",
    "trace_ante",
    "trace_httpx",
    "trace_keeper",
    "trace_servicer",
    "trace_websocket",
    "traced",
    "transaction",
    "waldur_client",
]


_EXTRAS: Final = {
    "grpc_channel": "grpc",
    "grpc_client": "grpc",
    "grpc_server": "grpc",
    "httpx_client": "http",
    "kubernetes": "kubernetes",
    "servicers": "grpc",
    "waldur": "waldur",
    "websocket_client": "websockets",
}
"""The modules that need more than the library does, with the extra that brings it."""


def __getattr__(name: str) -> object:
    """Import a public name from the module that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    try:
        module = import_module(f"{__name__}.{home}")
    except ModuleNotFoundError as error:
        if home not in _EXTRAS:
            raise
        from tracing_lib.errors import explain

        then = f"pip install 'virtengine-tracing[{_EXTRAS[home]}]'"
        raise ModuleNotFoundError(
            explain(name, f"{error.name} is not installed", "the packages of its extra", then), name=error.name
        ) from error
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
