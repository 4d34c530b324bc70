"""The collectors: agents, which services send to, and gateways, on which whole traces meet."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

from components.documents import collector, held, ports, queues
from components.documents.kafka import MEMBER
from components.workload import Document, Health, Identity, SecretFile, Volume, Workload
from stacks.environment.scaling import request_bytes
from stacks.environment.sizing import (
    PROMPT_STOP_SECONDS,
    acknowledge_seconds,
    burst_spans,
    expected_traces,
    grace_seconds,
    kept_bytes,
    most_traces,
    queue_files,
    queue_room,
    underway_bytes,
)
from stacks.environment.starts import queue_start_seconds
from stacks.plan import backends, kafka
from stacks.plan.addresses import Bound
from stacks.plan.parts import (
    INGEST,
    TOKEN,
    certificate_files,
    files_of,
    go_memory_limit,
    metrics_of,
    milliseconds,
    resources,
    scheduling,
    security_of,
)
from stacks.plan.remote_write import remote_write, store_files

if TYPE_CHECKING:
    from stacks.environment import sections
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses
    from stacks.plan.parts import Inputs

USER = 10001
"""User id of the image, which owns the files on the volumes."""


def _operation(bound: Bound, section: sections.Agent | sections.Gateway) -> collector.Operation:
    return collector.Operation(
        health=bound.bind(ports.HEALTH),
        telemetry_host=bound.host,
        telemetry_port=bound[ports.TELEMETRY].number,
        memory_bytes=round(section.resources.memory * section.memory_limit),
    )


def _queue(volume: Volume, *, files: int, sync_writes: bool, loses: bool = False) -> queues.Queue:
    return queues.Queue(volume.path, queue_room(volume.size_bytes, files), sync_writes, loses)


def agent(inputs: Inputs) -> Workload:
    """The collector on each node, which services send to."""
    environment, bound = inputs.environment, inputs.bound
    section = environment.collectors.agent
    waiting, files_of_queue = section.queue, queue_files(environment)
    queue = Volume("queue", inputs.volume("queue"), waiting.size, holds="queue", survives="instance") if waiting else None
    store = store_files(environment, inputs.addresses)
    files = (*certificate_files(inputs), *_token_file(environment.ingest, inputs.addresses))
    token, writes = next((file.path for file in files if file.key == TOKEN), None), kafka.writing(inputs)
    text = collector.agent(
        collector.Intake(bound.bind(ports.OTLP_GRPC), bound.bind(ports.OTLP_HTTP), security_of(files), token),
        _operation(bound, section),
        _queue(queue, files=files_of_queue, sync_writes=waiting.sync_writes, loses=waiting.when_full == "lose")
        if queue and waiting
        else None,
        trace_metrics(environment, bound.bind(ports.SPAN_METRICS)),
        upstream=writes or _gateways(inputs),
        enriched=inputs.addresses.kind == "kubernetes",
        remote=remote_write(environment, inputs.addresses, {file.key: file.path for file in store}),
    )
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"--config={inputs.documents}/collector.yaml",),
        documents=(Document("collector.yaml", text),),
        documents_path=inputs.documents,
        ports=bound.all,
        metrics=metrics_of(bound.all),
        volumes=(queue,) if queue else (),
        health=Health(ports.HEALTH.name, "/", start_seconds=queue_start_seconds(waiting.size if waiting else 0)),
        resources=resources(section.resources),
        # What was sent is waited for, so that a pod that is replaced takes nothing along that a gateway has.
        grace_seconds=acknowledge_seconds(environment) + 20,
        restart_grace_seconds=PROMPT_STOP_SECONDS if waiting else None,
        # The pods that send, in whatever namespace.
        identity=Identity(USER, {"": ("pods",)}),
        spread="every-node",
        environment=go_memory_limit(section.resources.memory * section.memory_limit),
        node_variable="NODE_NAME",
        secret_files=(*files, *store, *(kafka.secret_files(inputs) if writes else ())),
        secret_variables=kafka.secret_variables(inputs) if writes else (),
        scheduling=scheduling(environment, section.pods),
    )


def _gateways(inputs: Inputs) -> queues.Gateways:
    """The gateways, each by its own address: the share of one that is away is kept for it and goes to no other."""
    environment = inputs.environment
    number = Bound(inputs.addresses, "gateway")[ports.OTLP_HTTP].number
    hosts = inputs.addresses.replica_hosts("gateway", environment.collectors.gateway.replicas)
    return queues.Gateways(
        tuple(f"{host}:{number}" for host in hosts),
        acknowledge_seconds(environment),
        environment.sampling.tail.wait.total_seconds(),
        underway_bytes(environment),
        request_bytes(environment),
    )


def _hold(inputs: Inputs) -> held.Hold | None:
    """The late acknowledgement, where agents, or gateways that read a topic, keep what is not acknowledged.

    Services that send by themselves would not wait so long.
    """
    collectors = inputs.environment.collectors
    if inputs.addresses.shape != "cluster" or (collectors.agent.queue is None and collectors.transport != "kafka"):
        return None
    wait = round(inputs.environment.sampling.tail.wait.total_seconds())
    return held.Hold(inputs.bound.own(ports.COPY), inputs.bound.own(ports.FLUSH), wait)


def _token_file(ingest: sections.Ingest, addresses: Addresses) -> tuple[SecretFile, ...]:
    """The token of the intake; the collector takes a rotated one without a restart."""
    return files_of(addresses, INGEST, (ingest.token_secret, TOKEN))


def gateway(inputs: Inputs) -> Workload:
    """The collectors on which whole traces meet; on one host, the collector that services send to as well."""
    environment, bound = inputs.environment, inputs.bound
    section, clustered, hold = environment.collectors.gateway, inputs.addresses.shape == "cluster", _hold(inputs)
    queue = Volume(
        "queue",
        inputs.volume("queue"),
        section.queue.size,
        holds="queue",
        survives="workload",
        storage_class=section.queue.storage_class,
    )
    reading, scale = kafka.reading(inputs, queue.path), kafka.autoscaling(environment, inputs.addresses)
    text = collector.gateway(
        collector.Intake(bound.bind(ports.OTLP_GRPC), bound.bind(ports.OTLP_HTTP)),
        _operation(bound, section),
        queues.Queue(queue.path, kept_bytes(environment), section.queue.sync_writes),
        _tail_sampling(environment),
        trace_metrics(environment, bound.bind(ports.SPAN_METRICS)),
        deliveries=[backends.delivery(store, inputs.addresses) for store in environment.stores],
        entry=not clustered,
        hold=hold,
        reading=reading,
    )
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"--config={inputs.documents}/collector.yaml",),
        documents=(Document("collector.yaml", text),),
        documents_path=inputs.documents,
        ports=bound.all,
        metrics=metrics_of(bound.all),
        volumes=(queue,),
        health=Health(ports.HEALTH.name, "/", start_seconds=queue_start_seconds(queue.size_bytes)),
        resources=resources(section.resources),
        grace_seconds=grace_seconds(environment, late=hold is not None),
        restart_grace_seconds=PROMPT_STOP_SECONDS if scale is not None else None,
        identity=Identity(USER),
        spread="ordered" if clustered else "single",
        replicas=section.replicas if clustered else 1,
        autoscaling=scale,
        environment=go_memory_limit(section.resources.memory * section.memory_limit),
        instance_variable=MEMBER if reading is not None else None,
        secret_files=(
            *chain(*(backends.secret_files(store, inputs.addresses) for store in environment.stores)),
            *kafka.secret_files(inputs),
        ),
        secret_variables=(*chain(*map(backends.secret_variables, environment.stores)), *kafka.secret_variables(inputs)),
        scheduling=scheduling(environment, section.pods),
    )


def _tail_sampling(environment: Environment) -> collector.TailSampling:
    tail, expected = environment.sampling.tail, expected_traces(environment)
    return collector.TailSampling(
        wait_milliseconds=milliseconds(tail.wait),
        errors=tail.errors,
        slow_milliseconds=milliseconds(tail.slow) if tail.slow is not None else None,
        baseline_percent=round(tail.baseline * 100, 6),
        baseline_spans_per_second=tail.baseline_limit,
        baseline_burst_spans=burst_spans(environment),
        noise=tuple(collector.Noise(name, noise.attribute, noise.values) for name, noise in sorted(tail.noise.items())),
        traces_held=most_traces(environment),
        new_traces_per_second=math.ceil(expected / tail.wait.total_seconds()),
        decisions_remembered=expected * 10,
    )


def trace_metrics(environment: Environment, endpoint: str) -> collector.TraceMetrics:
    """The metrics that collectors make of traces, scraped at ``endpoint``."""
    section = environment.aggregation
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
        exemplars=environment.monitoring.exemplars,
    )
