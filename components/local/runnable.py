"""The part of a workload that running it as a process needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import Document, Health, Port, Server, Volume


class Runnable(Protocol):
    """The part of a workload that running it as a process needs."""

    @property
    def name(self) -> str:
        """Name of the workload."""

    @property
    def server(self) -> Server:
        """The program."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The program's arguments."""

    @property
    def documents(self) -> tuple[Document, ...]:
        """The files that the program reads."""

    @property
    def documents_path(self) -> str:
        """The folder of the documents."""

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports on which it listens."""

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """The folders that it writes."""

    @property
    def health(self) -> Health:
        """The request that tells whether it takes traffic."""

    @property
    def grace_in_place(self) -> int:
        """Seconds that it has to stop after SIGTERM, where a successor finds its volumes."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables of the workload."""

    def port(self, name: str) -> Port:
        """The port of that name."""
