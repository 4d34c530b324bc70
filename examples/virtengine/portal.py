"""portal: where customers place orders over HTTP and watch them over a WebSocket. What it knows of a person stays in it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from examples.virtengine import serving
from examples.virtengine.following import Following
from examples.virtengine.protos import market_pb2, market_pb2_grpc, veid_pb2, veid_pb2_grpc
from examples.virtengine.service import traced
from tracing_lib import AsgiTracing, JobContext, declare_names, grpc_aio_client_interceptors
from tracing_lib import traced as traced_function

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.websockets import WebSocket

_T = TypeVar("_T")
_logger: Final = logging.getLogger(__name__)

declare_names("customers")
ORDER_ID: Final = "virtengine.order.id"
ORDER_CPU: Final = "virtengine.order.cpu_units"
_TIMEOUT_SECONDS: Final = 5.0
_REFUSALS: Final = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT)
_RECONNECT: Final = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000))


@dataclass(frozen=True, slots=True)
class Customer:
    """A person, as nobody but the portal knows her."""

    name: str
    email: str
    phone: str
    document: str


class UnreadableError(Exception):
    """A request lacks a field, or one is not what it should be."""


class Portal:
    """The API. ``channel``: to the chain, open as long as the portal is."""

    def __init__(self, channel: grpc.aio.Channel, following: Following) -> None:
        self._identities = veid_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # generated code
        self._orders = market_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # generated code
        self._query = market_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]  # generated code
        self._following = following
        self._customers: dict[str, Customer] = {}
        self._notes: dict[str, str] = {}

    async def register(self, request: Request) -> JSONResponse:
        """``POST /customers``: 202 with the transaction's hash. The chain learns that a document was seen, and not whose."""
        account, customer = await _read(request, _customer)
        scope = veid_pb2.Scope(id=f"scope-{secrets.token_hex(6)}", type=veid_pb2.SCOPE_TYPE_DOCUMENT)
        message = veid_pb2.MsgSubmitScope(account=account, scope=scope)
        answer = await self._identities.SubmitScope(message, timeout=_TIMEOUT_SECONDS)
        self._customers[account] = customer
        return _admitted(answer.tx_hash)

    async def place(self, request: Request) -> JSONResponse:
        """``POST /orders``: 202 with the order's id and the transaction's hash."""
        order, note = await _read(request, _order)
        trace.get_current_span().set_attributes({ORDER_ID: order.id, ORDER_CPU: order.cpu_units})
        answer = await self._orders.CreateOrder(market_pb2.MsgCreateOrder(order=order), timeout=_TIMEOUT_SECONDS)
        self._notes[order.id] = note
        return _admitted(answer.tx_hash, id=order.id)

    async def cancel(self, request: Request) -> JSONResponse:
        """``DELETE /orders/{order_id}``: 202 with the transaction's hash."""
        message = market_pb2.MsgCloseOrder(order_id=_order_of(request))
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


def _customer(body: dict[str, str]) -> tuple[str, Customer]:
    return str(body["account"]), Customer(body["name"], body["email"], body["phone"], body["document"])


def _order(body: dict[str, Any]) -> tuple[market_pb2.Order, str]:
    # What leaves the process as an identifier has a digit; of random ones a few would not.
    order_id = f"order-{secrets.randbelow(10)}{secrets.token_hex(6)[1:]}"
    order = market_pb2.Order(id=order_id, account=body["account"], cpu_units=body["cpu_units"], deposit=body["deposit"])
    return order, str(body.get("note", ""))


def _order_of(request: Request | WebSocket) -> str:
    """The order that a request is about, which its span names too."""
    order_id = str(request.path_params["order_id"])
    trace.get_current_span().set_attribute(ORDER_ID, order_id)
    return order_id


def _admitted(tx_hash: str, **fields: str) -> JSONResponse:
    """Answer that a transaction will be executed; the request's trace leads to the transaction's."""
    trace.get_current_span().add_link(JobContext.of_transaction(tx_hash).span_context)
    return JSONResponse({**fields, "tx_hash": tx_hash}, status_code=202)


def _state(order: market_pb2.Order) -> str:
    return market_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_")


def _refused(_request: Request, error: Exception) -> JSONResponse:
    """Answer for the chain: 422 where it refused, 502 where it could not be asked."""
    if isinstance(error, grpc.aio.AioRpcError) and error.code() in _REFUSALS:
        return JSONResponse({"error": error.details()}, status_code=422)
    _logger.warning("the chain could not be asked: %s", error)
    return JSONResponse({"error": "the chain cannot be reached"}, status_code=502)


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
        UnreadableError: _unreadable,
    }
    return AsgiTracing(Starlette(routes=routes, exception_handlers=answers), answer_trace=True, envelope=True)


async def run(port: int, chain: str) -> None:
    """Serve until SIGTERM."""
    async with grpc.aio.insecure_channel(chain, options=_RECONNECT, interceptors=grpc_aio_client_interceptors(chain)) as channel:
        following = Following(market_pb2_grpc.QueryStub(channel))  # type: ignore[no-untyped-call]  # generated code
        async with asyncio.TaskGroup() as group:
            group.create_task(following.run())
            try:
                await serving.serve(app(Portal(channel, following)), port)
            finally:
                await following.end()


def main() -> None:
    """Serve until SIGTERM."""
    serving.leave_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m examples.virtengine.portal", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on loopback")
    parser.add_argument("--chain", required=True, metavar="HOST:PORT", help="of the chain's gRPC services")
    options = parser.parse_args()
    with traced("portal"):
        asyncio.run(run(options.port, options.chain))


if __name__ == "__main__":
    main()
