"""The plan of an environment: its workloads, the edges between them, its endpoints and its quota."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from components.documents import ports
from components.documents.attributes import PRIVACY_RULES
from components.documents.images import TOOLBOX
from components.documents.jaeger import STRATEGIES_USER
from components.workload import Endpoints, HeadSampling, Outside, Plan, Quota, Store, Target
from stacks.plan import kafka, roles
from stacks.plan.addresses import Bound
from stacks.plan.backends import delivery
from stacks.plan.issued import certificates, external_secrets, instrumentation
from stacks.plan.location import location
from stacks.plan.names import of_store, servers_of_store
from stacks.plan.parts import image_of
from stacks.plan.trace_stores import jobs
from stacks.plan.watching import monitoring, store_location

if TYPE_CHECKING:
    from components.workload import Job, OutsideName, Port, Workload
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses


def plan(environment: Environment, addresses: Addresses, *, name: str) -> Plan:
    """The plan of the environment ``name`` on the target that ``addresses`` describe.

    On one host the gateway takes the agents' place, and the user interface is on loopback without a login.
    """
    workloads, scheduled = tuple(roles.workloads(environment, addresses, name=name)), jobs(environment, addresses, name=name)
    by_name = {workload.name: workload for workload in workloads}
    edges, target = tuple(roles.edges(environment, by_name, scheduled)), environment.target
    return Plan(
        environment=name,
        target=addresses.kind,
        namespace=environment.namespace,
        stores=_stores(environment, addresses),
        workloads=workloads,
        edges=edges,
        endpoints=_endpoints(environment, addresses, entry="agent" if "agent" in by_name else "gateway"),
        head_sampling=_head_sampling(environment),
        privacy=PRIVACY_RULES,
        outside=_outside(environment),
        quota=_quota(workloads, scheduled, nodes=environment.load.nodes),
        toolbox=image_of(TOOLBOX.program, environment),
        monitoring=monitoring(environment, addresses),
        pull_secret=environment.images.pull_secret,
        labels=target.labels if target.kind == "kubernetes" else {},
        annotations=target.annotations if target.kind == "kubernetes" else {},
        addresses=target.addresses if target.kind == "kubernetes" else "ipv4",
        certificates=certificates(environment, addresses, edges),
        external_secrets=external_secrets(environment, addresses),
        instrumentation=instrumentation(environment, addresses),
        jobs=scheduled,
    )


_INSTANCE_IDENTITY = ("169.254.169.254/32", "169.254.169.252/32", "169.254.170.23/32", "fd00:ec2::254/128", "fd00:ec2::23/128")
"""Services of clouds that hand out the identity of a node, of a pod on GKE, and of a pod on EKS, by IPv4 and IPv6."""


def _outside(environment: Environment) -> dict[OutsideName, Outside]:
    """Locations of the peers outside of the plan."""
    access, anywhere, store = environment.access, Outside(anywhere=True), environment.monitoring.remote_write
    return {
        "consumers": Outside(environment.ingest.namespaces, environment.ingest.namespace_labels),
        # Without a login operators come by port-forward, to which no policy applies.
        "operators": Outside(access.ingress_namespaces, anywhere=not access.ingress_namespaces) if access else Outside(),
        "port-forwards": Outside(),
        "scrapers": Outside(environment.aggregation.scraper_namespaces),
        "kubernetes-api": anywhere,
        "oidc-issuer": anywhere,
        "object-storage": anywhere,
        **{servers_of_store(each): store_location(each) for each in environment.stores},
        "instance-identity": Outside(networks=_INSTANCE_IDENTITY),
        "kafka": kafka.location(environment.collectors.kafka),
        "prometheus": location(environment.monitoring.prometheus),
        "loki": location(environment.monitoring.loki),
        "metrics-store": location(store.url if store is not None else None),
    }


def _quota(workloads: tuple[Workload, ...], scheduled: tuple[Job, ...], *, nodes: int) -> Quota:
    """Quota of twice the CPU, memory and pods of the plan, so that a rollout and more nodes have room; disk is counted once."""
    counted = [(workload, nodes if workload.spread == "every-node" else workload.most_replicas) for workload in workloads]
    needed = [(workload.resources, count) for workload, count in counted] + [(job.resources, 1) for job in scheduled]
    claims = [(volume.size_bytes, count) for workload, count in counted for volume in workload.volumes if volume.survives == "workload"]
    return Quota(
        pods=2 * sum(count for _, count in needed),
        cpu_millicores=2 * sum(one.cpu_millicores * count for one, count in needed),
        memory_bytes=2 * sum(one.memory_bytes * count for one, count in needed),
        storage_bytes=sum(size * count for size, count in claims),
        claims=sum(count for _, count in claims),
    )


def _endpoints(environment: Environment, addresses: Addresses, *, entry: roles.WorkloadName) -> Endpoints:
    """URLs of the backbone for peers outside; ``entry`` is the workload that services send to."""
    clustered, ingest = addresses.shape == "cluster", environment.ingest
    scheme = "https" if clustered and ingest.tls_secret is not None else "http"
    return Endpoints(
        otlp_grpc=_url(addresses, entry, ports.OTLP_GRPC, scheme),
        otlp_http=_url(addresses, entry, ports.OTLP_HTTP, scheme),
        strategies=_url(addresses, "sampling", roles.SAMPLING.port, scheme) + "/api/sampling",
        # Scrapers stand where workloads do: no host publishes this port.
        span_metrics=f"http://{Bound(addresses, entry).call(ports.SPAN_METRICS)}/metrics",
        strategies_user=STRATEGIES_USER if clustered and ingest.token_secret is not None else None,
    )


def _url(addresses: Addresses, workload: str, port: Port, scheme: str = "http") -> str:
    return f"{scheme}://{addresses.offer_host(workload)}:{Bound(addresses, workload)[port].number}"


def _stores(environment: Environment, addresses: Addresses) -> tuple[Store, ...]:
    """The stores, in the order in which they are asked; the login proxy is before the first."""
    first, *others = (_store(each, addresses) for each in environment.stores)
    proxied = environment.access if addresses.shape == "cluster" else None
    return (replace(first, ui=f"https://{proxied.host}") if proxied else first, *others)


def _store(environment: Environment, addresses: Addresses) -> Store:
    backend, exporter = environment.backend, delivery(environment, addresses).exporter
    kept = round(environment.retention.traces.total_seconds())
    if backend.kind == "otlp":
        asked = backend.query_url or backend.ui_url
        return Store("otlp", None, exporter, asked, backend.ui_url, kept, backend.query_protocol)

    def of(role: roles.Role | None) -> str:
        return _url(addresses, role.name_in(environment), role.port) if role is not None else ""

    query, ui = of(roles.query_server(environment)), of(roles.user_interface(environment))
    return Store(backend.kind, of_store(backend.kind, environment), exporter, query, ui, kept)


def _head_sampling(environment: Environment) -> HeadSampling:
    section = environment.sampling
    targets = tuple(
        Target(service, operation, target.traces_per_second, target.floor, target.ceiling)
        for service, operations in sorted(section.targets.items())
        for operation, target in sorted(operations.items())
    )
    return HeadSampling(section.head_ratio, targets, section.strategies.poll_interval.total_seconds())
