"""Three keepers of a chain with calls across modules, and their Msg and Query services: what the tests of those surfaces serve."""

# ruff: noqa: N802  gRPC calls a servicer's methods as the .proto does
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from examples.virtengine.protos import escrow_pb2, escrow_pb2_grpc, market_pb2, market_pb2_grpc, veid_pb2, veid_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    file.DESCRIPTOR.services_by_name[name] for file in (veid_pb2, market_pb2, escrow_pb2) for name in ("Msg", "Query")
)


class DepositTooSmallError(Exception):
    """The deposit does not cover the order."""


class VeidKeeper:
    """Identity: levels by account."""

    def submit_scope(self, account: str, scope: veid_pb2.Scope) -> veid_pb2.IdentityRecord:
        """Take a scope, and verify the account."""
        return veid_pb2.IdentityRecord(account=account, level=2, scopes=[scope])

    def revoke_scope(self, account: str, scope_id: str) -> veid_pb2.IdentityRecord:
        """Take a scope back."""
        return veid_pb2.IdentityRecord(account=account, level=1 if scope_id else 0)

    def identity_record(self, account: str) -> veid_pb2.IdentityRecord:
        """Look an account up."""
        return veid_pb2.IdentityRecord(account=account, level=2, scopes=[veid_pb2.Scope(id="s-1")])

    def scopes(self, account: str) -> Iterator[veid_pb2.Scope]:
        """Yield an account's scopes."""
        yield from self.identity_record(account).scopes


class EscrowKeeper:
    """Deposits by order."""

    def deposit(self, order_id: str, amount: int, required: int) -> escrow_pb2.Account:
        """Take a deposit. Raises ``DepositTooSmallError``."""
        if amount < required:
            raise DepositTooSmallError(f"{amount} of jane@example.com is below {required}")
        return escrow_pb2.Account(order_id=order_id, deposit=amount)

    def settle(self, order_id: str, amount: int) -> escrow_pb2.Account:
        """Pay from a deposit."""
        return escrow_pb2.Account(order_id=order_id, settled=amount)

    def withdraw(self, order_id: str) -> int:
        """Give the rest back."""
        return len(order_id)

    def account(self, order_id: str) -> escrow_pb2.Account:
        """Look a deposit up."""
        return escrow_pb2.Account(order_id=order_id)


class MarketKeeper:
    """Orders, and the modules that it asks."""

    def __init__(self, veid: VeidKeeper, escrow: EscrowKeeper) -> None:
        self.veid = veid
        self.escrow = escrow
        self.created = 0

    def create_order(self, order: market_pb2.Order) -> market_pb2.Order:
        """Check the owner, take the deposit, open the order. Raises ``DepositTooSmallError``."""
        self.veid.identity_record(order.account)
        self.escrow.deposit(order.id, order.deposit, order.cpu_units * 10)
        self.created += 1
        return market_pb2.Order(id=order.id, cpu_units=order.cpu_units, state=market_pb2.ORDER_STATE_OPEN)

    def create_bid(self, bid: market_pb2.Bid) -> str:
        """Take a bid; return the lease that it became."""
        return f"{bid.order_id}/{bid.provider_id}"

    def close_order(self, order_id: str) -> market_pb2.Order:
        """Close an order."""
        return market_pb2.Order(id=order_id, state=market_pb2.ORDER_STATE_CLOSED)

    def order(self, order_id: str) -> market_pb2.Order:
        """Look an order up."""
        return market_pb2.Order(id=order_id)

    def orders(self, state: int) -> Iterator[market_pb2.Order]:
        """Yield the orders in a state."""
        for number in range(2):
            yield market_pb2.Order(id=f"o-{state}-{number}")


class VeidMsg(veid_pb2_grpc.MsgServicer):
    """``virtengine.veid.v1.Msg``."""

    def __init__(self, keeper: VeidKeeper) -> None:
        self.keeper = keeper

    def SubmitScope(self, request: veid_pb2.MsgSubmitScope, _context: grpc.ServicerContext) -> veid_pb2.MsgSubmitScopeResponse:
        record = self.keeper.submit_scope(request.account, request.scope)
        return veid_pb2.MsgSubmitScopeResponse(scope_id=request.scope.id, level=record.level)

    def RevokeScope(self, request: veid_pb2.MsgRevokeScope, _context: grpc.ServicerContext) -> veid_pb2.MsgRevokeScopeResponse:
        return veid_pb2.MsgRevokeScopeResponse(level=self.keeper.revoke_scope(request.account, request.scope_id).level)


class VeidQuery(veid_pb2_grpc.QueryServicer):
    """``virtengine.veid.v1.Query``."""

    def __init__(self, keeper: VeidKeeper) -> None:
        self.keeper = keeper

    def IdentityRecord(
        self, request: veid_pb2.QueryIdentityRecordRequest, _context: grpc.ServicerContext
    ) -> veid_pb2.QueryIdentityRecordResponse:
        return veid_pb2.QueryIdentityRecordResponse(record=self.keeper.identity_record(request.account))

    def Scopes(self, request: veid_pb2.QueryScopesRequest, _context: grpc.ServicerContext) -> Iterator[veid_pb2.Scope]:
        yield from self.keeper.scopes(request.account)


class EscrowMsg(escrow_pb2_grpc.MsgServicer):
    """``virtengine.escrow.v1.Msg``."""

    def __init__(self, keeper: EscrowKeeper) -> None:
        self.keeper = keeper

    def Deposit(self, request: escrow_pb2.MsgDeposit, _context: grpc.ServicerContext) -> escrow_pb2.MsgDepositResponse:
        return escrow_pb2.MsgDepositResponse(account=self.keeper.deposit(request.order_id, request.amount, request.required))

    def Settle(self, request: escrow_pb2.MsgSettle, _context: grpc.ServicerContext) -> escrow_pb2.MsgSettleResponse:
        return escrow_pb2.MsgSettleResponse(account=self.keeper.settle(request.order_id, request.amount))

    def Withdraw(self, request: escrow_pb2.MsgWithdraw, _context: grpc.ServicerContext) -> escrow_pb2.MsgWithdrawResponse:
        return escrow_pb2.MsgWithdrawResponse(amount=self.keeper.withdraw(request.order_id))


class EscrowQuery(escrow_pb2_grpc.QueryServicer):
    """``virtengine.escrow.v1.Query``."""

    def __init__(self, keeper: EscrowKeeper) -> None:
        self.keeper = keeper

    def Account(self, request: escrow_pb2.QueryAccountRequest, _context: grpc.ServicerContext) -> escrow_pb2.QueryAccountResponse:
        return escrow_pb2.QueryAccountResponse(account=self.keeper.account(request.order_id))


class MarketMsg(market_pb2_grpc.MsgServicer):
    """``virtengine.market.v1.Msg``."""

    def __init__(self, keeper: MarketKeeper) -> None:
        self.keeper = keeper

    def CreateOrder(self, request: market_pb2.MsgCreateOrder, context: grpc.ServicerContext) -> market_pb2.MsgCreateOrderResponse:
        try:
            return market_pb2.MsgCreateOrderResponse(order=self.keeper.create_order(request.order))
        except DepositTooSmallError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            raise

    def CreateBid(self, request: market_pb2.MsgCreateBid, _context: grpc.ServicerContext) -> market_pb2.MsgCreateBidResponse:
        return market_pb2.MsgCreateBidResponse(lease_id=self.keeper.create_bid(request.bid))

    def CloseOrder(self, request: market_pb2.MsgCloseOrder, _context: grpc.ServicerContext) -> market_pb2.MsgCloseOrderResponse:
        return market_pb2.MsgCloseOrderResponse(order=self.keeper.close_order(request.order_id))

    def ImportOrders(
        self, request: Iterator[market_pb2.MsgCreateOrder], _context: grpc.ServicerContext
    ) -> market_pb2.MsgImportOrdersResponse:
        return market_pb2.MsgImportOrdersResponse(count=sum(bool(self.keeper.create_order(one.order).id) for one in request))


class MarketQuery(market_pb2_grpc.QueryServicer):
    """``virtengine.market.v1.Query``."""

    def __init__(self, keeper: MarketKeeper) -> None:
        self.keeper = keeper

    def Order(self, request: market_pb2.QueryOrderRequest, _context: grpc.ServicerContext) -> market_pb2.QueryOrderResponse:
        return market_pb2.QueryOrderResponse(order=self.keeper.order(request.order_id))

    def Orders(self, request: market_pb2.QueryOrdersRequest, _context: grpc.ServicerContext) -> Iterator[market_pb2.Order]:
        yield from self.keeper.orders(request.state)

    def FollowOrders(self, request: Iterator[market_pb2.QueryOrderRequest], _context: grpc.ServicerContext) -> Iterator[market_pb2.Order]:
        for one in request:
            yield self.keeper.order(one.order_id)


class Keepers:
    """The three, each possibly traced."""

    def __init__(self, trace: Any = lambda keeper: keeper) -> None:  # noqa: ANN401  a function that keeps each keeper's type
        self.veid: VeidKeeper = trace(VeidKeeper())
        self.escrow: EscrowKeeper = trace(EscrowKeeper())
        self.market: MarketKeeper = trace(MarketKeeper(self.veid, self.escrow))

    def servicers(self) -> dict[str, object]:
        """Every servicer by its service's full name."""
        return {
            "virtengine.veid.v1.Msg": VeidMsg(self.veid),
            "virtengine.veid.v1.Query": VeidQuery(self.veid),
            "virtengine.market.v1.Msg": MarketMsg(self.market),
            "virtengine.market.v1.Query": MarketQuery(self.market),
            "virtengine.escrow.v1.Msg": EscrowMsg(self.escrow),
            "virtengine.escrow.v1.Query": EscrowQuery(self.escrow),
        }


@contextmanager
def serving(servicers: dict[str, Any], interceptors: Sequence[Any] = ()) -> Iterator[str]:
    """Serve the chain's services; yield the target."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4), interceptors=list(interceptors))
    modules: dict[str, Any] = {"veid": veid_pb2_grpc, "market": market_pb2_grpc, "escrow": escrow_pb2_grpc}
    for full, servicer in servicers.items():
        _, module, _, name = full.split(".")
        getattr(modules[module], f"add_{name}Servicer_to_server")(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def call(channel: grpc.Channel, method: MethodDescriptor) -> None:
    """Call a method with an empty request, and take all that it answers."""
    from google.protobuf.message_factory import GetMessageClass

    shape = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    stub = getattr(channel, shape)(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    answer = stub(iter([request()]) if method.client_streaming else request(), timeout=120)
    if method.server_streaming:
        list(answer)


def methods() -> list[MethodDescriptor]:
    """Every method of the six services."""
    return [method for service in SERVICES for method in service.methods]


def without_span(names: Sequence[str]) -> list[str]:
    """The methods that no span is named after."""
    wanted = [f"{method.containing_service.full_name}/{method.name}" for method in methods()]
    return [name for name in wanted if name not in names]
