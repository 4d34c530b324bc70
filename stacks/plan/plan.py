"""The plan of an environment: which workloads run, and who may talk to whom. What a role needs is in ``stacks.plan.roles``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.documents import ports
from components.documents.attributes import PRIVACY_RULES
from components.workload import Edge, Endpoints, HeadSampling, Outside, Plan, Port, Quota, Target
from stacks.plan import roles
from stacks.plan.addresses import Bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.workload import OutsideName, Workload
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses


def plan(environment: Environment, addresses: Addresses, *, name: str) -> Plan:
    """The plan of the environment ``name`` on the target that ``addresses`` describe.

    On one host the gateway takes the agents' place, and the user interface is on loopback without a login.
    """
    workloads = tuple(_workloads(environment, addresses))
    return Plan(
        environment=name,
        target=addresses.kind,
        namespace=environment.namespace,
        backend=environment.backend.kind,
        retention_seconds=round(environment.retention.traces.total_seconds()),
        workloads=workloads,
        edges=tuple(_edges(environment, workloads)),
        endpoints=_endpoints(environment, addresses),
        head_sampling=_head_sampling(environment),
        privacy=PRIVACY_RULES,
        outside=_outside(environment),
        quota=_quota(workloads, nodes=environment.load.nodes),
        pull_secret=environment.images.pull_secret,
    )


def _workloads(environment: Environment, addresses: Addresses) -> Iterator[Workload]:
    clustered = addresses.shape == "cluster"
    if clustered:
        yield roles.agent(environment, addresses)
    yield roles.gateway(environment, addresses)
    yield from roles.backend(environment, addresses)
    yield roles.sampling_server(environment, addresses)
    if clustered and environment.access is not None:
        ui, port = _ui(environment)
        upstream = f"http://{Bound(addresses, ui).call(port)}"
        yield roles.login_proxy(environment.access, environment.images, addresses, upstream=upstream)


def _entry(addresses: Addresses) -> str:
    """The workload that services send to."""
    return "agent" if addresses.shape == "cluster" else "gateway"


def _ui(environment: Environment) -> tuple[str, str]:
    """Workload and port of the user interface."""
    return ("jaeger", ports.JAEGER_QUERY.name) if environment.backend.kind == "jaeger" else ("grafana", ports.GRAFANA.name)


def _edges(environment: Environment, workloads: tuple[Workload, ...]) -> Iterator[Edge]:
    """Who may talk to whom; the graph of the pipeline, and those outside of it."""
    by_name = {workload.name: workload for workload in workloads}
    backend, (ui, ui_port) = by_name[environment.backend.kind], _ui(environment)
    entry = by_name.get("agent", by_name["gateway"])
    for port in (ports.OTLP_GRPC, ports.OTLP_HTTP):
        yield Edge("consumers", entry.name, entry.port(port.name))
    for port in (ports.STRATEGIES, ports.STRATEGIES_GRPC):
        yield Edge("consumers", "sampling", by_name["sampling"].port(port.name))
    if entry.name == "agent":
        yield Edge("agent", "gateway", by_name["gateway"].port(ports.OTLP_GRPC.name))
    yield Edge("gateway", backend.name, backend.port(ports.OTLP_GRPC.name))
    if ui == "grafana":
        yield Edge("grafana", "tempo", backend.port(ports.TEMPO_QUERY.name))
        if entry.name == "gateway":
            # On one host programs read traces from where it publishes the query API; Jaeger's is on the port of its interface.
            yield Edge("operators", "tempo", backend.port(ports.TEMPO_QUERY.name))
    yield Edge("access" if "access" in by_name else "operators", ui, by_name[ui].port(ui_port))
    if "access" in by_name:
        yield Edge("operators", "access", by_name["access"].port(ports.ACCESS.name))
    yield from _calls_outside(environment, by_name)
    scraped = {ports.TELEMETRY.name, ports.SPAN_METRICS.name}
    for workload in workloads:
        for port in workload.ports:
            if port.name in scraped:
                yield Edge("scrapers", workload.name, port)


def _calls_outside(environment: Environment, by_name: dict[str, Workload]) -> Iterator[Edge]:
    """The servers that workloads call and that are none of the plan."""
    if "agent" in by_name:
        # Policies see the port of the server behind the Service of the API, which is 6443 almost everywhere.
        for number in (443, 6443):
            yield Edge("agent", "kubernetes-api", Port("https", number, "http"))
    if environment.access is not None and "access" in by_name:
        yield Edge("access", "oidc-issuer", Port("https", urlsplit(environment.access.oidc_issuer).port or 443, "http"))
    if environment.backend.kind == "tempo" and environment.backend.storage.kind == "s3":
        yield Edge("tempo", "object-storage", Port("https", 443, "http"))


def _outside(environment: Environment) -> dict[OutsideName, Outside]:
    """Where those outside of the plan are."""
    access, anywhere = environment.access, Outside(anywhere=True)
    return {
        "consumers": Outside(environment.ingest.namespaces),
        # Without a login operators come by port-forward, to which no policy applies.
        "operators": Outside(access.ingress_namespaces, anywhere=not access.ingress_namespaces) if access else Outside(),
        "scrapers": Outside(environment.aggregation.scraper_namespaces),
        "kubernetes-api": anywhere,
        "oidc-issuer": anywhere,
        "object-storage": anywhere,
    }


def _quota(workloads: tuple[Workload, ...], *, nodes: int) -> Quota:
    """Twice what the plan asks for, so that a rollout and more nodes than expected have room; disk is asked for once."""
    counted = [(workload, nodes if workload.spread == "every-node" else workload.replicas) for workload in workloads]
    claims = [(volume.size_bytes, count) for workload, count in counted for volume in workload.volumes if volume.survives == "workload"]
    return Quota(
        pods=2 * sum(count for _, count in counted),
        cpu_millicores=2 * sum(workload.resources.cpu_millicores * count for workload, count in counted),
        memory_bytes=2 * sum(workload.resources.memory_bytes * count for workload, count in counted),
        storage_bytes=sum(size * count for size, count in claims),
        claims=sum(count for _, count in claims),
    )


def _endpoints(environment: Environment, addresses: Addresses) -> Endpoints:
    """The URLs under which those outside reach the backbone."""
    entry = _entry(addresses)
    secure = entry == "agent" and environment.ingest.tls_secret is not None

    def url(workload: str, port: Port | str, scheme: str = "http") -> str:
        return f"{scheme}://{addresses.offer_host(workload)}:{Bound(addresses, workload)[port].number}"

    backend_query = ports.JAEGER_QUERY if environment.backend.kind == "jaeger" else ports.TEMPO_QUERY
    proxied = environment.access if addresses.shape == "cluster" else None
    return Endpoints(
        otlp_grpc=url(entry, ports.OTLP_GRPC, "https" if secure else "http"),
        otlp_http=url(entry, ports.OTLP_HTTP, "https" if secure else "http"),
        strategies=url("sampling", ports.STRATEGIES) + "/api/sampling",
        query=url(environment.backend.kind, backend_query),
        ui=f"https://{proxied.host}" if proxied else url(*_ui(environment)),
        # Scrapers stand where workloads do: no host publishes this port.
        span_metrics=f"http://{Bound(addresses, 'gateway').call(ports.SPAN_METRICS)}/metrics",
    )


def _head_sampling(environment: Environment) -> HeadSampling:
    section = environment.sampling
    targets = tuple(
        Target(service, operation, target.traces_per_second, target.floor, target.ceiling)
        for service, operations in sorted(section.targets.items())
        for operation, target in sorted(operations.items())
    )
    return HeadSampling(section.head_ratio, targets, section.strategies.poll_interval.total_seconds())
