"""Where leases are provisioned: one interface, three ways."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator


class ProvisioningError(Exception):
    """The infrastructure gave up on what it was asked for."""


class Adapter(Protocol):
    """What the daemon asks of an infrastructure. A handle is the infrastructure's own name of what it made."""

    async def create(self, order_id: str, cpu_units: int) -> str:
        """Ask for what an order needs, and return its handle at once."""

    async def find(self, order_id: str) -> str | None:
        """Return the handle of what was made for an order by an attempt that could not remember it, or none."""

    async def ready(self, handle: str) -> bool:
        """Whether it is provisioned. Raises ``ProvisioningError`` when it never will be."""

    async def release(self, handle: str) -> None:
        """Give it back; a second time is harmless."""


@asynccontextmanager
async def chosen(options: argparse.Namespace) -> AsyncIterator[Adapter]:
    """The adapter that the command line asks for. Each library is imported only where it is used."""
    if options.adapter == "waldur":
        from examples.virtengine.daemon.adapters import waldur_models

        waldur_models.import_singly()
        from examples.virtengine.daemon.adapters import waldur

        async with waldur.adapter(options) as adapter:
            yield adapter
    elif options.adapter == "kubernetes":
        from examples.virtengine.daemon.adapters import kubernetes

        with kubernetes.adapter(options) as adapter:
            yield adapter
    else:
        from examples.virtengine.daemon.adapters import slurm

        yield slurm.adapter(options)
