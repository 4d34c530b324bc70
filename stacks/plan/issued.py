"""Objects whose controllers come with the cluster, as the environment asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.issued import Certificate, ExternalSecret, Instrumentation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.workload import Edge
    from stacks.environment.cluster import Issuer
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses


def certificates(environment: Environment, addresses: Addresses, edges: Iterable[Edge]) -> tuple[Certificate, ...]:
    """The certificates of what services reach and of the user interface, where an issuer is named; none on one host."""
    return tuple(_certificates(environment, addresses, edges)) if addresses.kind == "kubernetes" else ()


def _certificates(environment: Environment, addresses: Addresses, edges: Iterable[Edge]) -> Iterator[Certificate]:
    ingest, access = environment.ingest, environment.access
    reached = dict.fromkeys(addresses.offer_host(edge.destination) for edge in edges if edge.source == "consumers")
    # A resolver may complete a name before a client compares it with the certificate.
    hosts = tuple(name for host in reached for name in (host, f"{host}.cluster.local"))
    yield from _certificate(ingest.tls_secret, ingest.certificate, hosts)
    if access is not None:
        yield from _certificate(access.tls_secret, access.certificate, (access.host,))


def _certificate(secret: str | None, issuer: Issuer | None, hosts: tuple[str, ...]) -> Iterator[Certificate]:
    if secret is not None and issuer is not None:
        yield Certificate(secret, hosts, issuer.name, issuer.kind)


def external_secrets(environment: Environment, addresses: Addresses) -> tuple[ExternalSecret, ...]:
    """The Secrets that come from a store; none on one host."""
    target = environment.target
    if addresses.kind != "kubernetes" or target.kind != "kubernetes" or target.external_secrets is None:
        return ()
    section = target.external_secrets
    refresh = round(section.refresh.total_seconds())
    return tuple(ExternalSecret(name, key, section.store, section.kind, refresh) for name, key in sorted(section.secrets.items()))


def instrumentation(environment: Environment, addresses: Addresses) -> Instrumentation | None:
    """The Instrumentation beside the ConfigMap of consumers, where the environment asks for it; none on one host."""
    wanted = addresses.kind == "kubernetes" and environment.ingest.instrumentation
    return Instrumentation(token=environment.ingest.token_secret is not None) if wanted else None
