"""Leases as jobs of a SLURM cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from examples.virtengine.daemon.adapters import ProvisioningError
from tracing_lib.instrument.remote import SlurmClient

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_TIMEOUT_SECONDS: Final = 30.0
"""For one request, so that a backend that hangs fails the job. Far more than one takes, because a loaded machine is no failure."""
_READY: Final = {"RUNNING", "COMPLETING", "COMPLETED"}
_WAITING: Final = {"PENDING", "CONFIGURING", "REQUEUED", "RESIZING", "SUSPENDED"}
_SCRIPT: Final = "#!/bin/sh\nexec sleep infinity\n"
"""Holds what was allocated until the lease ends."""


class SlurmAdapter:
    """The handle is the job's number; the job has the order's id as its name. ``options`` are the site's own for sbatch."""

    def __init__(self, client: SlurmClient, script: str = _SCRIPT, options: Sequence[str] = ()) -> None:
        self._client = client
        self._script = script
        self._options = tuple(options)

    async def create(self, order_id: str, cpu_units: int) -> str:
        """Submit a batch job."""
        options = [f"--job-name={order_id}", f"--cpus-per-task={cpu_units}", "--output=/dev/null", *self._options]
        return str(await asyncio.to_thread(self._client.submit, self._script, options=options))

    async def find(self, order_id: str) -> str | None:
        """Look for a job that has the name."""
        found = await asyncio.to_thread(self._client.find, order_id)
        return str(found[0]) if found else None

    async def ready(self, handle: str) -> bool:
        """Whether the job runs, or has done its work already."""
        state = await asyncio.to_thread(self._client.state, int(handle))
        if state not in _READY | _WAITING:
            raise ProvisioningError(f"the job is {state}")
        return state in _READY

    async def release(self, handle: str) -> None:
        """Cancel the job; SLURM takes no offence at one that has ended."""
        await asyncio.to_thread(self._client.cancel, int(handle))


def adapter(options: argparse.Namespace) -> SlurmAdapter:
    """The adapter for the cluster of ``--slurm-conf``; without it, the one that SLURM's commands find by themselves."""
    environment = {"SLURM_CONF": str(options.slurm_conf)} if options.slurm_conf else {}
    script = options.slurm_script.read_text() if options.slurm_script else _SCRIPT
    return SlurmAdapter(SlurmClient(environment=environment, timeout_seconds=_TIMEOUT_SECONDS), script, options.slurm_option)
