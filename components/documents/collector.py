"""The documents of the OpenTelemetry collectors (0.159).

Processors and connectors stand where they give right numbers: ``memory_limiter`` first, so that nothing is taken that cannot be
held; enrichment before redaction, so that what is added is redacted too; ``span_metrics`` and ``service_graph`` before tail sampling
and on the tier where whole traces meet, so that they count every span once; tail sampling last, before a queue on disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from components.documents import wall
from components.documents.text import expanded_text, go_duration, mebibytes, ottl, prometheus_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IntakeSecurity:
    """How senders are checked: paths of the certificate and key that the collector presents, and of the token that it asks for."""

    certificate: str
    key: str
    token: str | None


@dataclass(frozen=True, slots=True)
class Intake:
    """Where spans come in: ``host:port`` of OTLP over gRPC and over HTTP."""

    grpc: str
    http: str
    security: IntakeSecurity | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What every collector has besides its pipelines: ``host:port`` of health and own metrics, memory, and a queue on disk.

    ``memory_bytes`` is where it refuses spans; ``queue_bytes`` what its queue may hold in ``queue_folder``.
    """

    health: str
    telemetry_host: str
    telemetry_port: int
    memory_bytes: int
    queue_folder: str
    queue_bytes: int


@dataclass(frozen=True, slots=True)
class Noise:
    """Traces with a span whose ``attribute`` has one of ``values`` are dropped."""

    name: str
    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TailSampling:
    """What is kept of whole traces. ``traces_held`` is how many may wait at once before intake is held back.

    ``baseline_burst_spans`` is what the baseline's limit may save up: a trace of more spans never passes it.
    """

    wait_milliseconds: int
    errors: bool
    slow_milliseconds: int | None
    baseline_percent: float
    baseline_spans_per_second: int | None
    baseline_burst_spans: int
    noise: tuple[Noise, ...]
    traces_held: int
    new_traces_per_second: int


@dataclass(frozen=True, slots=True)
class TraceMetrics:
    """Metrics made of traces, and the ``host:port`` where they are scraped."""

    endpoint: str
    flush_milliseconds: int
    span_dimensions: tuple[str, ...]
    span_buckets_milliseconds: tuple[int, ...]
    span_cardinality_limit: int
    span_expiry_milliseconds: int
    graph_dimensions: tuple[str, ...]
    graph_buckets_milliseconds: tuple[int, ...]
    graph_wait_milliseconds: int
    graph_max_items: int


@dataclass(frozen=True, slots=True)
class ServiceOfGateways:
    """The gateways behind a Kubernetes Service, ``name.namespace``, each on ``port``; its endpoints are watched."""

    service: str
    port: int


@dataclass(frozen=True, slots=True)
class ListOfGateways:
    """Gateways whose ``host:port`` are known beforehand."""

    endpoints: tuple[str, ...]


Gateways = ServiceOfGateways | ListOfGateways


def agent(intake: Intake, operation: Operation, *, gateways: Gateways, enriched: bool) -> str:
    """The document of the collector on each node: it enriches, redacts and sends each trace to one of the ``gateways``.

    ``enriched`` tells whether a Kubernetes API is there to ask which pod a span comes from.
    """
    enrichment = _enrichment() if enriched else {}
    return expanded_text(
        {
            "receivers": _receivers(intake),
            "processors": _memory_limiter(operation) | enrichment | wall.processors(),
            "exporters": {"load_balancing": _load_balancing(operation, gateways)},
            "extensions": _extensions(operation, intake),
            "service": _service(
                operation,
                intake,
                {
                    "traces": {
                        "receivers": ["otlp"],
                        "processors": ["memory_limiter", *enrichment, *wall.NAMES],
                        "exporters": ["load_balancing"],
                    }
                },
            ),
        }
    )


def gateway(intake: Intake, operation: Operation, tail: TailSampling, metrics: TraceMetrics, *, backend: str, redact: bool) -> str:
    """The document of the collectors on which whole traces meet.

    ``backend`` is the ``host:port`` of its OTLP intake over gRPC. ``redact`` is true where services send to the gateway itself, which
    then stands in for the agents as well.
    """
    first = ["memory_limiter", *(wall.NAMES if redact else [])]
    return expanded_text(
        {
            "receivers": _receivers(intake),
            "processors": _memory_limiter(operation) | (wall.processors() if redact else {}) | {"tail_sampling": _tail_sampling(tail)},
            "connectors": {"span_metrics": _span_metrics(metrics), "service_graph": _service_graph(metrics), "forward": {}},
            "exporters": {"otlp_grpc": _delivery(operation, backend), "prometheus": _prometheus(metrics)},
            "extensions": _extensions(operation, intake),
            "service": _service(
                operation,
                intake,
                {
                    "traces": {"receivers": ["otlp"], "processors": first, "exporters": ["span_metrics", "service_graph", "forward"]},
                    "traces/sampled": {"receivers": ["forward"], "processors": ["tail_sampling"], "exporters": ["otlp_grpc"]},
                    "metrics": {"receivers": ["span_metrics", "service_graph"], "exporters": ["prometheus"]},
                },
            ),
        }
    )


def _receivers(intake: Intake) -> Part:
    secured: Part = {}
    if intake.security is not None:
        secured["tls"] = {
            "cert_file": intake.security.certificate,
            "key_file": intake.security.key,
            "min_version": "1.2",
            # A renewed certificate is taken without a restart.
            "reload_interval": "1h",
        }
        if intake.security.token is not None:
            secured["auth"] = {"authenticator": "bearertokenauth"}
    return {"otlp": {"protocols": {"grpc": {"endpoint": intake.grpc} | secured, "http": {"endpoint": intake.http} | secured}}}


def _memory_limiter(operation: Operation) -> Part:
    limit = mebibytes(operation.memory_bytes)
    return {"memory_limiter": {"check_interval": "1s", "limit_mib": limit, "spike_limit_mib": limit // 5}}


def _enrichment() -> Part:
    """Where a span comes from, asked of the Kubernetes API by the address of its sender."""
    metadata = ["k8s.namespace.name", "k8s.deployment.name", "k8s.statefulset.name", "k8s.pod.name", "k8s.pod.uid", "k8s.node.name"]
    return {
        "k8s_attributes": {
            "auth_type": "serviceAccount",
            "filter": {"node_from_env_var": "NODE_NAME"},
            "extract": {"metadata": metadata},
            # The address of the connection alone: a sender cannot claim to be another pod.
            "pod_association": [{"sources": [{"from": "connection"}]}],
        }
    }


def _tail_sampling(tail: TailSampling) -> Part:
    return {
        "decision_wait": go_duration(tail.wait_milliseconds),
        "num_traces": tail.traces_held,
        "expected_new_traces_per_sec": tail.new_traces_per_second,
        # Holding senders back loses nothing; forgetting the oldest trace does.
        "block_on_overflow": True,
        "drop_pending_traces_on_shutdown": False,
        # A span that comes after the decision on its trace follows it.
        "decision_cache": {"sampled_cache_size": tail.traces_held * 10, "non_sampled_cache_size": tail.traces_held * 10},
        "policies": [*chain.from_iterable(_drop(noise) for noise in tail.noise), *_keep(tail)],
    }


def _drop(noise: Noise) -> Iterator[Part]:
    """Policies for one noise: a value that reads as a number or a truth value also matches an attribute of that type."""
    matching = {"name": "matches", "type": "string_attribute", "string_attribute": {"key": noise.attribute, "values": list(noise.values)}}
    yield {"name": f"noise-{noise.name}", "type": "drop", "drop": {"drop_sub_policy": [matching]}}
    if typed := [value for value in noise.values if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,15})?|true|false", value)]:
        places = (f"{context}.attributes[{ottl(noise.attribute)}]" for context in ("span", "resource"))
        same = {"name": "matches", "type": "ottl_condition"}
        same |= {"ottl_condition": {"error_mode": "ignore", "span": [f"{place} == {value}" for place in places for value in typed]}}
        yield {"name": f"typed-noise-{noise.name}", "type": "drop", "drop": {"drop_sub_policy": [same]}}


def _keep(tail: TailSampling) -> list[Part]:
    policies: list[Part] = []
    if tail.errors:
        policies.append({"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}})
    if tail.slow_milliseconds is not None:
        # The policy keeps what is longer than its threshold; "or as long" is one millisecond less.
        policies.append({"name": "slow", "type": "latency", "latency": {"threshold_ms": tail.slow_milliseconds - 1}})
    share: Part = {"type": "probabilistic", "probabilistic": {"sampling_percentage": tail.baseline_percent}}
    if not tail.baseline_percent:
        return policies
    if tail.baseline_spans_per_second is None:
        return [*policies, {"name": "baseline"} | share]
    rate = {"spans_per_second": tail.baseline_spans_per_second, "burst_capacity": tail.baseline_burst_spans}
    limit = {"name": "limit", "type": "rate_limiting", "rate_limiting": rate}
    return [*policies, {"name": "baseline", "type": "and", "and": {"and_sub_policy": [{"name": "share"} | share, limit]}}]


def _span_metrics(metrics: TraceMetrics) -> Part:
    return {
        "namespace": "traces.span.metrics",
        "dimensions": [{"name": name} for name in metrics.span_dimensions],
        # It is another at each start of a gateway, and would begin all series anew.
        "exclude_dimensions": ["collector.instance.id"],
        "histogram": {"unit": "s", "explicit": {"buckets": [go_duration(bucket) for bucket in metrics.span_buckets_milliseconds]}},
        "aggregation_cardinality_limit": metrics.span_cardinality_limit,
        # Instance and pod ids would give each restart series of its own.
        "resource_metrics_key_attributes": ["service.name", "service.namespace", "deployment.environment.name"],
        "metrics_flush_interval": go_duration(metrics.flush_milliseconds),
        "metrics_expiration": go_duration(metrics.span_expiry_milliseconds),
        "series_expiration": go_duration(metrics.span_expiry_milliseconds),
    }


def _service_graph(metrics: TraceMetrics) -> Part:
    return {
        "dimensions": list(metrics.graph_dimensions),
        "latency_histogram_buckets": [go_duration(bucket) for bucket in metrics.graph_buckets_milliseconds],
        # Peers that send no spans themselves; not server.address, which is free text and has no limit.
        "virtual_node_peer_attributes": ["peer.service", "db.system.name"],
        "store": {"ttl": go_duration(metrics.graph_wait_milliseconds), "max_items": metrics.graph_max_items},
        "metrics_flush_interval": go_duration(metrics.flush_milliseconds),
    }


def _queue(operation: Operation) -> Part:
    return {"storage": "file_storage/queue", "sizer": "bytes", "queue_size": operation.queue_bytes}


def _delivery(operation: Operation, backend: str) -> Part:
    return {
        "endpoint": backend,
        "tls": {"insecure": True},
        # Batches bounded in bytes stay under the 4 MiB that a gRPC server takes by default. A full queue loses what comes next and counts
        # it (otelcol_exporter_enqueue_failed_spans); waiting for room instead would keep the process from stopping.
        "sending_queue": _queue(operation) | {"batch": {"flush_timeout": "200ms", "min_size": 262_144, "max_size": 2_097_152}},
        # A backend may be away for as long as the queue has room; giving up sooner would lose what was acknowledged.
        "retry_on_failure": {"enabled": True, "initial_interval": "1s", "max_interval": "15s", "max_elapsed_time": "0s"},
    }


def _resolver(gateways: Gateways) -> Part:
    match gateways:
        case ServiceOfGateways():
            return {"k8s": {"service": gateways.service, "ports": [gateways.port]}}
        case ListOfGateways():
            return {"static": {"hostnames": list(gateways.endpoints)}}


def _load_balancing(operation: Operation, gateways: Gateways) -> Part:
    return {
        "routing_key": "traceID",
        "resolver": _resolver(gateways),
        # What fails for one gateway is routed anew from the queue on disk, not held back for that gateway in memory.
        "protocol": {"otlp": {"tls": {"insecure": True}, "sending_queue": {"enabled": False}, "retry_on_failure": {"enabled": False}}},
        "sending_queue": _queue(operation) | {"batch": {"flush_timeout": "200ms", "min_size": 65_536, "max_size": 1_048_576}},
        "retry_on_failure": {"enabled": True, "initial_interval": "1s", "max_interval": "15s", "max_elapsed_time": "0s"},
    }


def _prometheus(metrics: TraceMetrics) -> Part:
    return {
        "endpoint": metrics.endpoint,
        "metric_expiration": go_duration(metrics.span_expiry_milliseconds),
        "without_scope_info": True,
        "enable_open_metrics": True,
    }


def _extensions(operation: Operation, intake: Intake) -> Part:
    storage = {
        "directory": operation.queue_folder,
        "create_directory": True,
        # The file of an emptied queue keeps its size until it is compacted.
        "compaction": {"directory": operation.queue_folder, "on_start": True, "on_rebound": True, "cleanup_on_start": True},
    }
    token = intake.security.token if intake.security else None
    guard: Part = {"bearertokenauth": {"filename": token}} if token else {}
    return {"health_check": {"endpoint": operation.health}, "file_storage/queue": storage} | guard


def _service(operation: Operation, intake: Intake, pipelines: Part) -> Part:
    reader = prometheus_reader(operation.telemetry_host, operation.telemetry_port)
    return {
        "extensions": list(_extensions(operation, intake)),
        "pipelines": pipelines,
        "telemetry": {"metrics": {"level": "normal", "readers": [reader]}, "logs": {"level": "info", "encoding": "json"}},
    }
