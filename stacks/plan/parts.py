"""Parts that the builders of all roles have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.documents import jaeger, ports
from components.documents.images import server
from components.documents.security import Security
from components.scheduling import NodeAffinity, PodAffinity, Scheduling, Toleration
from components.workload import Metrics, Port, Resources, SecretFile
from stacks.environment import cluster
from stacks.plan.addresses import Bound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from components.workload import RoleName, Server
    from stacks.environment import sections
    from stacks.environment.model import Environment
    from stacks.environment.section import Section
    from stacks.plan.addresses import Addresses


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a role's builder: the environment and its name, the addresses of the target, and the names from the role's record."""

    name: str
    environment: Environment
    addresses: Addresses
    workload: str
    role: RoleName
    program: str

    @property
    def bound(self) -> Bound:
        """The ports of the workload on this target."""
        return Bound(self.addresses, self.workload)

    @property
    def documents(self) -> str:
        """The folder in which the workload finds its documents."""
        return self.addresses.documents(self.workload)

    @property
    def server(self) -> Server:
        """The program with its image, from the mirror and with the digest that the environment names."""
        return image_of(self.program, self.environment)

    def volume(self, name: str) -> str:
        """The folder of a volume of the workload."""
        return self.addresses.volume(self.workload, name)


INGEST, TOKEN = "ingest", "token"
"""The folder of the secret files with which services are met, and the entry of a Secret that holds the token that they show."""

AUTHORITY = "ca.crt"
"""The entry of a Secret that holds the PEM of a private authority."""


def files_of(addresses: Addresses, folder: str, *named: tuple[str | None, str]) -> tuple[SecretFile, ...]:
    """Entries of Secrets as files in a folder of secrets, each given as Secret and entry; none of a Secret that is not named."""
    path = addresses.secrets(folder)
    return tuple(SecretFile(secret, key, f"{path}/{key}") for secret, key in named if secret is not None)


def certificate_files(inputs: Inputs) -> tuple[SecretFile, ...]:
    """The certificate and the key of what services reach in a cluster; none where they reach it in plain text."""
    if inputs.addresses.shape != "cluster":
        return ()
    secret = inputs.environment.ingest.tls_secret
    return files_of(inputs.addresses, INGEST, (secret, "tls.crt"), (secret, "tls.key"))


def security_of(files: tuple[SecretFile, ...]) -> Security | None:
    """The paths of certificate and key among secret files; None where they are not there."""
    paths = {file.key: file.path for file in files}
    return Security(paths["tls.crt"], paths["tls.key"]) if "tls.crt" in paths else None


def image_of(program: str, environment: Environment) -> Server:
    """A program with its image, from the mirror and with the digest that the environment names."""
    images = environment.images
    return server(program, registry=images.registry, digests={str(name): digest for name, digest in images.digests.items()})


def milliseconds(duration: timedelta) -> int:
    """A duration in whole milliseconds."""
    return round(duration.total_seconds() * 1000)


def resources(section: sections.Resources) -> Resources:
    """CPU and memory of a workload, as its section says."""
    return Resources(section.cpu, section.memory)


def scheduling(environment: Environment, own: cluster.Pods) -> Scheduling:
    """Rules for the pods of a workload: those for every workload of the cluster, and its ``own`` beside and before them."""
    general = environment.target.pods if environment.target.kind == "kubernetes" else cluster.Pods()
    default = Scheduling()
    return Scheduling(
        priority_class=own.priority_class or general.priority_class,
        node_selector={**general.node_selector, **own.node_selector},
        tolerations=tuple(Toleration(**one) for one in _entries(general.tolerations, own.tolerations)),
        node_affinity=tuple(NodeAffinity(**one) for one in _entries(general.node_affinity, own.node_affinity)),
        pod_affinity=tuple(PodAffinity(**one) for one in _entries(general.pod_affinity, own.pod_affinity)),
        zones=own.zones or general.zones or default.zones,
        log_bytes=own.log_space or general.log_space or default.log_bytes,
    )


def _entries(general: Mapping[str, Section], own: Mapping[str, Section]) -> list[dict[str, Any]]:
    """Entries of mappings by names, in the order of the names: Pulumi sorts the keys of a stack file before the program reads them."""
    return [entry.model_dump() for _, entry in sorted({**general, **own}.items())]


def port_of(url: str) -> Port:
    """The port of a server outside of the plan, by its URL."""
    parts = urlsplit(url)
    return Port(parts.scheme, parts.port or {"http": 80, "https": 443}[parts.scheme], "http")


def metrics_of(listening: tuple[Port, ...]) -> tuple[Metrics, ...]:
    """The pages of metrics of a server that listens on these ports: one for each port that serves nothing else."""
    names = {port.name for port in listening}
    return tuple(Metrics(name) for name in ports.METRICS if name in names)


def go_memory_limit(hard_limit_bytes: float) -> dict[str, str]:
    """The variable that makes the Go runtime collect early: at four fifths of the hard limit, as the collector's guide advises."""
    return {"GOMEMLIMIT": f"{round(hard_limit_bytes * 4 / 5)}B"}


def jaeger_operation(bound: Bound) -> jaeger.Operation:
    """Addresses at which a server of the Jaeger binary serves its health and its own metrics."""
    return jaeger.Operation(bound.bind(ports.HEALTH), bound.host, bound[ports.TELEMETRY].number)
