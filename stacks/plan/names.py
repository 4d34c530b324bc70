"""Names of the workloads, peers, files and queues of a store, which has a name of its own where there are two."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.workload import OutsideName
    from stacks.environment.model import Environment


def of_store(name: str, environment: Environment) -> str:
    """The name of a part of a store: what it is called without other stores, then the name of the store behind a hyphen."""
    store = environment.backend.name
    return name if store is None else f"{name}-{store}"


def servers_of_store(environment: Environment) -> OutsideName:
    """The peer outside of the plan that stands for the servers of a store; of two stores one has a name."""
    return "trace-store" if environment.backend.name is None else "named-trace-store"
