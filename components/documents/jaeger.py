"""The documents of Jaeger v2: the store on Badger, the servers before a store elsewhere, and the server of sampling strategies.

All are the same program.

Accepted by 2.13 and 2.20 alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.documents import held
from components.documents.security import Security, tls
from components.documents.text import Quoted, expanded_text, go_duration, mebibytes, prometheus_reader

if TYPE_CHECKING:
    from components.documents.trace_stores import Store

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
    return expanded_text(
        {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": intake, "max_recv_msg_size_mib": 16}}}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "traces"}},
            "extensions": {
                "healthcheckv2": _health(operation),
                "jaeger_storage": {"backends": {"traces": {"badger": badger}}} | _counted(prometheus),
                "jaeger_query": _query(query, query_grpc, prometheus),
            },
            "service": {
                "extensions": ["healthcheckv2", "jaeger_storage", "jaeger_query"],
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
                "telemetry": _telemetry(operation),
            },
        }
    )


def intake(operation: Operation, store: Store, *, listen: str, memory_bytes: int, hold: held.Hold | None) -> str:
    """The document of Jaeger that takes spans at ``listen`` and writes them to a store elsewhere.

    Spans are refused above ``memory_bytes``, because they wait in memory while the store is away. ``hold`` is for a store that answers
    before it has written: senders are then answered when it has had time to.
    """
    # Connections are ended now and then, so that those that gateways keep are divided anew among the replicas that there are.
    grpc: Part = {"endpoint": listen, "max_recv_msg_size_mib": 16, "keepalive": {"server_parameters": _AGES}}
    backends = {"traces": store.section(writes=True)}
    limited = ["memory_limiter"]
    processors: Part = {"memory_limiter": _memory_limiter(memory_bytes)}
    exporters: Part = {"jaeger_storage_exporter": {"trace_storage": "traces"}}
    receivers: Part = {"otlp": {"protocols": {"grpc": grpc}}}
    pipelines: Part = {"traces": {"receivers": ["otlp"], "processors": limited, "exporters": ["jaeger_storage_exporter"]}}
    if hold is not None:
        backends |= {"none": {"memory": {"max_traces": 1}}}
        receivers |= held.receivers(hold)
        processors |= _HELD_PROCESSORS
        exporters |= held.loopback(hold, "otlp") | {
            "jaeger_storage_exporter/waited": {"trace_storage": "none", "queue": _QUEUE | held.waiting(hold.second_seconds)}
        }
        # Spans go to who changes them first: to the store before the copy that waits.
        pipelines["traces"]["processors"] = [*limited, "attributes/first"]
        pipelines |= {
            "traces/answer": {"receivers": ["otlp"], "processors": limited, "exporters": ["otlp/copy"]},
            "traces/copy": {"receivers": ["otlp/copy"], "processors": ["attributes/strip"], "exporters": ["otlp/flush"]},
            "traces/flush": {"receivers": ["otlp/flush"], "exporters": ["jaeger_storage_exporter/waited"]},
        }
    extensions = {"healthcheckv2": _health(operation), "jaeger_storage": {"backends": backends}}
    service = {"extensions": list(extensions), "pipelines": pipelines, "telemetry": _telemetry(operation)}
    return expanded_text(
        {"receivers": receivers, "processors": processors, "exporters": exporters, "extensions": extensions, "service": service}
    )


_AGES: Part = {"max_connection_age": "60s", "max_connection_age_grace": "60s"}

_QUEUE: Part = {"enabled": True, "num_consumers": 10}
"""What the queue of Jaeger's own exporter lacks by default."""

_HELD_PROCESSORS: Part = {
    "attributes/first": {"actions": [{"key": "virtengine.none", "action": "delete"}]},
    "attributes/strip": {"actions": [{"pattern": ".*", "action": "delete"}]},
}


def _memory_limiter(memory_bytes: int) -> Part:
    limit = mebibytes(memory_bytes)
    return {"check_interval": "250ms", "limit_mib": limit, "spike_limit_mib": limit // 5}


def query(operation: Operation, store: Store, *, http: str, grpc: str, prometheus: str | None = None) -> str:
    """The document of Jaeger that shows and searches what is in a store elsewhere; ``http`` and ``grpc`` are ``host:port``.

    ``prometheus`` is as for ``store``.
    """
    extensions = {
        "healthcheckv2": _health(operation),
        "jaeger_storage": {"backends": {"traces": store.section(writes=False)}} | _counted(prometheus),
        "jaeger_query": _query(http, grpc, prometheus),
    }
    return _without_pipeline(operation, extensions)


def _query(http: str, grpc: str, prometheus: str | None) -> Part:
    return {
        "storage": {"traces": "traces"} | ({"metrics": "spans"} if prometheus is not None else {}),
        "http": {"endpoint": http},
        "grpc": {"endpoint": grpc},
        # Each query would be a trace of Jaeger's own, sent to whatever listens on its loopback.
        "enable_tracing": False,
    }


def _counted(prometheus: str | None) -> Part:
    """The server of the span metrics, as a store of Jaeger."""
    return {"metric_backends": {"spans": {"prometheus": _span_metrics(prometheus)}}} if prometheus is not None else {}


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
    return _without_pipeline(operation, extensions)


def _without_pipeline(operation: Operation, extensions: Part) -> str:
    """A document whose server is made of extensions alone: nothing passes its pipeline, which the program demands."""
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
