"""Where the workloads of a plan listen and how they are reached: all that differs between targets, together with paths.

Pure: the free ports of a local run are chosen elsewhere and come in as numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from components.documents.ports import BY_WORKLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import Port, TargetKind


Shape = Literal["one-host", "cluster"]
"""How many machines a plan is laid out for. On one host the gateway takes the agents' place and the user interface is on loopback without
a login; in a cluster there are agents, as many gateways as the environment names, and the login proxy that it asks for."""


class Addresses(Protocol):
    """What the plan asks of a target."""

    @property
    def kind(self) -> TargetKind:
        """The target."""

    @property
    def shape(self) -> Shape:
        """One host or a cluster."""

    @property
    def listen_host(self) -> str:
        """The address that servers bind."""

    def ports(self, workload: str) -> tuple[Port, ...]:
        """The ports of a workload with the numbers that it has on this target."""

    def call_host(self, workload: str) -> str:
        """The host under which other workloads reach this one."""

    def replica_hosts(self, workload: str, replicas: int) -> tuple[str, ...]:
        """The host of each replica of a workload whose replicas are told apart."""

    def offer_host(self, workload: str) -> str:
        """The host under which services and operators reach this one."""

    def documents(self, workload: str) -> str:
        """The folder in which a workload finds its documents."""

    def volume(self, workload: str, volume: str) -> str:
        """The folder of a volume of a workload."""


class _Containers:
    """What containers of any kind have in common: fixed paths and the servers' usual ports on all interfaces."""

    listen_host = "0.0.0.0"  # noqa: S104 - inside of a container; who reaches it is decided by the plan's edges

    def ports(self, workload: str) -> tuple[Port, ...]:
        return BY_WORKLOAD[workload]

    def documents(self, workload: str) -> str:  # noqa: ARG002 - each container sees its own
        return "/etc/virtengine-tracing"

    def volume(self, workload: str, volume: str) -> str:  # noqa: ARG002 - each container sees its own
        return f"/var/lib/virtengine-tracing/{volume}"


@dataclass(frozen=True, slots=True)
class OnKubernetes(_Containers):
    """Services of a namespace."""

    namespace: str
    kind: TargetKind = "kubernetes"
    shape: Shape = "cluster"

    def call_host(self, workload: str) -> str:
        """The name of the service, which resolves in every namespace of the cluster."""
        return f"{workload}.{self.namespace}.svc"

    def replica_hosts(self, workload: str, replicas: int) -> tuple[str, ...]:
        """The names of the pods of a StatefulSet behind its headless Service."""
        return tuple(f"{workload}-{index}.{self.call_host(workload)}" for index in range(replicas))

    def offer_host(self, workload: str) -> str:
        """As other workloads reach it."""
        return self.call_host(workload)


@dataclass(frozen=True, slots=True)
class OnDocker(_Containers):
    """Containers on one network of one host; what is published is published on loopback."""

    namespace: str
    kind: TargetKind = "docker"
    shape: Shape = "one-host"

    def call_host(self, workload: str) -> str:
        """The name of the container."""
        return f"{self.namespace}-{workload}"

    def replica_hosts(self, workload: str, replicas: int) -> tuple[str, ...]:  # noqa: ARG002 - one host runs one
        """The name of the container."""
        return (self.call_host(workload),)

    def offer_host(self, workload: str) -> str:  # noqa: ARG002 - every port is published on the same address
        """Loopback."""
        return "127.0.0.1"


@dataclass(frozen=True, slots=True)
class OnThisMachine:
    """Processes on loopback, with their state in ``folder`` and the ports ``numbers`` by workload and name of the port."""

    folder: str
    numbers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    kind: TargetKind = "local"
    shape: Shape = "one-host"
    listen_host: str = "127.0.0.1"

    def ports(self, workload: str) -> tuple[Port, ...]:
        """The ports with their chosen numbers, or the usual one where none was chosen."""
        return tuple(replace(port, number=self.numbers.get((workload, port.name), port.number)) for port in BY_WORKLOAD[workload])

    def call_host(self, workload: str) -> str:  # noqa: ARG002 - one machine
        """Loopback."""
        return "127.0.0.1"

    def replica_hosts(self, workload: str, replicas: int) -> tuple[str, ...]:  # noqa: ARG002 - one host runs one
        """Loopback."""
        return (self.call_host(workload),)

    def offer_host(self, workload: str) -> str:  # noqa: ARG002 - one machine
        """Loopback."""
        return "127.0.0.1"

    def documents(self, workload: str) -> str:
        """A folder of the workload's own."""
        return f"{self.folder}/{workload}/documents"

    def volume(self, workload: str, volume: str) -> str:
        """A folder of the workload's own."""
        return f"{self.folder}/{workload}/{volume}"


class Bound:
    """The ports of one workload on one target: what it binds, and what the others call."""

    def __init__(self, addresses: Addresses, workload: str) -> None:
        self.all = addresses.ports(workload)
        self.host = addresses.listen_host
        self._call = addresses.call_host(workload)

    def __getitem__(self, port: Port | str) -> Port:
        name = port if isinstance(port, str) else port.name
        return next(known for known in self.all if known.name == name)

    def own(self, number: int) -> str:
        """``host:port`` on which a replica is reached by itself alone."""
        everywhere = "0.0.0.0"  # noqa: S104 - compared, not bound
        return f"{'127.0.0.1' if self.host == everywhere else self.host}:{number}"

    def bind(self, port: Port | str) -> str:
        """``host:port`` to listen on."""
        return f"{self.host}:{self[port].number}"

    def call(self, port: Port | str) -> str:
        """``host:port`` under which other workloads reach it."""
        return f"{self._call}:{self[port].number}"
