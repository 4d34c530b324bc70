"""The base of every section that describes a store of traces."""

from __future__ import annotations

from pydantic import Field

from stacks.environment.section import Section
from stacks.environment.store_names import StoreName


class StoreSection(Section):
    """A store of traces as an environment file has it."""

    name: StoreName | None = Field(default=None, title="name of the store", examples=["search"])
    """Name that tells the store from another one beside it: its workloads, claims and queues are called `jaeger-NAME` and the like. It
    stays with the store for as long as that is there, because what has another name is another claim. Default: none, and the workloads are
    called `jaeger`; of the two stores of a move one has a name."""
