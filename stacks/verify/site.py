"""A running backbone as the checks see it, whatever its placement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from components.workload import Document, Plan, Port, Workload
    from stacks.environment.model import Environment
    from stacks.placement.outputs import Outputs


@dataclass(frozen=True, slots=True)
class Instance:
    """A running server with its workload as the plan has it for this one."""

    name: str
    workload: Workload


@dataclass(frozen=True, slots=True)
class Way:
    """``host`` and ``port`` to connect to from here, and the ``name`` that the server's certificate is for."""

    host: str
    port: int
    name: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The text of a document where its server reads it, None where there is none.

    ``stale`` is why the server may have been started with another text, None where it was not.
    """

    text: str | None
    stale: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """The version of a running server, and those that the plan takes for right."""

    running: str
    right: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """Bytes in use on a volume, and its size."""

    used: int
    size: int


class Site(Protocol):
    """A running backbone. Every method raises ``CannotTellError`` for what cannot be seen on its placement."""

    @property
    def where(self) -> str:
        """Place of the backbone, in a phrase."""

    @property
    def environment(self) -> Environment:
        """The environment that it is held against."""

    @property
    def plan(self) -> Plan:
        """The plan of that environment on this placement."""

    @property
    def outputs(self) -> Outputs:
        """Outputs for services, with the token where it can be had."""

    @property
    def again(self) -> str:
        """The command that places the plan anew."""

    @property
    def prometheus(self) -> str | None:
        """URL of the Prometheus that has the alerts of this backbone; None where none is known."""

    @property
    def alerts(self) -> frozenset[str]:
        """The names of the alerts that follow from the plan."""

    def instances(self) -> Sequence[Instance]:
        """The servers of the plan that run."""

    def troubles(self) -> list[str]:
        """Servers of the plan that do not run or do not answer, in sentences."""

    def version(self, instance: Instance) -> Version:
        """The version that runs."""

    def loaded(self, instance: Instance, document: Document) -> Loaded:
        """A document as the server has it."""

    def deviations(self) -> list[str]:
        """Deviations of all else than documents: arguments of processes, objects of a cluster."""

    def openings(self) -> tuple[list[str], str]:
        """Ports and rules that are open and not planned, or planned and missing, in sentences; and what was looked at."""

    def reach(self, instance: Instance, port: Port) -> AbstractContextManager[Way]:
        """A way from here to a port of an instance."""

    def way(self, url: str) -> AbstractContextManager[tuple[str, int]]:
        """Host and port that lead from here to a URL of the outputs."""

    def use(self, instance: Instance, volume: str) -> Use:
        """Bytes in use on a volume of an instance."""

    def idle_jobs(self) -> list[str]:
        """Jobs of the plan that do not run at their times, in sentences."""

    def logs(self, workload: str) -> str:
        """The command that shows the log of a workload."""
