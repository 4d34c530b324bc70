"""The stores: Jaeger or Tempo, and Grafana, which shows what Tempo holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.documents import grafana as grafana_documents
from components.documents import jaeger as jaeger_documents
from components.documents import ports
from components.documents import tempo as tempo_documents
from components.workload import Document, Health, Identity, Metrics, SecretFile, SecretVariable, Volume, Workload
from stacks.environment.sizing import catching_up_bytes, longest_trace_bytes
from stacks.plan.addresses import Bound
from stacks.plan.parts import go_memory_limit, jaeger_operation, metrics_of, resources, scheduling
from stacks.plan.watching import dashboards

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.environment import sections
    from stacks.environment.jaeger import Jaeger
    from stacks.environment.model import Environment
    from stacks.plan.parts import Inputs

HTTPS = 443
"""Port of S3 that an endpoint need not name."""

JAEGER_USER = 10001
TEMPO_USER = 10001
GRAFANA_USER = 472
"""User ids of the images, which own the files on the volumes."""


def _limits(environment: Environment) -> tempo_documents.Limits:
    """Limits of Tempo for this load, never below its own defaults."""
    return tempo_documents.Limits(max(5_000_000, longest_trace_bytes(environment)), max(15_000_000, catching_up_bytes(environment)))


def _traces(folder: str, disk: sections.Disk | sections.TempoVolume, *, protect: bool) -> Volume:
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
        # Badger replays its log before it answers.
        health=Health(ports.HEALTH.name, "/status", start_seconds=300),
        resources=resources(section.resources),
        grace_seconds=60,
        identity=Identity(JAEGER_USER),
        environment=go_memory_limit(section.resources.memory),
        scheduling=scheduling(environment, section.pods),
    )


def tempo(inputs: Inputs, section: sections.Tempo) -> Workload:
    """Tempo with its traces on a volume, or in a bucket and its write-ahead log on a volume."""
    bound, folder, storage = inputs.bound, inputs.volume("traces"), section.storage
    disk = storage if storage.kind == "volume" else storage.wal
    remote = _remote(inputs, storage) if storage.kind == "s3" else _Remote()
    text = tempo_documents.store(
        intake=bound.bind(ports.OTLP_GRPC),
        query_host=bound.host,
        query_port=bound[ports.TEMPO_QUERY].number,
        grpc_host=bound.host,
        grpc_port=bound[ports.TEMPO_GRPC].number,
        telemetry_port=bound[ports.TEMPO_METRICS].number,
        folder=folder,
        bucket=remote.bucket,
        retention_seconds=round(inputs.environment.retention.traces.total_seconds()),
        limits=_limits(inputs.environment),
    )
    expand = ("-config.expand-env=true",) if remote.keys else ()
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
        health=Health(ports.TEMPO_QUERY.name, "/ready", start_seconds=300),
        resources=resources(section.resources),
        # On SIGTERM everything goes to the write-ahead log within a second; then 3.0.3 waits for ever once it has served a query.
        grace_seconds=15,
        identity=Identity(TEMPO_USER, annotations=remote.annotations),
        environment=go_memory_limit(section.resources.memory),
        secret_variables=remote.keys,
        secret_files=remote.authority,
        scheduling=scheduling(inputs.environment, section.pods),
    )


@dataclass(frozen=True, slots=True)
class _Remote:
    """A bucket with what reaching it needs: keys, the certificate of its authority, and annotations of the service account."""

    bucket: tempo_documents.Bucket | None = None
    keys: tuple[SecretVariable, ...] = ()
    authority: tuple[SecretFile, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


def _remote(inputs: Inputs, storage: sections.TempoBucket) -> _Remote:
    named, authority = storage.credentials_secret, storage.ca_secret
    keys = (("S3_ACCESS_KEY", "access-key"), ("S3_SECRET_KEY", "secret-key"))
    file = SecretFile(authority, "ca.crt", f"{inputs.addresses.secrets('storage')}/ca.crt") if authority is not None else None
    bucket = tempo_documents.Bucket(
        storage.bucket,
        # The port of TLS goes without saying.
        storage.endpoint if storage.port == HTTPS else f"{storage.endpoint}:{storage.port}",
        storage.region,
        credentials=named is not None,
        plain_http=storage.plain_http,
        authority=file.path if file is not None else None,
    )
    return _Remote(
        bucket,
        tuple(SecretVariable(variable, named, key) for variable, key in keys if named is not None),
        (file,) if file is not None else (),
        storage.service_account_annotations,
    )


def grafana(inputs: Inputs, section: sections.Tempo) -> Workload:
    """Grafana with Tempo as its data source; behind the login proxy it is told the URL that browsers use."""
    bound, documents, access = inputs.bound, inputs.documents, inputs.environment.access
    root_url = f"https://{access.host}/" if access and inputs.addresses.shape == "cluster" else None
    scratch = Volume("scratch", inputs.volume("scratch"), 2**30, holds="scratch", survives="instance")
    tempo_url = f"http://{Bound(inputs.addresses, 'tempo').call(ports.TEMPO_QUERY)}"
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
