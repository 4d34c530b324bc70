"""The documents of Jaeger v2: the store on Badger, and the server of sampling strategies, which is the same program.

Accepted by 2.13 and 2.20 alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.documents.text import expanded_text, go_duration, prometheus_reader

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """``host:port`` of the health check, and where the server's own metrics are scraped."""

    health: str
    telemetry_host: str
    telemetry_port: int


def store(operation: Operation, *, intake: str, query: str, query_grpc: str, folder: str, retention_seconds: int, sync_writes: bool) -> str:
    """The document of Jaeger with Badger in ``folder``; ``intake``, ``query`` and ``query_grpc`` are ``host:port``.

    Badger stamps the expiry on a span when it is written. There is neither a batch processor nor an exporter queue: what the server
    acknowledged and still held in memory would die with it.
    """
    badger = {
        "directories": {"keys": f"{folder}/keys", "values": f"{folder}/values"},
        "ephemeral": False,
        "ttl": {"spans": go_duration(retention_seconds * 1000)},
        "consistency": sync_writes,
    }
    return expanded_text(
        {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": intake, "max_recv_msg_size_mib": 16}}}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "traces"}},
            "extensions": {
                "healthcheckv2": _health(operation),
                "jaeger_storage": {"backends": {"traces": {"badger": badger}}},
                "jaeger_query": {
                    "storage": {"traces": "traces"},
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


def strategy_server(operation: Operation, *, http: str, grpc: str, strategies: str, reload_milliseconds: int) -> str:
    """The document of Jaeger as nothing but a server of the strategies in the file ``strategies``, read again as it changes.

    The extension demands a storage; it has one in memory, and a pipeline through which nothing passes. ``http`` and ``grpc`` are
    ``host:port``.
    """
    remote = {
        "file": {"path": strategies, "reload_interval": go_duration(reload_milliseconds)},
        "http": {"endpoint": http},
        "grpc": {"endpoint": grpc},
    }
    return expanded_text(
        {
            "receivers": {"nop": {}},
            "exporters": {"nop": {}},
            "extensions": {
                "healthcheckv2": _health(operation),
                "jaeger_storage": {"backends": {"none": {"memory": {"max_traces": 1}}}},
                "remote_sampling": remote,
            },
            "service": {
                "extensions": ["healthcheckv2", "jaeger_storage", "remote_sampling"],
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
