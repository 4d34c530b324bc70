"""The site of an environment: what runs on this machine, or its target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from components.local.errors import NotRunningError

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.environment.source import Named
    from stacks.verify.site import Site

Place = Literal["machine", "target"]


def open_site(named: Named, *, state: Path | None, place: Place | None) -> Site:
    """The running backbone of an environment. Default: the one on this machine where it runs here, else the one on its target.

    Raises ``NotRunningError`` where none runs, and ``ClusterError`` or ``DaemonError`` where the target cannot be asked.
    """
    from stacks.verify.machine import Machine

    kind = named.environment.target.kind
    if place != "target" or kind == "local":
        try:
            return Machine(named, state)
        except NotRunningError:
            if place == "machine" or kind == "local":
                raise
    if kind == "docker":
        from stacks.verify.docker import Docker

        return Docker(named)
    from stacks.verify.cluster import Cluster

    return Cluster(named)
