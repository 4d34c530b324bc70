"""Follows the chain's events: bids for new orders, and queues what leases ask for."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, Final, Never

import grpc
from websockets.exceptions import WebSocketException

from examples.virtengine.daemon.jobs import PROVISION, RELEASE, Lease
from tracing_lib import current_span, traced
from tracing_lib.instrument import produce
from tracing_lib.instrument.websocket import trace_websocket

if TYPE_CHECKING:
    from examples.virtengine.daemon.chain_client import ChainClient
    from examples.virtengine.daemon.jobs import Queue
    from examples.virtengine.daemon.prices import Prices

FIRST_PAUSE_SECONDS: Final = 0.1
"""Before the first attempt to follow the chain again; each further one waits twice as long."""
LONGEST_PAUSE_SECONDS: Final = 5.0

_REFUSALS: Final = {
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,
}

_logger: Final = logging.getLogger("virtengine.provider.bidding")


class Bidding:
    """One provider's side of the market. ``chain``: host and port of the chain's events."""

    def __init__(self, provider_id: str, chain: str, client: ChainClient, queue: Queue, prices: Prices) -> None:
        self._provider_id = provider_id
        self._chain = chain
        self._client = client
        self._queue = queue
        self._prices = prices

    async def follow(self) -> Never:
        """Take every event after the last one whose effects are stored, for ever; connect again when the chain is away."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            uri = f"ws://{self._chain}/events?after={self._queue.position}"
            try:
                async with trace_websocket(uri, template="/events") as socket:
                    pause = FIRST_PAUSE_SECONDS
                    async for message in socket:
                        await self._take(json.loads(message))
            except (OSError, WebSocketException, grpc.aio.AioRpcError) as error:
                _logger.warning("the chain is away, connecting again in %.1f s: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _take(self, event: dict[str, Any]) -> None:
        """Do what an event asks for. It may come twice: when the daemon or the chain ends before its effects are stored."""
        kind, order_id, sequence = event["type"], event["order_id"], event["sequence"]
        described = {"virtengine.order.id": order_id, "virtengine.event.type": kind, "virtengine.event.sequence": sequence}
        current_span().set_attributes(described)
        if kind == "order.created":
            await self._bid(order_id, event["cpu_units"])
        with self._queue.effects_of(sequence):
            if kind == "lease.created" and event["provider_id"] == self._provider_id:
                self._queue.add_lease(Lease(order_id, event["lease_id"], event["cpu_units"], event["price"]))
                self._hand_out(PROVISION, order_id)
            elif kind == "order.closed" and self._queue.lease(order_id):
                self._hand_out(RELEASE, order_id)

    async def _bid(self, order_id: str, cpu_units: int) -> None:
        try:
            await self._client.bid(order_id, self._provider_id, await self._price(cpu_units))
        except grpc.aio.AioRpcError as error:
            if error.code() not in _REFUSALS:
                raise
            _logger.info("the chain refused the bid for %s: %s", order_id, error.code())

    @traced(name="bidengine.price", attributes={"virtengine.order.cpu_units": "cpu_units", "virtengine.bid.price": "return"})
    async def _price(self, cpu_units: int) -> int:
        """Return the price of an order, in the smallest unit of the chain's coin."""
        return cpu_units * await self._prices.unit()

    def _hand_out(self, kind: str, order_id: str) -> None:
        with produce(kind, attributes={"virtengine.order.id": order_id}) as job:
            self._queue.add(kind, order_id, job.token if job else None)
