"""Addresses of workloads: where each listens and is reached, which together with paths is all that differs between targets.

Pure: the free ports of a local run are chosen elsewhere and come in as numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from components.documents.ports import ports_beside, ports_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import Family, Port, TargetKind


Shape = Literal["one-host", "cluster"]
"""Machines for which a plan is laid out. On one host the gateway takes the agents' place and the user interface is on loopback without
a login; in a cluster there are agents, as many gateways as the environment names, and the login proxy that it asks for."""


class Addresses(Protocol):
    """Addresses and paths of one target, as the plan asks for them."""

    @property
    def kind(self) -> TargetKind:
        """The target."""

    @property
    def shape(self) -> Shape:
        """Kind of a placement: one host, or a cluster."""

    def listen_host(self, workload: str) -> str:
        """The address that a workload's server binds."""

    def ports(self, workload: str) -> tuple[Port, ...]:
        """The ports of a workload with the numbers that it has on this target."""

    def call_host(self, workload: str) -> str:
        """The host under which other workloads reach this one."""

    def replica_hosts(self, workload: str, replicas: int) -> tuple[str, ...]:
        """The host of each replica of a workload whose replicas are told apart."""

    def offer_host(self, workload: str) -> str:
        """The host under which services and operators reach this one."""

    def neighbours(self) -> tuple[tuple[str, str, str], ...] | None:
        """Workload, name and address of each instance on the node of this one; None where the API of the cluster tells them."""

    def documents(self, workload: str) -> str:
        """The folder in which a workload finds its documents."""

    def volume(self, workload: str, volume: str) -> str:
        """The folder of a volume of a workload."""

    def secrets(self, folder: str) -> str:
        """The folder of that name with secret files."""


_EVERYWHERE, _EVERYWHERE_IPV6 = "0.0.0.0", "::"  # noqa: S104 - inside of a container; who reaches it is decided by the plan's edges
_ITSELF = {_EVERYWHERE: "127.0.0.1", _EVERYWHERE_IPV6: "::1"}


class _Containers:
    """Addresses in containers of any kind: fixed paths and the servers' usual ports on all interfaces."""

    def listen_host(self, workload: str) -> str:  # noqa: ARG002 - each container has a network of its own
        return _EVERYWHERE

    def ports(self, workload: str) -> tuple[Port, ...]:
        return ports_of(workload)

    def documents(self, workload: str) -> str:  # noqa: ARG002 - each container sees its own
        return "/etc/virtengine-tracing"

    def volume(self, workload: str, volume: str) -> str:  # noqa: ARG002 - each container sees its own
        return f"/var/lib/virtengine-tracing/{volume}"

    def secrets(self, folder: str) -> str:
        return f"/etc/virtengine-tracing-{folder}"

    def neighbours(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class OnKubernetes(_Containers):
    """Services of a namespace."""

    namespace: str
    kind: TargetKind = "kubernetes"
    shape: Shape = "cluster"
    family: Family = "ipv4"

    def listen_host(self, workload: str) -> str:  # noqa: ARG002 - each pod has a network of its own
        """All addresses of the pod; the one for IPv6 takes IPv4 too, where there is any."""
        return _EVERYWHERE if self.family == "ipv4" else _EVERYWHERE_IPV6

    def call_host(self, workload: str) -> str:
        """Return the name of the service, which resolves in every namespace of the cluster."""
        return f"{workload}.{self.namespace}.svc"

    def replica_hosts(self, workload: str, replicas: int) -> tuple[str, ...]:
        """Return the names of the pods of a StatefulSet behind its headless Service."""
        return tuple(f"{workload}-{index}.{self.call_host(workload)}" for index in range(replicas))

    def offer_host(self, workload: str) -> str:
        """Return the host by which other workloads reach the workload."""
        return self.call_host(workload)


@dataclass(frozen=True, slots=True)
class OnDocker(_Containers):
    """Containers on one network of one host; ports are published on loopback."""

    namespace: str
    kind: TargetKind = "docker"
    shape: Shape = "one-host"

    def ports(self, workload: str) -> tuple[Port, ...]:
        """The ports under which they are published."""
        return ports_beside(workload)

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

    def listen_host(self, workload: str) -> str:  # noqa: ARG002 - one machine
        """Loopback."""
        return "127.0.0.1"

    def ports(self, workload: str) -> tuple[Port, ...]:
        """The ports with their chosen numbers, or the usual one where none was chosen."""
        return tuple(replace(port, number=self.numbers.get((workload, port.name), port.number)) for port in ports_beside(workload))

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

    def secrets(self, folder: str) -> str:
        """A folder that nothing fills: a plan with secrets is refused on one host."""
        return f"{self.folder}/secrets/{folder}"

    def neighbours(self) -> tuple[tuple[str, str, str], ...]:
        """None, because one host has no agent that would scrape them."""
        return ()


@dataclass(frozen=True, slots=True)
class InSmall:
    """The shape of a cluster as processes on loopback: each instance has an address of its own and the usual ports.

    ``instances`` holds the addresses of each workload's instances, ``services`` the address that stands for all instances of a
    workload, where there is one. ``index`` tells for which instance of each workload the documents are: the paths and the address that
    it binds are that one's.
    """

    folder: str
    instances: Mapping[str, tuple[str, ...]]
    services: Mapping[str, str] = field(default_factory=dict)
    index: int = 0
    kind: TargetKind = "local"
    shape: Shape = "cluster"

    def listen_host(self, workload: str) -> str:
        """The instance's own address."""
        return self.instances[workload][self._ordinal(workload)]

    def ports(self, workload: str) -> tuple[Port, ...]:
        """The usual ports."""
        return ports_of(workload)

    def call_host(self, workload: str) -> str:
        """Return the address of all instances together, or of the only instance."""
        return self.services.get(workload) or self.instances[workload][0]

    def offer_host(self, workload: str) -> str:
        """Return the host by which other workloads reach the workload."""
        return self.call_host(workload)

    def documents(self, workload: str) -> str:
        """Return a folder of the instance."""
        return f"{self.folder}/{self._name(workload)}/documents"

    def volume(self, workload: str, volume: str) -> str:
        """Return a folder of the instance."""
        return f"{self.folder}/{self._name(workload)}/{volume}"

    def secrets(self, folder: str) -> str:
        """A folder that all instances share."""
        return f"{self.folder}/secrets/{folder}"

    def replica_hosts(self, workload: str, replicas: int) -> tuple[str, ...]:
        """Their addresses."""
        return self.instances[workload][:replicas]

    def neighbours(self) -> tuple[tuple[str, str, str], ...]:
        """The agent itself, and on the first node the instances of all other workloads."""
        return tuple(
            (workload, f"{workload}-{number}", address)
            for workload, addresses in self.instances.items()
            for number, address in enumerate(addresses)
            if (number == self.index if workload == "agent" else self.index == 0)
        )

    def _ordinal(self, workload: str) -> int:
        return min(self.index, len(self.instances[workload]) - 1)

    def _name(self, workload: str) -> str:
        return f"{workload}-{self._ordinal(workload)}"


class Bound:
    """The ports of one workload on one target: the addresses that it binds, and those that the others call."""

    def __init__(self, addresses: Addresses, workload: str) -> None:
        self.all = addresses.ports(workload)
        self.host = addresses.listen_host(workload)
        self._call = addresses.call_host(workload)

    def __getitem__(self, port: Port | str) -> Port:
        name = port if isinstance(port, str) else port.name
        return next(known for known in self.all if known.name == name)

    def own(self, number: int) -> str:
        """``host:port`` on which a replica is reached by itself alone."""
        return _with_port(_ITSELF.get(self.host, self.host), number)

    def bind(self, port: Port | str) -> str:
        """``host:port`` to listen on."""
        return _with_port(self.host, self[port].number)

    def call(self, port: Port | str) -> str:
        """``host:port`` under which other workloads reach it."""
        return _with_port(self._call, self[port].number)


def _with_port(host: str, number: int) -> str:
    """``host:port``, with the brackets that an address of IPv6 needs there."""
    return f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
