"""The documents of the servers around a backbone when the shape of a cluster runs on one machine: issuer, network, store and Prometheus.

The first two are those of ``toolchain/trial``, whose keys are these.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from components.documents.scraping import scrape_configs
from components.documents.text import json_text, yaml_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.documents.scraping import Page


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


@dataclass(frozen=True, slots=True)
class Volume:
    """A claim, and the folder that stands for it."""

    claim: str
    folder: str


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """A Certificate of cert-manager by its name, and the PEM that stands for its Secret."""

    name: str
    file: str


def cluster(*, listen: str, namespace: str, volumes: Sequence[Volume], certificates: Sequence[CertificateFile]) -> str:
    """The document of what stands for kubelets and cert-manager, as far as alerts ask them."""
    return json_text(
        {
            "listen": listen,
            "namespace": namespace,
            "volumes": [asdict(volume) for volume in volumes],
            "certificates": [asdict(certificate) for certificate in certificates],
        }
    )


def cassandra(address: str, folder: str, port: int, *, pair: str | None, login: bool) -> str:
    """The document of a small Cassandra of one node at ``address``, with its data in ``folder``.

    ``pair`` is the path of its key and certificate in one PEM, None for plain text. With ``login`` it asks for a user and a password, of
    which it has one of its own at first, `cassandra` with the same password.
    """
    guarded: dict[str, object] = {"authenticator": {"class_name": "org.apache.cassandra.auth.PasswordAuthenticator"}} if login else {}
    if pair is not None:
        factory = {"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"}
        guarded["client_encryption_options"] = {
            "enabled": True,
            "optional": False,
            "ssl_context_factory": factory,
            "keystore": pair,
            "truststore": pair,
        }
    return yaml_text(
        guarded
        | {
            "cluster_name": "store",
            "num_tokens": 1,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "SimpleSnitch",
            "seed_provider": [
                {"class_name": "org.apache.cassandra.locator.SimpleSeedProvider", "parameters": [{"seeds": address}]},
            ],
            "listen_address": address,
            "rpc_address": address,
            "native_transport_port": port,
            "data_file_directories": [f"{folder}/data"],
            "commitlog_directory": f"{folder}/commitlog",
            "saved_caches_directory": f"{folder}/saved_caches",
            "hints_directory": f"{folder}/hints",
            "commitlog_sync": "periodic",
            "commitlog_sync_period": "10000ms",
            "commitlog_segment_size": "8MiB",
            "commitlog_total_space": "256MiB",
            "memtable_heap_space": "96MiB",
            "memtable_offheap_space": "96MiB",
            "file_cache_size": "32MiB",
            "auto_snapshot": False,
            "hinted_handoff_enabled": False,
        }
    )


def prometheus(*, pages: Sequence[Page], cluster: str, rules: str, interval_seconds: int) -> str:
    """The document of Prometheus: it scrapes ``pages`` and the ``host:port`` of what stands for the cluster, and evaluates ``rules``."""
    every = f"{interval_seconds}s"
    # What a kubelet tells of has its own namespace, and keeps it.
    told = {"job_name": "cluster", "honor_labels": True, "static_configs": [{"targets": [cluster]}]}
    return yaml_text(
        {
            "global": {"scrape_interval": every, "evaluation_interval": every},
            "rule_files": [rules],
            "scrape_configs": [*scrape_configs(pages), told],
        }
    )
