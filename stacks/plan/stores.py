"""The stores: Jaeger or Tempo, and Grafana, which shows what Tempo holds."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from components.documents import grafana as grafana_documents
from components.documents import jaeger as jaeger_documents
from components.documents import ports
from components.documents import tempo as tempo_documents
from components.workload import Document, Health, Identity, Metrics, Volume, Workload
from stacks.environment.sizing import catching_up_bytes, longest_trace_bytes
from stacks.environment.starts import STORE_SECONDS, store_start_seconds
from stacks.plan.addresses import Bound
from stacks.plan.names import of_store
from stacks.plan.object_storage import remote
from stacks.plan.parts import go_memory_limit, jaeger_operation, metrics_of, resources, scheduling
from stacks.plan.watching import dashboards

if TYPE_CHECKING:
    from stacks.environment import sections
    from stacks.environment import tempo as tempo_sections
    from stacks.environment.jaeger import Jaeger
    from stacks.environment.model import Environment
    from stacks.plan.parts import Inputs

JAEGER_USER = 10001
TEMPO_USER = 10001
GRAFANA_USER = 472
"""User ids of the images, which own the files on the volumes."""


def _limits(environment: Environment, section: tempo_sections.TempoLimits) -> tempo_documents.Limits:
    """Limits of Tempo as the environment has them, else for its load and never below Tempo's own defaults."""
    rate = section.intake_rate or max(15_000_000, catching_up_bytes(environment))
    found = environment.retention.traces + timedelta(hours=1) if section.search_range is None else section.search_range
    return tempo_documents.Limits(
        trace_bytes=section.trace_size or max(5_000_000, longest_trace_bytes(environment)),
        bytes_per_second=rate,
        # More than a gateway sends at once.
        burst_bytes=section.burst or max(20_000_000, rate),
        search_seconds=math.ceil(found.total_seconds()),
    )


def _traces(folder: str, disk: sections.Disk | tempo_sections.TempoVolume, *, protect: bool) -> Volume:
    """The volume of the stored traces."""
    return Volume("traces", folder, disk.size, holds="traces", survives="workload", storage_class=disk.storage_class, protect=protect)


def jaeger(inputs: Inputs, section: Jaeger, disk: sections.Disk) -> Workload:
    """Jaeger with its traces on one volume."""
    environment, bound = inputs.environment, inputs.bound
    folder = inputs.volume("traces")
    text = jaeger_documents.store(
        jaeger_operation(bound),
        intake=bound.bind(ports.OTLP_GRPC),
        query=bound.bind(ports.JAEGER_QUERY),
        query_grpc=bound.bind(ports.JAEGER_QUERY_GRPC),
        folder=folder,
        retention_seconds=round(environment.retention.traces.total_seconds()),
        sync_writes=section.sync_writes,
        prometheus=environment.monitoring.prometheus,
    )
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"--config={inputs.documents}/jaeger.yaml",),
        documents=(Document("jaeger.yaml", text),),
        documents_path=inputs.documents,
        ports=bound.all,
        metrics=metrics_of(bound.all),
        volumes=(_traces(folder, disk, protect=section.protect),),
        health=Health(ports.HEALTH.name, "/status", start_seconds=store_start_seconds(disk.size)),
        resources=resources(section.resources),
        grace_seconds=60,
        identity=Identity(JAEGER_USER),
        environment=go_memory_limit(section.resources.memory),
        scheduling=scheduling(environment, section.pods),
    )


def tempo(inputs: Inputs, section: tempo_sections.Tempo) -> Workload:
    """Tempo with its traces on a volume, or in a bucket and its write-ahead log on a volume."""
    bound, folder, storage = inputs.bound, inputs.volume("traces"), section.storage
    disk = storage if storage.kind == "volume" else storage.wal
    reached = remote(inputs, storage)
    text = tempo_documents.store(
        intake=bound.bind(ports.OTLP_GRPC),
        query_host=bound.host,
        query_port=bound[ports.TEMPO_QUERY].number,
        grpc_host=bound.host,
        grpc_port=bound[ports.TEMPO_GRPC].number,
        telemetry_port=bound[ports.TEMPO_METRICS].number,
        folder=folder,
        bucket=reached.bucket,
        retention_seconds=round(inputs.environment.retention.traces.total_seconds()),
        limits=_limits(inputs.environment, section.limits),
    )
    expand = ("-config.expand-env=true",) if reached.keys else ()
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"-config.file={inputs.documents}/tempo.yaml", *expand),
        documents=(Document("tempo.yaml", text),),
        documents_path=inputs.documents,
        ports=bound.all,
        metrics=metrics_of(bound.all),
        volumes=(_traces(folder, disk, protect=section.protect),),
        health=Health(ports.TEMPO_QUERY.name, "/ready", start_seconds=STORE_SECONDS),
        resources=resources(section.resources),
        # On SIGTERM everything goes to the write-ahead log within a second; then 3.0.3 waits for ever once it has served a query.
        grace_seconds=15,
        identity=Identity(TEMPO_USER, annotations=reached.annotations, labels=reached.labels),
        environment={**go_memory_limit(section.resources.memory), **reached.environment},
        secret_variables=reached.keys,
        secret_files=reached.files,
        scheduling=scheduling(inputs.environment, section.pods),
    )


def grafana(inputs: Inputs, section: tempo_sections.Tempo) -> Workload:
    """Grafana with Tempo as its data source; behind the login proxy it is told the URL that browsers use."""
    bound, documents, access = inputs.bound, inputs.documents, inputs.environment.access
    root_url = f"https://{access.host}/" if access and inputs.addresses.shape == "cluster" else None
    scratch = Volume("scratch", inputs.volume("scratch"), 2**30, holds="scratch", survives="instance")
    tempo_url = f"http://{Bound(inputs.addresses, of_store('tempo', inputs.environment)).call(ports.TEMPO_QUERY)}"
    settings = grafana_documents.settings(
        host=bound.host, port=bound[ports.GRAFANA].number, root_url=root_url, folder=scratch.path, provisioning=documents
    )
    watching = inputs.environment.monitoring
    source = grafana_documents.sources(tempo=tempo_url, prometheus=watching.prometheus, loki=watching.loki)
    shown = dashboards(inputs.environment, inputs.addresses) if watching.prometheus is not None else {}
    boards = [Document(f"boards/{name}", board) for name, board in shown.items()]
    if boards:
        boards.append(Document("dashboards/virtengine-tracing.yaml", grafana_documents.dashboards(folder=f"{documents}/boards")))
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=("server", f"--config={documents}/grafana.ini", "--homepath=/usr/share/grafana"),
        documents=(Document("grafana.ini", settings), Document("datasources/tempo.yaml", source), *boards),
        documents_path=documents,
        ports=bound.all,
        # On the port of its pages: who reaches that past the login sees every trace.
        metrics=(Metrics(ports.GRAFANA.name),) if section.grafana.scraped else (),
        volumes=(scratch,),
        health=Health(ports.GRAFANA.name, "/api/health"),
        resources=resources(section.grafana),
        grace_seconds=30,
        identity=Identity(GRAFANA_USER),
        # It holds nothing, so that another one takes its place when its node is lost.
        spread="replicated",
        scheduling=scheduling(inputs.environment, section.grafana.pods),
        # Its image sets these, and they win over the document.
        environment={
            "GF_PATHS_DATA": scratch.path,
            "GF_PATHS_LOGS": f"{scratch.path}/log",
            "GF_PATHS_PLUGINS": f"{scratch.path}/plugins",
            "GF_PATHS_PROVISIONING": documents,
        },
    )
