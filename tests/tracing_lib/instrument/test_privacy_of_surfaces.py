"""What the surfaces name and set is what the registry lets out: nothing that a service is meant to see is lost on the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from examples.virtengine.protos import market_pb2, market_pb2_grpc
from tests.tracing_lib.instrument import chain, test_websocket
from tests.tracing_lib.instrument.recorder import attributes
from tests.tracing_lib.instrument.served import served
from tracing_lib.base import conventions
from tracing_lib.instrument import trace_ante, trace_keeper
from tracing_lib.instrument.grpc import grpc_client_interceptors, grpc_server_interceptor
from tracing_lib.instrument.http import AsgiTracing, trace_httpx
from tracing_lib.instrument.websocket import trace_websocket
from tracing_lib.privacy.names import span_name
from tracing_lib.privacy.policy import PrivacyPolicy
from tracing_lib.privacy.registry import library_registry

if TYPE_CHECKING:
    from starlette.requests import Request

    from tests.tracing_lib.instrument.recorder import Recorder

KEYS = sorted(
    value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str) and "." in value and ":" not in value
)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_that_the_library_sets_is_declared(key: str) -> None:
    assert library_registry().get(key) is not None


async def answer(_request: Request) -> Response:
    return Response()


async def use_websocket(address: str, recorder: Recorder) -> None:
    uri = f"ws://{address}/orders/7/events"
    connecting = trace_websocket(uri, template=test_websocket.ROUTE, envelope=True, tracer_provider=recorder.provider)
    async with connecting as socket:
        await socket.send('{"a": 1}')


def use_every_surface(recorder: Recorder) -> None:
    provider = recorder.provider
    keepers = chain.Keepers(lambda keeper: trace_keeper(keeper, tracer_provider=provider))
    with (
        chain.serving(keepers.servicers(), [grpc_server_interceptor(tracer_provider=provider)]) as target,
        grpc.insecure_channel(target) as channel,
    ):
        stub = market_pb2_grpc.MsgStub(grpc.intercept_channel(channel, *grpc_client_interceptors(target, tracer_provider=provider)))  # type: ignore[no-untyped-call]  # protoc writes no types
        for deposit in (0, 40):
            try:
                stub.CreateOrder(market_pb2.MsgCreateOrder(order=market_pb2.Order(id="o-1", cpu_units=4, deposit=deposit)))
            except grpc.RpcError:
                continue
    trace_ante(lambda: 0, tracer_provider=provider)()
    with (
        served(AsgiTracing(Starlette(routes=[Route("/orders/{order_id}", answer)]), tracer_provider=provider)) as address,
        trace_httpx(httpx.Client(), templates=["/orders/{order_id}"], tracer_provider=provider) as client,
    ):
        client.get(f"http://{address}/orders/7")
    sockets = Starlette(routes=[WebSocketRoute(test_websocket.ROUTE, test_websocket.App(recorder).broken)])
    with served(AsgiTracing(sockets, envelope=True, tracer_provider=provider)) as address:
        asyncio.run(use_websocket(address, recorder))
        recorder.wait(17)


def test_every_name_and_attribute_of_every_surface_leaves_the_process_as_it_is(recorder: Recorder) -> None:
    use_every_surface(recorder)
    policy, registry = PrivacyPolicy(), library_registry()
    names = {span.name: span_name(span.name, registry) for span in recorder.spans}
    assert {name: shown for name, shown in names.items() if name != shown} == {}
    sets = [attributes(span) for span in recorder.spans]
    sets += [event.attributes or {} for span in recorder.spans for event in span.events]
    sets += [link.attributes or {} for span in recorder.spans for link in span.links]
    lost = {key: value for found in sets for key, value in found.items() if policy.attribute(key, value) != value}
    assert lost == {}
