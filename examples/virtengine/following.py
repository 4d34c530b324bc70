"""What the chain says of the orders that customers watch, over one stream: a connection that lasts is no part of an order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import grpc

from examples.virtengine.protos import market_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from examples.virtengine.protos import market_pb2_grpc

_FINAL: Final = (market_pb2.ORDER_STATE_CLOSED, market_pb2.ORDER_STATE_FAILED)
_AGAIN_SECONDS: Final = 0.2
_END_SECONDS: Final = 1.0


class Following:
    """The states of orders as they change. ``run`` must be running."""

    def __init__(self, query: market_pb2_grpc.QueryStub) -> None:
        self._query = query
        self._watching: dict[str, set[asyncio.Queue[market_pb2.Order]]] = {}
        self._asked: asyncio.Queue[str | None] = asyncio.Queue()
        self._ended = False
        self._done = asyncio.Event()

    async def run(self) -> None:
        """Pass on what the chain tells, also after it was away."""
        while not self._ended:
            try:
                async for order in self._query.FollowOrders(self._requests(), wait_for_ready=True):
                    for watching in self._watching.get(order.id, ()):
                        watching.put_nowait(order)
            except grpc.aio.AioRpcError:
                pass  # it is asked again for everything
            if not self._ended:
                await asyncio.sleep(_AGAIN_SECONDS)
        self._done.set()

    async def end(self) -> None:
        """Ask for nothing more, and wait for the chain to end the stream; not long, for it may be away."""
        self._ended = True
        self._asked.put_nowait(None)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), _END_SECONDS)

    async def states(self, order_id: str) -> AsyncIterator[market_pb2.Order]:
        """Yield the order as it is once a block knows it, and as it is after every change of its state, up to the final one."""
        orders: asyncio.Queue[market_pb2.Order] = asyncio.Queue()
        self._watching.setdefault(order_id, set()).add(orders)
        self._asked.put_nowait(order_id)
        state = market_pb2.ORDER_STATE_UNSPECIFIED
        try:
            while state not in _FINAL:
                order = await orders.get()
                if order.state != state:
                    state = order.state
                    yield order
        finally:
            self._watching[order_id].discard(orders)
            if not self._watching[order_id]:
                del self._watching[order_id]

    async def _requests(self) -> AsyncIterator[market_pb2.QueryOrderRequest]:
        asked: asyncio.Queue[str | None] = asyncio.Queue()
        self._asked = asked
        for order_id in list(self._watching):
            asked.put_nowait(order_id)
        while (wanted := await asked.get()) is not None:
            yield market_pb2.QueryOrderRequest(order_id=wanted)
