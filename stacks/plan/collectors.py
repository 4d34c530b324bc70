"""The collectors: agents, which services send to, and gateways, on which whole traces meet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from components.documents import collector, ports
from components.workload import Document, Health, Identity, SecretFile, Volume, Workload
from stacks.environment.sizing import FREE_SHARE, burst_spans, held_traces
from stacks.plan.addresses import Bound
from stacks.plan.parts import go_memory_limit, milliseconds, resources

if TYPE_CHECKING:
    from stacks.environment import sections
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses
    from stacks.plan.parts import Inputs

USER = 10001
"""User id of the image, which owns the files on the volumes."""


def _operation(bound: Bound, section: sections.Agent | sections.Gateway, queue: Volume) -> collector.Operation:
    return collector.Operation(
        health=bound.bind(ports.HEALTH),
        telemetry_host=bound.host,
        telemetry_port=bound[ports.TELEMETRY].number,
        memory_bytes=round(section.resources.memory * section.memory_limit),
        queue_folder=queue.path,
        queue_bytes=round(queue.size_bytes * (1 - FREE_SHARE)),
    )


def agent(inputs: Inputs) -> Workload:
    """The collector on each node, which services send to."""
    environment, bound = inputs.environment, inputs.bound
    section = environment.collectors.agent
    queue = Volume("queue", inputs.volume("queue"), section.queue.size, holds="queue", survives="instance")
    files = _intake_secrets(environment.ingest, inputs.addresses)
    text = collector.agent(
        collector.Intake(bound.bind(ports.OTLP_GRPC), bound.bind(ports.OTLP_HTTP), _intake_security(files)),
        _operation(bound, section, queue),
        gateways=_gateways(environment, inputs.addresses),
        enriched=inputs.addresses.kind == "kubernetes",
    )
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"--config={inputs.documents}/collector.yaml",),
        documents=(Document("collector.yaml", text),),
        documents_path=inputs.documents,
        ports=bound.all,
        volumes=(queue,),
        health=Health(ports.HEALTH.name, "/"),
        resources=resources(section.resources),
        grace_seconds=30,
        # The pods that send, in whatever namespace; the gateways, in its own.
        identity=Identity(USER, {"": ("pods",)}, {"discovery.k8s.io": ("endpointslices",)}),
        spread="every-node",
        environment=go_memory_limit(section.resources.memory * section.memory_limit),
        node_variable="NODE_NAME",
        secret_files=files,
    )


def _gateways(environment: Environment, addresses: Addresses) -> collector.Gateways:
    """The gateways among which agents divide the traces: their addresses where they are known, else their service."""
    port, hosts = Bound(addresses, "gateway")[ports.OTLP_GRPC].number, addresses.known_instances("gateway")
    if hosts is None:
        return collector.ServiceOfGateways(f"gateway.{environment.namespace}", port)
    return collector.ListOfGateways(tuple(f"{host}:{port}" for host in hosts))


def _intake_secrets(ingest: sections.Ingest, addresses: Addresses) -> tuple[SecretFile, ...]:
    """The certificate and the token of the intake, as files; where the collector finds them is the same on every node."""
    folder = addresses.secrets("ingest")
    named = ((ingest.tls_secret, "tls.crt"), (ingest.tls_secret, "tls.key"), (ingest.token_secret, "token"))
    return tuple(SecretFile(secret, key, f"{folder}/{key}") for secret, key in named if secret is not None)


def _intake_security(files: tuple[SecretFile, ...]) -> collector.IntakeSecurity | None:
    paths = {file.key: file.path for file in files}
    return collector.IntakeSecurity(paths["tls.crt"], paths["tls.key"], paths.get("token")) if paths else None


def gateway(inputs: Inputs) -> Workload:
    """The collectors on which whole traces meet; on one host, the collector that services send to as well."""
    environment, bound = inputs.environment, inputs.bound
    section, clustered = environment.collectors.gateway, inputs.addresses.shape == "cluster"
    queue = Volume(
        "queue",
        inputs.volume("queue"),
        section.queue.size,
        holds="queue",
        survives="workload",
        storage_class=section.queue.storage_class,
    )
    text = collector.gateway(
        collector.Intake(bound.bind(ports.OTLP_GRPC), bound.bind(ports.OTLP_HTTP)),
        _operation(bound, section, queue),
        _tail_sampling(environment),
        trace_metrics(environment.aggregation, bound.bind(ports.SPAN_METRICS)),
        backend=Bound(inputs.addresses, environment.backend.kind).call(ports.OTLP_GRPC),
        redact=not clustered,
    )
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"--config={inputs.documents}/collector.yaml",),
        documents=(Document("collector.yaml", text),),
        documents_path=inputs.documents,
        ports=bound.all,
        volumes=(queue,),
        health=Health(ports.HEALTH.name, "/"),
        resources=resources(section.resources),
        grace_seconds=math.ceil(section.grace_period.total_seconds()),
        identity=Identity(USER),
        spread="ordered" if clustered else "single",
        replicas=section.replicas if clustered else 1,
        environment=go_memory_limit(section.resources.memory * section.memory_limit),
    )


def _tail_sampling(environment: Environment) -> collector.TailSampling:
    tail, held = environment.sampling.tail, held_traces(environment)
    return collector.TailSampling(
        wait_milliseconds=milliseconds(tail.wait),
        errors=tail.errors,
        slow_milliseconds=milliseconds(tail.slow) if tail.slow is not None else None,
        baseline_percent=round(tail.baseline * 100, 6),
        baseline_spans_per_second=tail.baseline_limit,
        baseline_burst_spans=burst_spans(environment),
        noise=tuple(collector.Noise(name, noise.attribute, noise.values) for name, noise in sorted(tail.noise.items())),
        traces_held=held,
        new_traces_per_second=math.ceil(held / tail.wait.total_seconds()),
    )


def trace_metrics(section: sections.Aggregation, endpoint: str) -> collector.TraceMetrics:
    """The metrics that gateways make of traces, scraped at ``endpoint``."""
    return collector.TraceMetrics(
        endpoint=endpoint,
        flush_milliseconds=milliseconds(section.flush_interval),
        span_dimensions=section.span_metrics.dimensions,
        span_buckets_milliseconds=tuple(milliseconds(bucket) for bucket in section.span_metrics.buckets),
        span_cardinality_limit=section.span_metrics.cardinality_limit,
        span_expiry_milliseconds=milliseconds(section.span_metrics.expiry),
        graph_dimensions=section.service_graph.dimensions,
        graph_buckets_milliseconds=tuple(milliseconds(bucket) for bucket in section.service_graph.buckets),
        graph_wait_milliseconds=milliseconds(section.service_graph.wait),
        graph_max_items=section.service_graph.max_edges,
    )
