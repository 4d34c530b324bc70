"""The Msg services, which admit transactions, and the Query services, which answer from the last block."""

# ruff: noqa: N802, D102  gRPC calls a servicer's methods as the .proto does, and there they are described
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc

from examples.virtengine.chain.ante import RejectedError
from examples.virtengine.chain.keepers import NotFoundError
from examples.virtengine.protos import (
    escrow_pb2,
    escrow_pb2_grpc,
    market_pb2,
    market_pb2_grpc,
    veid_pb2,
    veid_pb2_grpc,
)
from tracing_lib.instrument.grpc import trace_servicer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from examples.virtengine.chain.ante import Admission
    from examples.virtengine.chain.events import News
    from examples.virtengine.chain.keepers import Keepers
    from examples.virtengine.signing import TxMessage

    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_FINAL: Final = (market_pb2.ORDER_STATE_CLOSED, market_pb2.ORDER_STATE_FAILED)


def add_to_server(server: grpc.aio.Server, admission: Admission, committed: Keepers, news: News) -> None:
    """Add the six services to a server. ``committed``: keepers that read the state of the last block."""
    servicers = (
        (veid_pb2, veid_pb2_grpc, VeidMsg(admission), VeidQuery(committed)),
        (market_pb2, market_pb2_grpc, MarketMsg(admission), MarketQuery(committed, news)),
        (escrow_pb2, escrow_pb2_grpc, EscrowMsg(admission), EscrowQuery(committed)),
    )
    for messages, services, msg, query in servicers:
        of = messages.DESCRIPTOR.services_by_name
        services.add_MsgServicer_to_server(trace_servicer(msg, of["Msg"]), server)
        services.add_QueryServicer_to_server(trace_servicer(query, of["Query"]), server)


async def _admit(admission: Admission, message: TxMessage, context: Context) -> str:
    """Return the hash of a transaction that now waits for its block; abort the call of one that may not."""
    try:
        return admission.admit(message)
    except RejectedError as error:
        await context.abort(error.code, str(error))
        raise


class VeidMsg(veid_pb2_grpc.MsgServicer):
    """``virtengine.veid.v1.Msg``."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def SubmitScope(self, request: veid_pb2.MsgSubmitScope, context: Context) -> veid_pb2.MsgSubmitScopeResponse:
        tx_hash = await _admit(self._admission, request, context)
        return veid_pb2.MsgSubmitScopeResponse(scope_id=request.scope.id, tx_hash=tx_hash)

    async def RevokeScope(self, request: veid_pb2.MsgRevokeScope, context: Context) -> veid_pb2.MsgRevokeScopeResponse:
        return veid_pb2.MsgRevokeScopeResponse(tx_hash=await _admit(self._admission, request, context))


class VeidQuery(veid_pb2_grpc.QueryServicer):
    """``virtengine.veid.v1.Query``."""

    def __init__(self, committed: Keepers) -> None:
        self._veid = committed.veid

    async def IdentityRecord(self, request: veid_pb2.QueryIdentityRecordRequest, _context: Context) -> veid_pb2.QueryIdentityRecordResponse:
        scopes = self._veid.scopes(request.account)
        record = veid_pb2.IdentityRecord(account=request.account, level=len(scopes), scopes=scopes)
        return veid_pb2.QueryIdentityRecordResponse(record=record)

    async def Scopes(self, request: veid_pb2.QueryScopesRequest, _context: Context) -> AsyncIterator[veid_pb2.Scope]:
        for scope in self._veid.scopes(request.account):
            yield scope


class EscrowMsg(escrow_pb2_grpc.MsgServicer):
    """``virtengine.escrow.v1.Msg``."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def Deposit(self, request: escrow_pb2.MsgDeposit, context: Context) -> escrow_pb2.MsgDepositResponse:
        return escrow_pb2.MsgDepositResponse(tx_hash=await _admit(self._admission, request, context))

    async def Settle(self, request: escrow_pb2.MsgSettle, context: Context) -> escrow_pb2.MsgSettleResponse:
        return escrow_pb2.MsgSettleResponse(tx_hash=await _admit(self._admission, request, context))

    async def Withdraw(self, request: escrow_pb2.MsgWithdraw, context: Context) -> escrow_pb2.MsgWithdrawResponse:
        return escrow_pb2.MsgWithdrawResponse(tx_hash=await _admit(self._admission, request, context))


class EscrowQuery(escrow_pb2_grpc.QueryServicer):
    """``virtengine.escrow.v1.Query``."""

    def __init__(self, committed: Keepers) -> None:
        self._escrow = committed.escrow

    async def Account(self, request: escrow_pb2.QueryAccountRequest, context: Context) -> escrow_pb2.QueryAccountResponse:
        try:
            return escrow_pb2.QueryAccountResponse(account=self._escrow.account(request.order_id))
        except NotFoundError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
            raise


class MarketMsg(market_pb2_grpc.MsgServicer):
    """``virtengine.market.v1.Msg``."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def CreateOrder(self, request: market_pb2.MsgCreateOrder, context: Context) -> market_pb2.MsgCreateOrderResponse:
        return market_pb2.MsgCreateOrderResponse(order=request.order, tx_hash=await _admit(self._admission, request, context))

    async def CreateBid(self, request: market_pb2.MsgCreateBid, context: Context) -> market_pb2.MsgCreateBidResponse:
        return market_pb2.MsgCreateBidResponse(tx_hash=await _admit(self._admission, request, context))

    async def CloseOrder(self, request: market_pb2.MsgCloseOrder, context: Context) -> market_pb2.MsgCloseOrderResponse:
        return market_pb2.MsgCloseOrderResponse(tx_hash=await _admit(self._admission, request, context))

    async def ImportOrders(
        self, requests: AsyncIterator[market_pb2.MsgCreateOrder], context: Context
    ) -> market_pb2.MsgImportOrdersResponse:
        admitted = [await _admit(self._admission, request, context) async for request in requests]
        return market_pb2.MsgImportOrdersResponse(count=len(admitted))


class MarketQuery(market_pb2_grpc.QueryServicer):
    """``virtengine.market.v1.Query``."""

    def __init__(self, committed: Keepers, news: News) -> None:
        self._market = committed.market
        self._news = news

    async def Order(self, request: market_pb2.QueryOrderRequest, _context: Context) -> market_pb2.QueryOrderResponse:
        return market_pb2.QueryOrderResponse(order=self._market.order(request.order_id))

    async def Orders(self, request: market_pb2.QueryOrdersRequest, _context: Context) -> AsyncIterator[market_pb2.Order]:
        for order in self._market.orders(request.state):
            yield order

    async def FollowOrders(
        self, requests: AsyncIterator[market_pb2.QueryOrderRequest], _context: Context
    ) -> AsyncIterator[market_pb2.Order]:
        """Tell the state of each order that is asked for, and every change, until it is final or nothing more can be asked for."""
        told: dict[str, int] = {}
        with self._news.subscribe() as fresh:
            asking = asyncio.create_task(_ask(requests, told, fresh))
            try:
                while not asking.done() and not self._news.ended:
                    fresh.clear()
                    for order in self._changed(told):
                        yield order
                    await fresh.wait()
            finally:
                asking.cancel()

    def _changed(self, told: dict[str, int]) -> list[market_pb2.Order]:
        orders = [order for order_id, state in told.items() if (order := self._market.order(order_id)) and order.state != state]
        for order in orders:
            told[order.id] = order.state
            if order.state in _FINAL:
                del told[order.id]
        return orders


async def _ask(requests: AsyncIterator[market_pb2.QueryOrderRequest], told: dict[str, int], fresh: asyncio.Event) -> None:
    try:
        async for request in requests:
            told[request.order_id] = market_pb2.ORDER_STATE_UNSPECIFIED
            fresh.set()
    finally:
        fresh.set()
