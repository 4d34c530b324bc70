"""The documents of the OpenTelemetry collectors (0.159).

Processors and connectors stand where they give right numbers: ``memory_limiter`` first, so that nothing is taken that cannot be
held; enrichment before redaction, so that what is added is redacted too; ``span_metrics`` where services send to, before any queue, so
that a span that is sent to a gateway again is counted once; ``service_graph`` where both sides of a call meet, before tail sampling; tail
sampling last, before a queue on disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from components.damage import COUNT
from components.documents import held, kafka, shards, wall
from components.documents.delivery import FLUSH_MILLISECONDS
from components.documents.queues import RETRY, room, storage, to_gateway, to_topic
from components.documents.remote_write import with_remote_write
from components.documents.security import Security, tls
from components.documents.text import Quoted, expanded_text, go_duration, mebibytes, ottl, prometheus_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.documents.delivery import Delivery
    from components.documents.queues import Gateways, Queue
    from components.documents.remote_write import RemoteWrite

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Intake:
    """Addresses of the intake: ``host:port`` of OTLP over gRPC and over HTTP, and the path of the token that senders must have, if any."""

    grpc: str
    http: str
    security: Security | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """Parts of every collector besides its pipelines: ``host:port`` of health and own metrics, and the memory where it refuses spans."""

    health: str
    telemetry_host: str
    telemetry_port: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Writing:
    """The topic that an agent writes to in place of sending to gateways, and the compression of what it writes."""

    topic: kafka.Topic
    compression: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The topic that a gateway reads, the queue of what it has taken, and itself as it sends itself that."""

    topic: kafka.Topic
    group: kafka.Group
    queue: Queue
    itself: Gateways


@dataclass(frozen=True, slots=True)
class Noise:
    """Traces with a span whose ``attribute`` has one of ``values`` are dropped."""

    name: str
    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TailSampling:
    """Rules of tail sampling.

    ``traces_held`` is how many may wait at once before intake is held back, ``decisions_remembered`` how many decisions late spans follow.
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
    decisions_remembered: int


@dataclass(frozen=True, slots=True)
class TraceMetrics:
    """Metrics made of traces, and the ``host:port`` where they are scraped.

    ``exemplars`` says whether gateways count kept traces as well, with ids of such traces as exemplars.
    """

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
    exemplars: bool = True


KEPT = "span_metrics/kept"
"""Connector that counts the spans of kept traces: behind tail sampling, because an exemplar of a trace that is not kept leads nowhere."""


@dataclass(frozen=True, slots=True)
class _Way:
    """The way of spans out of an agent: what its document has for it."""

    exporters: Part
    processors: Part
    pipelines: Part


def agent(
    intake: Intake,
    operation: Operation,
    queue: Queue | None,
    metrics: TraceMetrics,
    *,
    upstream: Gateways | Writing,
    enriched: bool,
    remote: RemoteWrite | None = None,
) -> str:
    """Render the document of the collector on each node, which enriches, redacts, counts and sends each trace to one gateway.

    ``upstream`` are the gateways, or the topic by which they share what comes. ``enriched`` tells whether a Kubernetes API is there to ask
    which pod a span comes from. With a queue it acknowledges what is in the queue, without one what a gateway or the topic has taken. With
    ``remote`` it scrapes the backbone on its node.
    """
    extensions = _extensions(operation, intake, [queue] if queue else [])
    enrichment = _enrichment() if enriched else {}
    way = _to_topic(upstream, queue) if isinstance(upstream, Writing) else _to_gateways(operation, upstream, queue)
    pipelines = {
        "traces": {
            "receivers": ["otlp"],
            "processors": ["memory_limiter", *enrichment, *wall.NAMES],
            "exporters": ["span_metrics", "forward"],
        },
        **way.pipelines,
        "metrics": {"receivers": ["span_metrics"], "exporters": ["prometheus"]},
    }
    document = {
        "receivers": _receivers(intake),
        "processors": _memory_limiter(operation) | enrichment | wall.processors() | way.processors,
        "connectors": {"span_metrics": _span_metrics(metrics), "forward": {}},
        "exporters": way.exporters | {"prometheus": _prometheus(metrics)},
        "extensions": extensions,
        "service": _service(operation, extensions, pipelines),
    }
    return expanded_text(with_remote_write(document, remote) if remote is not None else document)


def _to_gateways(operation: Operation, gateways: Gateways, queue: Queue | None) -> _Way:
    """A pipeline, an exporter and a share of the queue for each gateway."""
    count = len(gateways.endpoints)
    # Of one gateway no other has anything to repeat.
    refuses = queue is None or not queue.loses or count == 1
    exporters = {
        f"otlp_http/{name}": to_gateway(operation.memory_bytes, queue, gateways, endpoint)
        for name, endpoint in zip(shards.names(count), gateways.endpoints, strict=True)
    }
    handover = {} if refuses else shards.handover()
    pipelines = shards.pipelines(count, receives="forward", exporter="otlp_http", refuses=refuses)
    return _Way(exporters, shards.filters(count) | handover, pipelines)


def _to_topic(writing: Writing, queue: Queue | None) -> _Way:
    """Exporter to the topic, whose records Kafka divides by their trace ids."""
    exporter = kafka.exporter(writing.topic, compression=writing.compression, sending=to_topic(queue, kafka.LARGEST_BATCH))
    pipeline = {"receivers": ["forward"], "processors": [], "exporters": [kafka.EXPORTER]}
    return _Way({kafka.EXPORTER: exporter}, {}, {f"traces/{kafka.EXPORTER}": pipeline})


def gateway(
    intake: Intake,
    operation: Operation,
    queue: Queue,
    tail: TailSampling,
    metrics: TraceMetrics,
    *,
    deliveries: Sequence[Delivery],
    entry: bool,
    hold: held.Hold | None,
    reading: Reading | None = None,
) -> str:
    """Render the document of the collectors on which whole traces meet.

    ``entry`` is true where services send to the gateway itself, which then redacts and counts as agents do. With ``hold`` senders are
    answered when their spans are decided on, without it at once. With ``reading`` what is on a topic is taken as well. Each of
    ``deliveries`` has a queue of its own of the size of ``queue``, so that a store that is away holds up no other.
    """
    extensions = _extensions(operation, intake, [queue, *([reading.queue] if reading else [])], deliveries)
    first = ["memory_limiter", *(wall.NAMES if entry else [])]
    counted = ["span_metrics", "service_graph"] if entry else ["service_graph"]
    kept = [KEPT] if metrics.exemplars else []
    counters = {"span_metrics": _span_metrics(metrics), "service_graph": _service_graph(metrics), KEPT: _kept_metrics(metrics)}
    processors = _memory_limiter(operation) | (wall.processors() if entry else {}) | (held.processors() if hold else {})
    return expanded_text(
        {
            "receivers": _receivers(intake, late=hold is not None)
            | (held.receivers(hold) if hold else {})
            | ({kafka.RECEIVER: kafka.receiver(reading.topic, reading.group)} if reading else {}),
            "processors": processors | {"tail_sampling": _tail_sampling(tail), "batch": _decided()},
            "connectors": {name: counters[name] for name in [*counted, *kept]} | {"forward": {}},
            "exporters": {each.exporter: each.part(_sending(queue, each)) for each in deliveries}
            | {"prometheus": _prometheus(metrics)}
            | (held.exporters(hold) if hold else {})
            | (_to_itself(operation, reading) if reading else {}),
            "extensions": extensions,
            "service": _service(
                operation,
                extensions,
                {
                    "traces": {
                        "receivers": ["otlp"],
                        "processors": first,
                        "exporters": [*counted, "forward", *(["otlp_grpc/copy"] if hold else [])],
                    },
                    "traces/sampled": {
                        "receivers": ["forward"],
                        "processors": [*(["resource/first"] if hold else []), "tail_sampling", "batch"],
                        "exporters": [*(each.exporter for each in deliveries), *kept],
                    },
                    **(held.pipelines() if hold else {}),
                    **(_taking() if reading else {}),
                    "metrics": {"receivers": [*counted, *kept], "exporters": ["prometheus"]},
                },
            ),
        }
    )


def _to_itself(operation: Operation, reading: Reading) -> Part:
    """The exporter of what was taken from the topic."""
    return {kafka.TAKEN: to_gateway(operation.memory_bytes, reading.queue, reading.itself, reading.itself.endpoints[0])}


def _taking() -> Part:
    """The way of spans from the topic to the gateway's own intake."""
    return {"traces/taken": {"receivers": [kafka.RECEIVER], "processors": ["memory_limiter"], "exporters": [kafka.TAKEN]}}


def _receivers(intake: Intake, *, late: bool = False) -> Part:
    secured: Part = {}
    if intake.security is not None:
        secured["tls"] = tls(intake.security)
    if intake.token is not None:
        secured["auth"] = {"authenticator": "bearertokenauth"}
    # The server would close a connection whose answer takes longer than 30 s; an agent bounds the wait itself.
    http: Part = {"write_timeout": "0s"} if late else {}
    return {"otlp": {"protocols": {"grpc": {"endpoint": intake.grpc} | secured, "http": {"endpoint": intake.http} | secured | http}}}


def _memory_limiter(operation: Operation) -> Part:
    limit = mebibytes(operation.memory_bytes)
    return {
        "memory_limiter": {
            # Between two looks a burst comes in unseen.
            "check_interval": "250ms",
            "limit_mib": limit,
            "spike_limit_mib": limit // 5,
            # What was decided on is garbage until it is collected, and would keep the limiter refusing.
            "min_gc_interval_when_soft_limited": "1s",
        }
    }


def _enrichment() -> Part:
    """Return the processor that adds the pod of a span's sender, which it asks the Kubernetes API for by the address."""
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
        # As many as the memory holds if each had one span: the memory limiter refuses first, before a span is counted. Forgetting the
        # oldest trace would lose what was acknowledged.
        "block_on_overflow": True,
        "drop_pending_traces_on_shutdown": False,
        # A span that comes after the decision on its trace follows it.
        "decision_cache": {"sampled_cache_size": tail.decisions_remembered, "non_sampled_cache_size": tail.decisions_remembered},
        "policies": [*chain.from_iterable(_drop(noise) for noise in tail.noise), *_keep(tail)],
    }


def _decided() -> Part:
    """Join kept traces, which the sampler hands on one by one, before the queue: each entry there is three writes to the disk."""
    return {"timeout": "200ms", "send_batch_size": 2000, "send_batch_max_size": 2000}


_TYPED = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,15})?|true|false")
"""A value that the transformation language reads as a number or a truth value when it stands without quotes."""


def _drop(noise: Noise) -> Iterator[Part]:
    """Policies for one noise: a value that reads as a number or a truth value also matches an attribute of that type."""
    matching: Part = {
        "name": "matches",
        "type": "string_attribute",
        "string_attribute": {"key": noise.attribute, "values": list(noise.values)},
    }
    yield {"name": f"noise-{noise.name}", "type": "drop", "drop": {"drop_sub_policy": [matching]}}
    if typed := [value for value in noise.values if _TYPED.fullmatch(value)]:
        places = (f"{context}.attributes[{ottl(noise.attribute)}]" for context in ("span", "resource"))
        conditions = [f"{place} == {value}" for place in places for value in typed]
        same: Part = {"name": "matches", "type": "ottl_condition", "ottl_condition": {"error_mode": "ignore", "span": conditions}}
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


def _kept_metrics(metrics: TraceMetrics) -> Part:
    # One id for each series and flush is what a diagram can show. Without dimensions there are few series of them.
    return _span_metrics(metrics) | {
        "namespace": "traces.kept",
        "dimensions": [],
        "exemplars": {"enabled": True, "max_per_data_point": 1},
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


def _sending(queue: Queue, delivery: Delivery) -> Part:
    """The queue of kept traces on disk, and their retries."""
    consumers = {"num_consumers": delivery.consumers} if delivery.consumers is not None else {}
    batch = {"flush_timeout": f"{FLUSH_MILLISECONDS}ms", "min_size": delivery.least_bytes, "max_size": delivery.most_bytes}
    return {
        "timeout": f"{delivery.answer_seconds}s",
        # Batches bounded in bytes stay under the 4 MiB that a gRPC server takes by default. A full queue loses what comes next and counts
        # it (otelcol_exporter_enqueue_failed_spans); waiting for room instead would keep the process from stopping.
        "sending_queue": room(queue) | consumers | {"batch": batch},
        "retry_on_failure": RETRY,
    }


def _prometheus(metrics: TraceMetrics) -> Part:
    return {
        "endpoint": metrics.endpoint,
        "metric_expiration": go_duration(metrics.span_expiry_milliseconds),
        "without_scope_info": True,
        "enable_open_metrics": True,
    }


def _extensions(operation: Operation, intake: Intake, queues: Sequence[Queue], deliveries: Sequence[Delivery] = ()) -> Part:
    found: Part = {"health_check": {"endpoint": operation.health}} | {queue.extension: storage(queue) for queue in queues}
    found |= {"bearertokenauth": {"filename": intake.token}} if intake.token is not None else {}
    for delivery in deliveries:
        found |= delivery.extensions()
    return found


SET_ASIDE = "virtengine_queue_files_set_aside"
"""Attribute of a collector itself, and a label of ``target_info`` among its metrics: how many queue files were set aside so far. It has no
dots, because Prometheus 3 keeps those in a label and earlier ones do not."""


def _service(operation: Operation, extensions: Part, pipelines: Part) -> Part:
    reader = prometheus_reader(operation.telemetry_host, operation.telemetry_port)
    counted: Part = {}
    if any(name.startswith("file_storage") for name in extensions):
        counted["resource"] = {"attributes": [{"name": SET_ASIDE, "value": Quoted(f"${{env:{COUNT}:-0}}")}]}
    return {
        "extensions": list(extensions),
        "pipelines": pipelines,
        "telemetry": {"metrics": {"level": "normal", "readers": [reader]}, "logs": {"level": "info", "encoding": "json"}} | counted,
    }
