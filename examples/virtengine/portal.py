"""portal: where customers place orders over HTTP and watch them over a WebSocket. What it knows of a person stays in it.

It holds the customers' keys and signs for them; what it signs, it has kept before.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from examples.virtengine import serving
from examples.virtengine.customers import Customer, Customers, UnknownCustomerError, UnknownOrderError
from examples.virtengine.following import Following
from examples.virtengine.protos import market_pb2, market_pb2_grpc, veid_pb2, veid_pb2_grpc
from examples.virtengine.service import traced
from examples.virtengine.signing import Key
from tracing_lib import current_span, declare_names
from tracing_lib import traced as traced_function
from tracing_lib.instrument import link_to_transaction
from tracing_lib.instrument.grpc import trace_aio_channel
from tracing_lib.instrument.http import AsgiTracing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.websockets import WebSocket

_T = TypeVar("_T")
_logger: Final = logging.getLogger(__name__)

declare_names("customers")
ORDER_ID: Final = "virtengine.order.id"
ORDER_CPU: Final = "virtengine.order.cpu_units"
_TIMEOUT_SECONDS: Final = 30.0
"""For the chain to answer a call. Far more than it takes, because a loaded machine is no failure."""
_REFUSALS: Final = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED)
_RECONNECT: Final = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000))


class UnreadableError(Exception):
    """A request lacks a field, or one is not what it should be."""


class Portal:
    """The API. ``channel``: to the chain, open as long as the portal is."""

    def __init__(self, channel: grpc.aio.Channel, following: Following, customers: Customers) -> None:
        self._identities = veid_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # generated code
        self._orders = market_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # generated code
        self._query = market_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]  # generated code
        self._following = following
        self._customers = customers

    async def register(self, request: Request) -> JSONResponse:
        """``POST /customers``: 202 with a new account and the transaction's hash.

        The chain learns that a document was seen, and not whose.
        """
        customer, key = await _read(request, _customer), Key.make()
        self._customers.add(customer, key)
        scope = veid_pb2.Scope(id=f"scope-{secrets.token_hex(6)}", type=veid_pb2.SCOPE_TYPE_DOCUMENT)
        message = key.signed(veid_pb2.MsgSubmitScope(account=key.account, scope=scope))
        answer = await self._identities.SubmitScope(message, timeout=_TIMEOUT_SECONDS)
        return _admitted(answer.tx_hash, account=key.account)

    async def place(self, request: Request) -> JSONResponse:
        """``POST /orders``: 202 with the order's id and the transaction's hash."""
        order, note = await _read(request, _order)
        current_span().set_attributes({ORDER_ID: order.id, ORDER_CPU: order.cpu_units})
        message = self._customers.key(order.account).signed(market_pb2.MsgCreateOrder(order=order))
        self._customers.add_order(order.id, order.account, note)
        answer = await self._orders.CreateOrder(message, timeout=_TIMEOUT_SECONDS)
        return _admitted(answer.tx_hash, id=order.id)

    async def cancel(self, request: Request) -> JSONResponse:
        """``DELETE /orders/{order_id}``: 202 with the transaction's hash; 404 where no customer has placed it."""
        order_id = _order_of(request)
        message = self._customers.key_of_order(order_id).signed(market_pb2.MsgCloseOrder(order_id=order_id))
        answer = await self._orders.CloseOrder(message, timeout=_TIMEOUT_SECONDS)
        return _admitted(answer.tx_hash)

    async def show(self, request: Request) -> JSONResponse:
        """``GET /orders/{order_id}``: 200 with the state; 404 while no block knows the order."""
        wanted = market_pb2.QueryOrderRequest(order_id=_order_of(request))
        answer = await self._query.Order(wanted, timeout=_TIMEOUT_SECONDS)
        if not answer.HasField("order"):
            return JSONResponse({"error": "no block knows this order"}, status_code=404)
        return JSONResponse({"id": answer.order.id, "state": _state(answer.order)})

    async def watch(self, socket: WebSocket) -> None:
        """``/orders/{order_id}/events``: the state, and every change of it until the last, or until the customer leaves."""
        order_id = _order_of(socket)
        await socket.accept()
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell(socket, order_id))
            async for _ in socket.iter_text():
                pass  # a customer has nothing to say; what ends the loop is that he leaves
            telling.cancel()

    async def _tell(self, socket: WebSocket, order_id: str) -> None:
        with suppress(WebSocketDisconnect):
            async for order in self._following.states(order_id):
                await _show(socket, order)
            await socket.close()


@traced_function(name="portal.show_state", attributes={ORDER_ID: "order.id"})
async def _show(socket: WebSocket, order: market_pb2.Order) -> None:
    await socket.send_json({"state": _state(order)})


async def _read(request: Request, make: Callable[[Any], _T]) -> _T:
    """Make something of a request's JSON. Raises ``UnreadableError``."""
    try:
        return make(await request.json())
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError from error


def _customer(body: dict[str, Any]) -> Customer:
    return Customer(*(_text(body[field]) for field in ("name", "email", "phone", "document")))


def _order(body: dict[str, Any]) -> tuple[market_pb2.Order, str]:
    # What leaves the process as an identifier has a digit; of random ones a few would not.
    order_id = f"order-{secrets.randbelow(10)}{secrets.token_hex(6)[1:]}"
    order = market_pb2.Order(id=order_id, account=body["account"], cpu_units=body["cpu_units"], deposit=body["deposit"])
    return order, _text(body.get("note", ""))


def _text(value: object) -> str:
    """Return what can be kept as text. Raises ``ValueError`` for half a surrogate pair, which JSON lets through."""
    return str(value).encode().decode()


def _order_of(request: Request | WebSocket) -> str:
    """The order that a request is about, which its span names too."""
    order_id = str(request.path_params["order_id"])
    current_span().set_attribute(ORDER_ID, order_id)
    return order_id


def _admitted(tx_hash: str, **fields: str) -> JSONResponse:
    """Answer that a transaction will be executed; the request's trace leads to the transaction's."""
    link_to_transaction(tx_hash)
    return JSONResponse({**fields, "tx_hash": tx_hash}, status_code=202)


def _state(order: market_pb2.Order) -> str:
    return market_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_")


def _refused(_request: Request, error: Exception) -> JSONResponse:
    """Answer for the chain: 422 where it refused, 502 where it could not be asked."""
    if isinstance(error, grpc.aio.AioRpcError) and error.code() in _REFUSALS:
        return JSONResponse({"error": error.details()}, status_code=422)
    _logger.warning("the chain could not be asked: %s", error)
    return JSONResponse({"error": "the chain cannot be reached"}, status_code=502)


def _no_customer(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": "no customer has this account"}, status_code=422)


def _no_order(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": "no customer has placed this order"}, status_code=404)


def _unreadable(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": "the request lacks a field, or one is not what it should be"}, status_code=422)


class OrderConvertor(StringConvertor):
    """Ids that the portal made: anything else in their place is what somebody typed, and must not reach a span."""

    regex = "order-[0-9][0-9a-f]{11}"


def app(portal: Portal) -> AsgiTracing:
    """The portal's API, traced."""
    register_url_convertor("order", OrderConvertor())
    routes = [
        Route("/customers", portal.register, methods=["POST"]),
        Route("/orders", portal.place, methods=["POST"]),
        Route("/orders/{order_id:order}", portal.show),
        Route("/orders/{order_id:order}", portal.cancel, methods=["DELETE"]),
        WebSocketRoute("/orders/{order_id:order}/events", portal.watch),
    ]
    answers: dict[Any, Callable[[Request, Exception], Awaitable[JSONResponse] | JSONResponse]] = {
        grpc.aio.AioRpcError: _refused,
        UnknownCustomerError: _no_customer,
        UnknownOrderError: _no_order,
        UnreadableError: _unreadable,
    }
    return AsgiTracing(Starlette(routes=routes, exception_handlers=answers), answer_trace=True, envelope=True)


async def run(port: int, chain: str, customers: Customers) -> None:
    """Serve until SIGTERM."""
    async with trace_aio_channel(grpc.aio.insecure_channel(chain, options=_RECONNECT), chain) as channel:
        following = Following(market_pb2_grpc.QueryStub(channel))  # type: ignore[no-untyped-call]  # generated code
        async with asyncio.TaskGroup() as group:
            group.create_task(following.run())
            try:
                await serving.serve(app(Portal(channel, following, customers)), port)
            finally:
                await following.end()


def main() -> None:
    """Serve until SIGTERM."""
    serving.leave_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m examples.virtengine.portal", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on loopback")
    parser.add_argument("--state", type=Path, required=True, metavar="FOLDER", help="where customers and their keys are kept")
    parser.add_argument("--chain", required=True, metavar="HOST:PORT", help="of the chain's gRPC services")
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    with traced("portal"), closing(Customers(options.state / "portal.sqlite")) as customers:
        asyncio.run(run(options.port, options.chain, customers))


if __name__ == "__main__":
    main()
