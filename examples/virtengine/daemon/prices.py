"""Price of a resource: what the oracle says, or the provider's own list."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc

from examples.virtengine.protos import oracle_pb2, oracle_pb2_grpc
from tracing_lib.instrument.grpc import trace_aio_channel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from examples.virtengine.signing import Key

LISTED: Final = 7
"""Price of a CPU unit on the provider's own list, in the smallest unit of the chain's coin."""

_SYMBOL: Final = "cpu-unit"
_TIMEOUT_SECONDS: Final = 2.0
"""For the oracle to answer. A bid must not wait for it long: others bid too."""

_logger: Final = logging.getLogger("virtengine.provider.prices")


class Prices(Protocol):
    """Prices of a CPU unit."""

    async def unit(self) -> int:
        """Return the price of a CPU unit."""

    async def observed(self, amount: int) -> None:
        """Tell what a CPU unit was leased for."""


class Listed:
    """The provider's own list, which never changes."""

    async def unit(self) -> int:
        """Return the price on the list."""
        return LISTED

    async def observed(self, amount: int) -> None:
        """Tell nobody."""


class Oracle:
    """The oracle module of the chain. While it does not answer, the price is that of the list, and observations are dropped."""

    def __init__(self, channel: grpc.aio.Channel, key: Key) -> None:
        self._key = key
        self._query: Any = oracle_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]  # generated code
        self._msg: Any = oracle_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # generated code

    async def unit(self) -> int:
        """Return the price of the oracle."""
        try:
            answer = await self._query.Price(oracle_pb2.QueryPriceRequest(symbol=_SYMBOL), timeout=_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            _logger.warning("the oracle tells no price, the list holds: %s", error.code())
            return LISTED
        return int(answer.price.amount)

    async def observed(self, amount: int) -> None:
        """Post an observation, signed."""
        message = self._key.signed(oracle_pb2.MsgPostPrice(symbol=_SYMBOL, amount=amount))
        try:
            await self._msg.PostPrice(message, timeout=_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            _logger.warning("the oracle took no observation: %s", error.code())


@asynccontextmanager
async def connected(target: str | None, key: Key) -> AsyncIterator[Prices]:
    """Prices of the oracle at ``target`` (host:port) for the block; without one those of the list."""
    if target is None:
        yield Listed()
        return
    async with trace_aio_channel(grpc.aio.insecure_channel(target), target) as channel:
        yield Oracle(channel, key)
