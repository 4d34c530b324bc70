"""A chain with the two surfaces that the daemon sees, gRPC and events, both real; blocks are made when a test says so."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import uvicorn
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import set_span_in_context
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from components.local.ports import free_ports
from examples.virtengine.protos import escrow_pb2, escrow_pb2_grpc, market_pb2, market_pb2_grpc
from tests.waiting import STALL_SECONDS, until
from tracing_lib.instrument import transaction
from tracing_lib.instrument.grpc import grpc_aio_server_interceptor
from tracing_lib.instrument.http import AsgiTracing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from opentelemetry.trace import TracerProvider
    from starlette.websockets import WebSocket

    ServicerContext = grpc.aio.ServicerContext[Any, Any]

_T = TypeVar("_T")


class FakeChain(market_pb2_grpc.MsgServicer, escrow_pb2_grpc.MsgServicer, escrow_pb2_grpc.QueryServicer):
    """Answers every transaction with a hash and executes it at once, in a trace of its own. A bid becomes a lease."""

    def __init__(self, provider: TracerProvider) -> None:
        self.port, self.grpc_port = free_ports(2)
        self.loop: asyncio.AbstractEventLoop
        self.events: list[dict[str, Any]] = []
        self.sent: list[tuple[str, str]] = []
        """Kind and order of each transaction that the daemon sent."""
        self.refuses: set[str] = set()
        """Orders for which no bid is taken."""
        self._provider = provider
        self._traces: list[Context] = []
        self._sockets: set[WebSocket] = set()
        self._executing: set[asyncio.Task[None]] = set()

    def open_order(self, order_id: str, cpu_units: int = 4) -> str:
        """Put an order into a block; return the hash of its transaction."""

        async def opened() -> str:
            return self._admit("order.created", order_id, cpu_units=cpu_units)

        return self._call(opened)

    def cancel_order(self, order_id: str) -> None:
        """Close an order for its customer."""

        async def closed() -> str:
            return self._admit("order.closed", order_id)

        self._call(closed)

    def drop_subscribers(self) -> None:
        """End every connection, as a chain that restarts does."""

        async def drop() -> None:
            for socket in list(self._sockets):
                await socket.close(1012)

        self._call(drop)

    async def CreateBid(self, request: market_pb2.MsgCreateBid, context: ServicerContext) -> market_pb2.MsgCreateBidResponse:  # noqa: N802  gRPC's
        order_id = request.bid.order_id
        if order_id in self.refuses:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not open")
        self.sent.append(("bid", order_id))
        units = next(event["cpu_units"] for event in self.events if event["order_id"] == order_id)
        lease = {"lease_id": f"{order_id}.1", "provider_id": request.bid.provider_id, "price": request.bid.price, "cpu_units": units}
        return market_pb2.MsgCreateBidResponse(tx_hash=self._admit("lease.created", order_id, **lease))

    async def CloseOrder(self, request: market_pb2.MsgCloseOrder, _context: ServicerContext) -> market_pb2.MsgCloseOrderResponse:  # noqa: N802
        self.sent.append(("close", request.order_id))
        return market_pb2.MsgCloseOrderResponse(tx_hash=self._admit("order.closed", request.order_id))

    async def Settle(self, request: escrow_pb2.MsgSettle, _context: ServicerContext) -> escrow_pb2.MsgSettleResponse:  # noqa: N802
        self.sent.append(("settle", request.order_id))
        return escrow_pb2.MsgSettleResponse(tx_hash=self._admit("escrow.settled", request.order_id))

    async def Account(  # noqa: N802
        self, request: escrow_pb2.QueryAccountRequest, _context: ServicerContext
    ) -> escrow_pb2.QueryAccountResponse:
        settled = self.sent.count(("settle", request.order_id))
        return escrow_pb2.QueryAccountResponse(account=escrow_pb2.Account(order_id=request.order_id, settled=settled))

    async def subscribe(self, socket: WebSocket) -> None:
        await socket.accept()
        told = int(socket.query_params["after"])
        while told < len(self.events):
            token = attach(self._traces[told])
            await socket.send_text(json.dumps(self.events[told]))
            detach(token)
            told += 1
        self._sockets.add(socket)
        try:
            async for _ in socket.iter_text():
                pass
        finally:
            self._sockets.discard(socket)

    def _admit(self, kind: str, order_id: str, **more: object) -> str:
        tx_hash = hashlib.sha256(f"{kind} {order_id} {len(self.events)} {len(self.sent)}".encode()).hexdigest().upper()
        task = self.loop.create_task(self._execute(tx_hash, kind, order_id, **more))
        self._executing.add(task)
        task.add_done_callback(self._executing.discard)
        return tx_hash

    async def _execute(self, tx_hash: str, kind: str, order_id: str, **more: object) -> None:
        event = {"sequence": len(self.events) + 1, "type": kind, "order_id": order_id, "tx_hash": tx_hash, "height": 1, **more}
        with transaction("execute transaction", tx_hash, provider=self._provider) as span:
            self.events.append(event)
            self._traces.append(set_span_in_context(span))
            for socket in list(self._sockets):
                await socket.send_text(json.dumps(event))

    def _call(self, function: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        return asyncio.run_coroutine_threadsafe(function(), self.loop).result(STALL_SECONDS)


@contextmanager
def fake_chain(provider: TracerProvider) -> Iterator[FakeChain]:
    """Run a chain in a thread until the block ends."""
    chain = FakeChain(provider)
    app = AsgiTracing(Starlette(routes=[WebSocketRoute("/events", chain.subscribe)]), envelope=True, tracer_provider=provider)
    # Without a configuration of its own, because uvicorn's keeps what it logs from the root logger for the rest of the process.
    config = uvicorn.Config(app, port=chain.port, lifespan="off", log_config=None, ws="websockets-sansio")
    web = uvicorn.Server(config)

    async def run() -> None:
        chain.loop = asyncio.get_running_loop()
        server = grpc.aio.server(interceptors=[grpc_aio_server_interceptor(tracer_provider=provider)])
        market_pb2_grpc.add_MsgServicer_to_server(chain, server)  # type: ignore[no-untyped-call]  # generated code
        escrow_pb2_grpc.add_MsgServicer_to_server(chain, server)  # type: ignore[no-untyped-call]  # generated code
        escrow_pb2_grpc.add_QueryServicer_to_server(chain, server)  # type: ignore[no-untyped-call]  # generated code
        server.add_insecure_port(f"127.0.0.1:{chain.grpc_port}")
        await server.start()
        await web.serve()
        await server.stop(0)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        until(lambda: web.started, "the chain to start")
        yield chain
    finally:
        web.should_exit = True
        thread.join()
