"""What a type checker makes of the surfaces in a service's code. Read by mypy, never run: a wrong use that passes is an unused ignore."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, assert_type

import grpc
import httpx
from starlette.applications import Starlette

from tracing_lib import carry, traced
from tracing_lib.instrument import trace_ante, trace_keeper
from tracing_lib.instrument.grpc import (
    grpc_aio_client_interceptors,
    grpc_aio_server_interceptor,
    grpc_client_interceptors,
    grpc_server_interceptor,
    trace_aio_channel,
    trace_servicer,
)
from tracing_lib.instrument.http import AsgiTracing, trace_httpx
from tracing_lib.instrument.websocket import trace_websocket
from tracing_lib.propagation import ContextThreadPoolExecutor

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from google.protobuf.descriptor import ServiceDescriptor


@traced
def plain(number: int) -> bytes:
    return bytes(number)


@traced(name="market.later", attributes={"virtengine.order.id": "number"})
async def later(number: int) -> str:
    return str(number)


@traced
def each() -> Iterator[int]:
    yield 1


@traced
async def follow() -> AsyncIterator[int]:
    yield 1


class MarketKeeper:
    """A keeper."""

    def order(self, number: int) -> str:
        """Look an order up."""
        return str(number)


async def handle(tx: str) -> int:
    return len(tx)


async def right(service: ServiceDescriptor, keeper: MarketKeeper) -> None:
    assert_type(plain(1), bytes)
    assert_type(await later(1), str)
    assert_type(each(), Iterator[int])
    assert_type(follow(), AsyncIterator[int])
    assert_type(trace_keeper(keeper), MarketKeeper)
    assert_type(trace_keeper(keeper).order(1), str)
    assert_type(trace_servicer(keeper, service), MarketKeeper)
    checked: Coroutine[Any, Any, int] = trace_ante(handle, rejected=lambda code: code > 0)("tx")
    assert_type(await checked, int)
    assert_type(trace_httpx(httpx.Client()), httpx.Client)
    assert_type(trace_httpx(httpx.AsyncClient()), httpx.AsyncClient)
    assert_type(carry(keeper.order)(1), str)
    assert_type(ContextThreadPoolExecutor().submit(keeper.order, 1), Future[str])
    AsgiTracing(Starlette())
    grpc.server(ContextThreadPoolExecutor(), interceptors=[grpc_server_interceptor()])
    grpc.aio.server(interceptors=[grpc_aio_server_interceptor()])
    grpc.intercept_channel(grpc.insecure_channel("chain:1"), *grpc_client_interceptors("chain:1"))
    grpc.aio.insecure_channel("chain:1", interceptors=grpc_aio_client_interceptors("chain:1"))
    assert_type(trace_aio_channel(grpc.aio.insecure_channel("chain:1"), "chain:1"), grpc.aio.Channel)
    async with trace_websocket("ws://chain") as socket:
        assert_type(await socket.recv(decode=True), str)


def wrong(keeper: MarketKeeper) -> None:
    plain("x")  # type: ignore[arg-type]
    traced(attributes={"virtengine.order.id": 1})  # type: ignore[dict-item]
    trace_keeper(keeper).order("x")  # type: ignore[arg-type]
    trace_keeper(keeper).ordr(1)  # type: ignore[attr-defined]
    trace_httpx("x")  # type: ignore[type-var]
    carry(plain)("x")  # type: ignore[arg-type]
    ContextThreadPoolExecutor().submit(plain, "x")  # type: ignore[arg-type]
