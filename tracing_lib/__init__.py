"""Tracing of VirtEngine services: ``configure(TracingSettings.from_environment(service_name="portal"))`` and nothing more.

Names are imported when they are first used, so that reading the contract does not import the OpenTelemetry SDK (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracing_lib.base.errors import (
        AlreadyConfiguredError,
        ContractError,
        JobTokenError,
        PrivacyError,
        QueryError,
        SettingsError,
        SlurmError,
        TraceNotFoundError,
    )
    from tracing_lib.base.fingerprints import ErrorReport, fingerprint, report
    from tracing_lib.contract.outputs import OperationTarget, Outputs, PrivacyRule
    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.doctor import Diagnosis, diagnose
    from tracing_lib.export.processor import ShutdownReport
    from tracing_lib.instrument.functions import traced
    from tracing_lib.instrument.grpc.channel import trace_aio_channel
    from tracing_lib.instrument.grpc.client import grpc_aio_client_interceptors, grpc_client_interceptors
    from tracing_lib.instrument.grpc.server import grpc_aio_server_interceptor, grpc_server_interceptor
    from tracing_lib.instrument.grpc.servicer import trace_servicer
    from tracing_lib.instrument.http.asgi import AsgiTracing
    from tracing_lib.instrument.http.client import trace_httpx
    from tracing_lib.instrument.jobs import JobContext, consume, continued, link_to_transaction, produce, transaction
    from tracing_lib.instrument.keepers import trace_ante, trace_keeper
    from tracing_lib.instrument.remote.kubernetes import TracedApiClient, carry_context
    from tracing_lib.instrument.remote.slurm import SlurmClient
    from tracing_lib.instrument.remote.waldur import waldur_client
    from tracing_lib.instrument.websocket.client import trace_websocket
    from tracing_lib.logs import JsonFormatter, TraceContextFilter, configure_logging
    from tracing_lib.privacy.policy import PrivacyPolicy
    from tracing_lib.privacy.registry import Attribute, Privacy, Shape, declare, declare_names
    from tracing_lib.propagation.baggage import inject, outbound_to, set_baggage
    from tracing_lib.propagation.current import current_span
    from tracing_lib.propagation.threads import ContextThread, ContextThreadPoolExecutor, carry, carry_in_executors
    from tracing_lib.provider import Tracing, configure
    from tracing_lib.reading.query import fetch_trace
    from tracing_lib.reading.trace import Span, Trace
    from tracing_lib.reading.tree import render_tree
    from tracing_lib.sampling.links import FollowsLinks

_HOMES: Final = {
    "AlreadyConfiguredError": "base.errors",
    "AsgiTracing": "instrument.http.asgi",
    "Attribute": "privacy.registry",
    "ContextThread": "propagation.threads",
    "ContextThreadPoolExecutor": "propagation.threads",
    "ContractError": "base.errors",
    "Diagnosis": "doctor",
    "ErrorReport": "base.fingerprints",
    "FollowsLinks": "sampling.links",
    "JobContext": "instrument.jobs",
    "JobTokenError": "base.errors",
    "JsonFormatter": "logs",
    "OperationTarget": "contract.outputs",
    "Outputs": "contract.outputs",
    "Privacy": "privacy.registry",
    "PrivacyError": "base.errors",
    "PrivacyPolicy": "privacy.policy",
    "PrivacyRule": "contract.outputs",
    "QueryError": "base.errors",
    "SettingsError": "base.errors",
    "Shape": "privacy.registry",
    "ShutdownReport": "export.processor",
    "SlurmClient": "instrument.remote.slurm",
    "SlurmError": "base.errors",
    "Span": "reading.trace",
    "Trace": "reading.trace",
    "TraceContextFilter": "logs",
    "TraceNotFoundError": "base.errors",
    "TracedApiClient": "instrument.remote.kubernetes",
    "Tracing": "provider",
    "TracingSettings": "contract.settings",
    "carry": "propagation.threads",
    "carry_context": "instrument.remote.kubernetes",
    "carry_in_executors": "propagation.threads",
    "configure": "provider",
    "configure_logging": "logs",
    "consume": "instrument.jobs",
    "continued": "instrument.jobs",
    "current_span": "propagation.current",
    "declare": "privacy.registry",
    "declare_names": "privacy.registry",
    "diagnose": "doctor",
    "fetch_trace": "reading.query",
    "fingerprint": "base.fingerprints",
    "grpc_aio_client_interceptors": "instrument.grpc.client",
    "grpc_aio_server_interceptor": "instrument.grpc.server",
    "grpc_client_interceptors": "instrument.grpc.client",
    "grpc_server_interceptor": "instrument.grpc.server",
    "inject": "propagation.baggage",
    "link_to_transaction": "instrument.jobs",
    "outbound_to": "propagation.baggage",
    "produce": "instrument.jobs",
    "render_tree": "reading.tree",
    "report": "base.fingerprints",
    "set_baggage": "propagation.baggage",
    "trace_aio_channel": "instrument.grpc.channel",
    "trace_ante": "instrument.keepers",
    "trace_httpx": "instrument.http.client",
    "trace_keeper": "instrument.keepers",
    "trace_servicer": "instrument.grpc.servicer",
    "trace_websocket": "instrument.websocket.client",
    "traced": "instrument.functions",
    "transaction": "instrument.jobs",
    "waldur_client": "instrument.remote.waldur",
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
    "instrument.grpc.channel": "grpc",
    "instrument.grpc.client": "grpc",
    "instrument.grpc.server": "grpc",
    "instrument.http.client": "http",
    "instrument.remote.kubernetes": "kubernetes",
    "instrument.grpc.servicer": "grpc",
    "instrument.remote.waldur": "waldur",
    "instrument.websocket.client": "websockets",
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
        from tracing_lib.base.errors import explain

        then = f"pip install 'virtengine-tracing[{_EXTRAS[home]}]'"
        raise ModuleNotFoundError(
            explain(name, f"{error.name} is not installed", "the packages of its extra", then), name=error.name
        ) from error
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
