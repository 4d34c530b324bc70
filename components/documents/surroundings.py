"""The documents of the servers around a backbone when the shape of a cluster runs on one machine: issuer, network and Prometheus.

The first two are those of ``toolchain/trial``, whose keys are these.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from components.documents.text import json_text, yaml_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Certificate:
    """Paths of a certificate and of its key."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class User:
    """A person whom the issuer lets log in without a password, and the groups that it tells of them."""

    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """An instance behind a Service: ``host:port`` of the server, and the URL of its health."""

    address: str
    health: str


@dataclass(frozen=True, slots=True)
class Service:
    """A ``host:port`` that stands for several instances."""

    listen: str
    instances: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Ingress:
    """A ``host:port`` where TLS ends before the instances of a server."""

    listen: str
    certificate: str
    key: str
    instances: tuple[Target, ...]


def issuer(*, listen: str, health: str, tls: Certificate, client_id: str, groups_claim: str, users: Sequence[User]) -> str:
    """The document of the OpenID Connect issuer; its client's secret comes from the environment variable CLIENT_SECRET."""
    return json_text(
        {
            "health": health,
            "listen": listen,
            **asdict(tls),
            "client_id": client_id,
            "groups_claim": groups_claim,
            "users": [asdict(user) for user in users],
        }
    )


def network(*, health: str, services: Sequence[Service], ingress: Ingress | None) -> str:
    """The document of the Services and of the Ingress."""
    return json_text(
        {"health": health, "services": [asdict(service) for service in services], "ingress": asdict(ingress) if ingress else None}
    )


def prometheus(*, scraped: Mapping[str, Sequence[str]], interval_seconds: int) -> str:
    """The document of Prometheus: the ``host:port`` of each target by the name of its job, scraped at ``/metrics``."""
    jobs = [{"job_name": name, "static_configs": [{"targets": list(targets)}]} for name, targets in scraped.items()]
    return yaml_text({"global": {"scrape_interval": f"{interval_seconds}s"}, "scrape_configs": jobs})
