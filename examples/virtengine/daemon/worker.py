"""Does the queued jobs: provisions leases, releases what is no longer wanted."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Never

import grpc

from examples.virtengine.daemon.jobs import PROVISION
from tracing_lib import traced
from tracing_lib.instrument import consume

if TYPE_CHECKING:
    from examples.virtengine.daemon.adapters import Adapter
    from examples.virtengine.daemon.chain_client import ChainClient
    from examples.virtengine.daemon.jobs import Job, Lease, Queue
    from examples.virtengine.daemon.prices import Prices

_logger: Final = logging.getLogger("virtengine.provider.worker")


class Worker:
    """Up to ``concurrency`` jobs at a time. Between two questions to an adapter it waits as ``poll_seconds`` says: first, at most."""

    def __init__(
        self,
        queue: Queue,
        adapter: Adapter,
        chain: ChainClient,
        prices: Prices,
        *,
        concurrency: int,
        poll_seconds: tuple[float, float],
    ) -> None:
        self._queue = queue
        self._adapter = adapter
        self._chain = chain
        self._prices = prices
        self._free = asyncio.Semaphore(concurrency)
        self._first_pause, self._longest_pause = poll_seconds

    async def run(self) -> Never:
        """Do jobs until cancelled; what is interrupted stays in the queue."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._free.acquire()
                group.create_task(self._do(await self._queue.next()))

    async def _do(self, job: Job) -> None:
        described = {"virtengine.order.id": job.lease.order_id, "virtengine.lease.id": job.lease.lease_id}
        try:
            with consume(job.kind, job.trace, attempt=job.attempt, attributes=described):
                await self._attempt(job)
        except Exception:  # noqa: BLE001  logged where the trace is at hand
            self._queue.finish(job, failed=True)
        else:
            self._queue.finish(job, failed=False)
        finally:
            self._free.release()

    async def _attempt(self, job: Job) -> None:
        try:
            if job.kind == PROVISION:
                await self._provision(job.lease, again=job.attempt > 1)
            else:
                await self._release(job.lease)
        except Exception:
            _logger.exception("%s of %s failed", job.kind, job.lease.order_id)
            if job.kind == PROVISION:
                await self._give_up(job.lease.order_id)
            raise

    async def _provision(self, lease: Lease, *, again: bool) -> None:
        # An attempt before this one may have ended between doing something and remembering it.
        handle = lease.handle
        if handle is None and again:
            handle = await self._adapter.find(lease.order_id)
        if handle is None:
            handle = await self._adapter.create(lease.order_id, lease.cpu_units)
        self._queue.made(lease.order_id, handle)
        await self._ready(handle)
        if not (again and await self._chain.settled(lease.order_id)):
            await self._chain.settle(lease.order_id, lease.price)
            await self._prices.observed(lease.price // lease.cpu_units)

    @traced(name="adapter.ready")
    async def _ready(self, handle: str) -> None:
        pause = self._first_pause
        while not await self._adapter.ready(handle):
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._longest_pause)

    async def _give_up(self, order_id: str) -> None:
        try:
            await self._chain.close_order(order_id)
        except grpc.aio.AioRpcError:
            _logger.exception("%s could not be closed", order_id)

    async def _release(self, lease: Lease) -> None:
        if lease.handle is not None:
            await self._adapter.release(lease.handle)
