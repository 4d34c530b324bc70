"""The documents of Jaeger v2: the store on Badger, and the server of sampling strategies, which is the same program.

Accepted by 2.13 and 2.20 alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.documents.security import Security, tls
from components.documents.text import Quoted, expanded_text, go_duration, prometheus_reader

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """``host:port`` of the health check, and where the server's own metrics are scraped."""

    health: str
    telemetry_host: str
    telemetry_port: int


def store(
    operation: Operation,
    *,
    intake: str,
    query: str,
    query_grpc: str,
    folder: str,
    retention_seconds: int,
    sync_writes: bool,
    prometheus: str | None = None,
) -> str:
    """The document of Jaeger with Badger in ``folder``; ``intake``, ``query`` and ``query_grpc`` are ``host:port``.

    ``prometheus`` is the URL of a server that has the span metrics, for the tab Monitor; None for no such tab.

    Badger stamps the expiry on a span when it is written. There is neither a batch processor nor an exporter queue: what the server
    acknowledged and still held in memory would die with it.
    """
    badger = {
        "directories": {"keys": f"{folder}/keys", "values": f"{folder}/values"},
        "ephemeral": False,
        "ttl": {"spans": go_duration(retention_seconds * 1000)},
        "consistency": sync_writes,
    }
    counted = {"metric_backends": {"spans": {"prometheus": _span_metrics(prometheus)}}} if prometheus is not None else {}
    return expanded_text(
        {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": intake, "max_recv_msg_size_mib": 16}}}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "traces"}},
            "extensions": {
                "healthcheckv2": _health(operation),
                "jaeger_storage": {"backends": {"traces": {"badger": badger}}} | counted,
                "jaeger_query": {
                    "storage": {"traces": "traces"} | ({"metrics": "spans"} if counted else {}),
                    "http": {"endpoint": query},
                    "grpc": {"endpoint": query_grpc},
                    # Each query would be a trace of Jaeger's own, sent to whatever listens on its loopback.
                    "enable_tracing": False,
                },
            },
            "service": {
                "extensions": ["healthcheckv2", "jaeger_storage", "jaeger_query"],
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
                "telemetry": _telemetry(operation),
            },
        }
    )


def _span_metrics(prometheus: str) -> Part:
    # The names that the collector's connector gives its metrics behind the Prometheus exporter.
    return {
        "endpoint": prometheus,
        "metric_namespace": "traces_span_metrics",
        "latency_unit": "s",
        "normalize_calls": True,
        "normalize_duration": True,
    }


STRATEGIES_USER = "services"
"""User name with which strategies are asked for where a token is required; the token is the password."""


@dataclass(frozen=True, slots=True)
class Strategies:
    """The file of the strategies, how often it is read again, and ``host:port`` of HTTP and gRPC at which they are served.

    ``token_variable`` is the environment variable with the token that services show.
    """

    file: str
    reload_milliseconds: int
    http: str
    grpc: str
    security: Security | None = None
    token_variable: str | None = None


def strategy_server(operation: Operation, strategies: Strategies) -> str:
    """The document of Jaeger as nothing but a server of strategies.

    The extension demands a storage; it has one in memory, and a pipeline through which nothing passes. Of authentication the program has
    basic alone, so the token is the password of ``STRATEGIES_USER``.
    """
    guard: Part = {}
    secured: Part = {"tls": tls(strategies.security)} if strategies.security is not None else {}
    if strategies.token_variable is not None:
        secured["auth"] = {"authenticator": "basicauth"}
        guard["basicauth"] = {"htpasswd": {"inline": Quoted(f"{STRATEGIES_USER}:${{env:{strategies.token_variable}}}")}}
    extensions = {
        "healthcheckv2": _health(operation),
        "jaeger_storage": {"backends": {"none": {"memory": {"max_traces": 1}}}},
        **guard,
        "remote_sampling": {
            "file": {"path": strategies.file, "reload_interval": go_duration(strategies.reload_milliseconds)},
            "http": {"endpoint": strategies.http} | secured,
            "grpc": {"endpoint": strategies.grpc} | secured,
        },
    }
    return expanded_text(
        {
            "receivers": {"nop": {}},
            "exporters": {"nop": {}},
            "extensions": extensions,
            "service": {
                "extensions": list(extensions),
                "pipelines": {"traces": {"receivers": ["nop"], "exporters": ["nop"]}},
                "telemetry": _telemetry(operation),
            },
        }
    )


def _health(operation: Operation) -> Part:
    return {"use_v2": True, "http": {"endpoint": operation.health}}


def _telemetry(operation: Operation) -> Part:
    # No resource: 2.13 and 2.20 do not agree on its form.
    reader = prometheus_reader(operation.telemetry_host, operation.telemetry_port)
    return {"metrics": {"level": "normal", "readers": [reader]}, "logs": {"level": "info", "encoding": "json"}}
