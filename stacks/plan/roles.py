"""What each role needs: server, documents, ports, volumes, health, resources, identity. Known here alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from components.documents import access, collector, grafana, jaeger, ports, sampling, tempo
from components.documents.images import server
from components.workload import Document, Health, Identity, Resources, SecretFile, SecretVariable, Site, Volume, Workload
from stacks.environment.sizing import FREE_SHARE, burst_spans, catching_up_bytes, held_traces, longest_trace_bytes
from stacks.plan.addresses import Bound

if TYPE_CHECKING:
    from datetime import timedelta

    from components.workload import Server
    from stacks.environment import sections
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses

COLLECTOR_USER = 10001
JAEGER_USER = 10001
TEMPO_USER = 10001
GRAFANA_USER = 472
ACCESS_USER = 65532
"""The user ids of the images, which own the files on the volumes."""


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)


def _server(program: str, images: sections.Images) -> Server:
    return server(program, registry=images.registry, digests={str(program): digest for program, digest in images.digests.items()})


def _resources(section: sections.Resources) -> Resources:
    """What a workload may use, as its section says."""
    return Resources(section.cpu, section.memory)


def _operation(bound: Bound, section: sections.Agent | sections.Gateway, queue: Volume) -> collector.Operation:
    return collector.Operation(
        health=bound.bind(ports.HEALTH),
        telemetry_host=bound.host,
        telemetry_port=bound[ports.TELEMETRY].number,
        memory_bytes=round(section.resources.memory * section.memory_limit),
        queue_folder=queue.path,
        queue_bytes=round(queue.size_bytes * (1 - FREE_SHARE)),
    )


def agent(environment: Environment, addresses: Addresses) -> Workload:
    """The collector on each node, which services send to."""
    section, bound = environment.collectors.agent, Bound(addresses, "agent")
    queue = Volume("queue", addresses.volume("agent", "queue"), section.queue.size, holds="queue", survives="instance")
    files = _intake_secrets(environment.ingest)
    text = collector.agent(
        collector.Intake(bound.bind(ports.OTLP_GRPC), bound.bind(ports.OTLP_HTTP), _intake_security(files)),
        _operation(bound, section, queue),
        gateway_service=f"gateway.{environment.namespace}",
        gateway_port=Bound(addresses, "gateway")[ports.OTLP_GRPC].number,
    )
    return Workload(
        name="agent",
        role="agent",
        server=_server("otelcol-contrib", environment.images),
        arguments=(f"--config={addresses.documents('agent')}/collector.yaml",),
        documents=(Document("collector.yaml", text),),
        documents_path=addresses.documents("agent"),
        ports=bound.all,
        volumes=(queue,),
        health=Health(ports.HEALTH.name, "/"),
        resources=_resources(section.resources),
        grace_seconds=30,
        # The pods that send, in whatever namespace; the gateways, in its own.
        identity=Identity(COLLECTOR_USER, {"": ("pods",)}, {"discovery.k8s.io": ("endpointslices",)}),
        spread="every-node",
        environment=_go(section.resources.memory * section.memory_limit),
        node_variable="NODE_NAME",
        secret_files=files,
    )


def _go(limit_bytes: float) -> dict[str, str]:
    """What the Go runtime is told: to collect at four fifths of the hard limit, as the collector's guide advises."""
    return {"GOMEMLIMIT": f"{round(limit_bytes * 4 / 5)}B"}


def _intake_secrets(ingest: sections.Ingest) -> tuple[SecretFile, ...]:
    """The certificate and the token of the intake, as files; where the collector finds them is the same on every node."""
    folder = "/etc/virtengine-tracing-ingest"
    named = ((ingest.tls_secret, "tls.crt"), (ingest.tls_secret, "tls.key"), (ingest.token_secret, "token"))
    return tuple(SecretFile(secret, key, f"{folder}/{key}") for secret, key in named if secret is not None)


def _intake_security(files: tuple[SecretFile, ...]) -> collector.IntakeSecurity | None:
    paths = {file.key: file.path for file in files}
    return collector.IntakeSecurity(paths["tls.crt"], paths["tls.key"], paths.get("token")) if paths else None


def gateway(environment: Environment, addresses: Addresses) -> Workload:
    """The collectors on which whole traces meet; on one host, the collector that services send to as well."""
    section, bound = environment.collectors.gateway, Bound(addresses, "gateway")
    queue = Volume(
        "queue",
        addresses.volume("gateway", "queue"),
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
        backend=Bound(addresses, environment.backend.kind).call(ports.OTLP_GRPC),
        redact=addresses.kind != "kubernetes",
    )
    clustered = addresses.kind == "kubernetes"
    return Workload(
        name="gateway",
        role="gateway",
        server=_server("otelcol-contrib", environment.images),
        arguments=(f"--config={addresses.documents('gateway')}/collector.yaml",),
        documents=(Document("collector.yaml", text),),
        documents_path=addresses.documents("gateway"),
        ports=bound.all,
        volumes=(queue,),
        health=Health(ports.HEALTH.name, "/"),
        resources=_resources(section.resources),
        grace_seconds=math.ceil(section.grace_period.total_seconds()),
        identity=Identity(COLLECTOR_USER),
        spread="ordered" if clustered else "single",
        replicas=section.replicas if clustered else 1,
        environment=_go(section.resources.memory * section.memory_limit),
    )


def _tail_sampling(environment: Environment) -> collector.TailSampling:
    tail, held = environment.sampling.tail, held_traces(environment)
    return collector.TailSampling(
        wait_milliseconds=_ms(tail.wait),
        errors=tail.errors,
        slow_milliseconds=_ms(tail.slow) if tail.slow is not None else None,
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
        flush_milliseconds=_ms(section.flush_interval),
        span_dimensions=section.span_metrics.dimensions,
        span_buckets_milliseconds=tuple(_ms(bucket) for bucket in section.span_metrics.buckets),
        span_cardinality_limit=section.span_metrics.cardinality_limit,
        span_expiry_milliseconds=_ms(section.span_metrics.expiry),
        graph_dimensions=section.service_graph.dimensions,
        graph_buckets_milliseconds=tuple(_ms(bucket) for bucket in section.service_graph.buckets),
        graph_wait_milliseconds=_ms(section.service_graph.wait),
        graph_max_items=section.service_graph.max_edges,
    )


def backend(environment: Environment, addresses: Addresses) -> list[Workload]:
    """What stores the traces, and what shows them where that is another server."""
    chosen = environment.backend
    if chosen.kind == "jaeger":
        return [_jaeger(environment, chosen, addresses)]
    shown_at = f"https://{environment.access.host}/" if environment.access and addresses.kind == "kubernetes" else None
    return [_tempo(environment, chosen, addresses), _grafana(environment, chosen, addresses, root_url=shown_at)]


def _traces(folder: str, disk: sections.Disk | sections.TempoVolume, *, protect: bool) -> Volume:
    """The volume of the stored traces."""
    return Volume("traces", folder, disk.size, holds="traces", survives="workload", storage_class=disk.storage_class, protect=protect)


def _jaeger_operation(bound: Bound) -> jaeger.Operation:
    return jaeger.Operation(bound.bind(ports.HEALTH), bound.host, bound[ports.TELEMETRY].number)


def _jaeger(environment: Environment, section: sections.Jaeger, addresses: Addresses) -> Workload:
    bound = Bound(addresses, "jaeger")
    folder = addresses.volume("jaeger", "traces")
    text = jaeger.store(
        _jaeger_operation(bound),
        intake=bound.bind(ports.OTLP_GRPC),
        query=bound.bind(ports.JAEGER_QUERY),
        query_grpc=bound.bind(ports.JAEGER_QUERY_GRPC),
        folder=folder,
        retention_seconds=round(environment.retention.traces.total_seconds()),
        sync_writes=section.sync_writes,
    )
    disk = section.volume
    return Workload(
        name="jaeger",
        role="backend",
        server=_server("jaeger", environment.images),
        arguments=(f"--config={addresses.documents('jaeger')}/jaeger.yaml",),
        documents=(Document("jaeger.yaml", text),),
        documents_path=addresses.documents("jaeger"),
        ports=bound.all,
        volumes=(_traces(folder, disk, protect=section.protect),),
        # Badger replays its log before it answers.
        health=Health(ports.HEALTH.name, "/status", start_seconds=300),
        resources=_resources(section.resources),
        grace_seconds=60,
        identity=Identity(JAEGER_USER),
        environment=_go(section.resources.memory),
    )


def sampling_server(environment: Environment, addresses: Addresses) -> Workload:
    """The server that tells services their sampling strategies, for any backend."""
    bound, folder, head = Bound(addresses, "sampling"), addresses.documents("sampling"), environment.sampling
    # Jaeger reads the file in a folder of its own: only a folder that is mounted whole is updated in place.
    strategies = f"{folder}/strategies.json"
    text = jaeger.strategy_server(
        _jaeger_operation(bound),
        http=bound.bind(ports.STRATEGIES),
        grpc=bound.bind(ports.STRATEGIES_GRPC),
        strategies=strategies,
        reload_milliseconds=min(10_000, _ms(head.strategies.poll_interval)),
    )
    services = {
        name: sampling.Strategy(section.ratio, section.traces_per_second, dict(section.operations))
        for name, section in head.strategies.services.items()
    }
    return Workload(
        name="sampling",
        role="sampling",
        server=_server("jaeger", environment.images),
        arguments=(f"--config={folder}/sampling.yaml",),
        documents=(
            Document("sampling.yaml", text),
            Document("strategies.json", sampling.strategies(head.head_ratio, services), on_change="reload"),
        ),
        documents_path=folder,
        ports=bound.all,
        volumes=(),
        health=Health(ports.HEALTH.name, "/status"),
        resources=_SAMPLING_RESOURCES,
        grace_seconds=10,
        identity=Identity(JAEGER_USER),
        spread="replicated",
        environment=_go(_SAMPLING_RESOURCES.memory_bytes),
    )


_SAMPLING_RESOURCES = Resources(cpu_millicores=50, memory_bytes=128 * 2**20)
"""A server that answers from one small file; it held 51 MB."""


def _tempo(environment: Environment, section: sections.Tempo, addresses: Addresses) -> Workload:
    bound, folder, storage = Bound(addresses, "tempo"), addresses.volume("tempo", "traces"), section.storage
    bucket = None
    disk = storage if storage.kind == "volume" else storage.wal
    secrets: tuple[SecretVariable, ...] = ()
    if storage.kind == "s3":
        named = storage.credentials_secret
        bucket = tempo.Bucket(storage.bucket, storage.endpoint, storage.region, credentials=named is not None)
        if named is not None:
            secrets = (SecretVariable("S3_ACCESS_KEY", named, "access-key"), SecretVariable("S3_SECRET_KEY", named, "secret-key"))
    text = tempo.store(
        intake=bound.bind(ports.OTLP_GRPC),
        query_host=bound.host,
        query_port=bound[ports.TEMPO_QUERY].number,
        grpc_host=bound.host,
        grpc_port=bound[ports.TEMPO_GRPC].number,
        folder=folder,
        bucket=bucket,
        retention_seconds=round(environment.retention.traces.total_seconds()),
        # Never below Tempo's own defaults.
        limits=tempo.Limits(max(5_000_000, longest_trace_bytes(environment)), max(15_000_000, catching_up_bytes(environment))),
    )
    expand = ("-config.expand-env=true",) if secrets else ()
    return Workload(
        name="tempo",
        role="backend",
        server=_server("tempo", environment.images),
        arguments=(f"-config.file={addresses.documents('tempo')}/tempo.yaml", *expand),
        documents=(Document("tempo.yaml", text),),
        documents_path=addresses.documents("tempo"),
        ports=bound.all,
        volumes=(_traces(folder, disk, protect=section.protect),),
        health=Health(ports.TEMPO_QUERY.name, "/ready", start_seconds=300),
        resources=_resources(section.resources),
        # On SIGTERM everything goes to the write-ahead log within a second; then 3.0.3 waits for ever once it has served a query.
        grace_seconds=15,
        identity=Identity(TEMPO_USER),
        environment=_go(section.resources.memory),
        secret_variables=secrets,
    )


def _grafana(environment: Environment, section: sections.Tempo, addresses: Addresses, *, root_url: str | None) -> Workload:
    bound, documents = Bound(addresses, "grafana"), addresses.documents("grafana")
    scratch = Volume("scratch", addresses.volume("grafana", "scratch"), 2**30, holds="scratch", survives="instance")
    tempo_url = f"http://{Bound(addresses, 'tempo').call(ports.TEMPO_QUERY)}"
    settings = grafana.settings(
        host=bound.host, port=bound[ports.GRAFANA].number, root_url=root_url, folder=scratch.path, provisioning=documents
    )
    return Workload(
        name="grafana",
        role="ui",
        server=_server("grafana", environment.images),
        arguments=("server", f"--config={documents}/grafana.ini", "--homepath=/usr/share/grafana"),
        documents=(Document("grafana.ini", settings), Document("datasources/tempo.yaml", grafana.tempo_source(tempo_url=tempo_url))),
        documents_path=documents,
        ports=bound.all,
        volumes=(scratch,),
        health=Health(ports.GRAFANA.name, "/api/health"),
        resources=_resources(section.grafana),
        grace_seconds=30,
        identity=Identity(GRAFANA_USER),
        # Its image sets these, and they win over the document.
        environment={
            "GF_PATHS_DATA": scratch.path,
            "GF_PATHS_LOGS": f"{scratch.path}/log",
            "GF_PATHS_PLUGINS": f"{scratch.path}/plugins",
            "GF_PATHS_PROVISIONING": documents,
        },
    )


def login_proxy(section: sections.Access, images: sections.Images, addresses: Addresses, *, upstream: str) -> Workload:
    """oauth2-proxy before the user interface at the URL ``upstream``."""
    bound, documents = Bound(addresses, "access"), addresses.documents("access")
    authority = _authority(section.oidc_ca_secret)
    login = access.Login(
        section.oidc_issuer,
        section.client_id,
        section.scopes,
        section.groups_claim,
        section.operator_groups,
        section.trusted_proxies,
        authority.path if authority else None,
    )
    text = access.proxy(
        login, host=section.host, listen=bound.bind(ports.ACCESS), telemetry=bound.bind(ports.ACCESS_METRICS), upstream=upstream
    )
    return Workload(
        name="access",
        role="access",
        server=_server("oauth2-proxy", images),
        arguments=(f"--config={documents}/oauth2-proxy.cfg",),
        documents=(Document("oauth2-proxy.cfg", text),),
        documents_path=documents,
        ports=bound.all,
        volumes=(),
        health=Health(ports.ACCESS.name, "/ready"),
        resources=_resources(section.resources),
        grace_seconds=30,
        identity=Identity(ACCESS_USER),
        spread="replicated",
        environment=_go(section.resources.memory),
        secret_variables=(
            SecretVariable("OAUTH2_PROXY_CLIENT_SECRET", section.secret, "client-secret"),
            SecretVariable("OAUTH2_PROXY_COOKIE_SECRET", section.secret, "cookie-secret"),
        ),
        secret_files=(authority,) if authority else (),
        site=Site(section.host, ports.ACCESS.name, section.tls_secret, section.ingress_class),
    )


def _authority(secret: str | None) -> SecretFile | None:
    """The certificate of a private authority, as a file."""
    return SecretFile(secret, "ca.crt", "/etc/virtengine-tracing-issuer/ca.crt") if secret is not None else None
