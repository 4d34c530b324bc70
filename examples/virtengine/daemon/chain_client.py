"""What the daemon sends to the chain."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc

from examples.virtengine.protos import escrow_pb2, escrow_pb2_grpc, market_pb2, market_pb2_grpc
from tracing_lib.instrument import link_to_transaction
from tracing_lib.instrument.grpc import trace_aio_channel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from examples.virtengine.signing import Key, TxMessage

_TIMEOUT_SECONDS: Final = 30.0
"""For the chain to answer a call, its restart included. Far more than that takes, because a loaded machine is no failure."""


class ChainClient:
    """Sends transactions, signed by the provider's key; each is admitted, not yet executed, when the call returns.

    All calls raise ``grpc.aio.AioRpcError``.
    """

    def __init__(self, channel: grpc.aio.Channel, key: Key) -> None:
        self._key = key
        self._market = market_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # generated code
        self._escrow = escrow_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # generated code
        self._accounts = escrow_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]  # generated code

    async def bid(self, order_id: str, provider_id: str, price: int) -> None:
        """Bid for an open order."""
        bid = market_pb2.Bid(order_id=order_id, provider_id=provider_id, price=price)
        await self._send(self._market.CreateBid, market_pb2.MsgCreateBid(bid=bid))

    async def close_order(self, order_id: str) -> None:
        """Give an order up."""
        await self._send(self._market.CloseOrder, market_pb2.MsgCloseOrder(order_id=order_id))

    async def settle(self, order_id: str, amount: int) -> None:
        """Have the order's escrow pay."""
        await self._send(self._escrow.Settle, escrow_pb2.MsgSettle(order_id=order_id, amount=amount))

    async def settled(self, order_id: str) -> int:
        """What the order's escrow has paid, as of the last block."""
        wanted = escrow_pb2.QueryAccountRequest(order_id=order_id)
        answer = await self._accounts.Account(wanted, timeout=_TIMEOUT_SECONDS, wait_for_ready=True)
        return int(answer.account.settled)

    async def _send(self, method: Any, message: TxMessage) -> None:  # noqa: ANN401  generated code has no types for its methods
        answer = await method(self._key.signed(message), timeout=_TIMEOUT_SECONDS, wait_for_ready=True)
        # The block that executes it is a trace of its own, whose ids follow from the hash.
        link_to_transaction(answer.tx_hash)


@asynccontextmanager
async def connected(target: str, key: Key) -> AsyncIterator[ChainClient]:
    """A client of the chain's gRPC at ``target`` (host:port) for the block, that signs by a key."""
    async with trace_aio_channel(grpc.aio.insecure_channel(target), target) as channel:
        yield ChainClient(channel, key)
