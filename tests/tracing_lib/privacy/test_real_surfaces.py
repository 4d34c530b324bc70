"""Canaries through real servers and clients of every surface, contrib's instrumentations beside ours: none in the bytes that leave."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import grpc
import httpx
import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.grpc import client_interceptor, server_interceptor
from opentelemetry.instrumentation.grpc.grpcext import intercept_channel
from opentelemetry.instrumentation.httpx import SyncOpenTelemetryTransport
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from examples.virtengine.protos import market_pb2, market_pb2_grpc
from tests.tracing_lib.instrument import chain
from tests.tracing_lib.instrument.served import served
from tests.tracing_lib.privacy.canaries import MAKERS, STRUCTURAL, Canary, found
from tests.tracing_lib.privacy.fuzz import Leaving
from tests.tracing_lib.remote.waldur_server import serving
from tracing_lib import traced
from tracing_lib.base.errors import SlurmError
from tracing_lib.instrument import consume, produce, trace_ante, trace_keeper
from tracing_lib.instrument.grpc import grpc_client_interceptors, grpc_server_interceptor
from tracing_lib.instrument.http import AsgiTracing, trace_httpx
from tracing_lib.instrument.remote import SlurmClient, waldur_client
from tracing_lib.instrument.websocket import trace_websocket
from tracing_lib.privacy.policy import PrivacyPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan
    from starlette.requests import Request
    from starlette.websockets import WebSocket

EACH = 6
"""Canaries of each kind on each surface: 16 kinds, 8 surfaces, 768 cases."""


class Wall:
    """A provider behind the wall, the bytes that left, and whether anything was there to hold back."""

    def __init__(self) -> None:
        self.bytes = Leaving(PrivacyPolicy())
        self.provider = TracerProvider(resource=Resource({"service.name": "portal"}), shutdown_on_exit=False)
        self.provider.add_span_processor(self.bytes)
        self.recorded: list[str] = []
        self.provider.add_span_processor(_Keeping(self.recorded))

    def left(self) -> str:
        return b"\n".join(self.bytes.sent).decode("utf-8", "replace")


class _Keeping(SpanProcessor):
    """Keeps what was recorded before the wall, to show that there was something to hold back."""

    def __init__(self, kept: list[str]) -> None:
        self._kept = kept

    def on_end(self, span: ReadableSpan) -> None:
        self._kept.append(span.to_json())


@pytest.fixture
def wall() -> Wall:
    return Wall()


def canaries(seed: int) -> list[Canary]:
    rng = random.Random(seed)  # noqa: S311  to be repeated
    return [make(rng) for make in (MAKERS | STRUCTURAL).values() for _ in range(EACH)]


def _headers(canary: Canary) -> dict[str, str]:
    text = quote(canary.text, safe=" @+:=.-_")
    return {
        "authorization": f"Bearer {text}",
        "cookie": f"session={text}",
        "user-agent": text,
        "x-customer": text,
        "baggage": f"customer={quote(canary.text)},virtengine.order.id={quote(canary.text)}",
        "tracestate": f"other={quote(canary.text, safe='')[:60]}",
        "x-forwarded-for": text,
    }


def http(wall: Wall, planted: list[Canary]) -> None:
    """Paths, queries, headers, bodies, errors; contrib's middleware and transport around ours."""

    async def show(request: Request) -> JSONResponse:
        if "fail" in request.query_params:
            raise RuntimeError(request.path_params["who"])
        return JSONResponse({"who": request.path_params["who"]})

    inner = AsgiTracing(Starlette(routes=[Route("/customers/{who:path}", show)]), tracer_provider=wall.provider)
    transport = SyncOpenTelemetryTransport(httpx.HTTPTransport(), tracer_provider=wall.provider)
    with (
        served(OpenTelemetryMiddleware(inner, tracer_provider=wall.provider)) as address,
        trace_httpx(httpx.Client(), templates=["/customers/{who}"], tracer_provider=wall.provider) as ours,
        httpx.Client(transport=transport) as theirs,
    ):
        for canary in planted:
            for client in (ours, theirs):
                url = f"http://{address}/customers/{quote(canary.text)}?who={quote(canary.text)}"
                client.get(url, headers=_headers(canary))
                client.get(url + "&fail=1", headers=_headers(canary))


def websocket(wall: Wall, planted: list[Canary]) -> None:
    """Paths, queries, headers, payloads both ways, errors."""

    async def events(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        raise RuntimeError(await socket.receive_text())

    async def follow(address: str, canary: Canary) -> None:
        uri = f"ws://{address}/customers/{quote(canary.text, safe='')}/events?token={quote(canary.text)}"
        connecting = trace_websocket(
            uri, template="/customers/{who}/events", additional_headers=_headers(canary), tracer_provider=wall.provider
        )
        with contextlib.suppress(Exception):
            async with connecting as socket:
                await socket.send(canary.text)
                await socket.recv()
                await socket.send(f'{{"who": "{canary.secrets[0]}"}}')
                await socket.recv()

    app = Starlette(routes=[WebSocketRoute("/customers/{who}/events", events)])
    with served(AsgiTracing(app, tracer_provider=wall.provider)) as address:
        for canary in planted:
            asyncio.run(follow(address, canary))


def grpc_calls(wall: Wall, planted: list[Canary]) -> None:
    """Messages, metadata, exceptions; contrib's interceptors around ours. Keepers and calls across modules are inside."""
    paths = {"virtengine.order.id": "request.order.id", "virtengine.account": "request.order.account"}
    keepers = chain.Keepers(lambda keeper: trace_keeper(keeper, tracer_provider=wall.provider))
    around = [server_interceptor(wall.provider), grpc_server_interceptor(tracer_provider=wall.provider, attributes=paths)]  # type: ignore[no-untyped-call]  # contrib has no types
    with chain.serving(keepers.servicers(), around) as target, grpc.insecure_channel(target) as channel:
        mine = grpc_client_interceptors(target, tracer_provider=wall.provider)
        both: Any = intercept_channel(grpc.intercept_channel(channel, *mine), client_interceptor(wall.provider))  # type: ignore[no-untyped-call]  # contrib has no types
        stub = market_pb2_grpc.MsgStub(both)  # type: ignore[no-untyped-call]  # protoc writes no types
        for canary in planted:
            order = market_pb2.Order(id=canary.text, account=canary.text, cpu_units=4, deposit=0)
            metadata = [(key, quote(value)) for key, value in _headers(canary).items() if key != "user-agent"]
            with contextlib.suppress(grpc.RpcError):
                stub.CreateOrder(market_pb2.MsgCreateOrder(order=order), metadata=metadata)


def functions(wall: Wall, planted: list[Canary]) -> None:
    """Arguments, results and exceptions of functions and of ante handling."""

    @traced(attributes={"virtengine.order.id": "who"}, tracer_provider=wall.provider)
    def place_order(who: str) -> str:
        raise ValueError(who)

    def handle(who: str) -> None:
        raise PermissionError(who)

    ante = trace_ante(handle, attributes={"virtengine.order.id": "who"}, tracer_provider=wall.provider)
    for canary in planted:
        for call in (place_order, ante):
            with contextlib.suppress(ValueError, PermissionError):
                call(canary.text)


def jobs(wall: Wall, planted: list[Canary]) -> None:
    """Names of jobs, tokens, attributes and exceptions."""
    for canary in planted:
        with produce(canary.text, attributes={"customer": canary.text, "virtengine.job.id": canary.text}, provider=wall.provider):
            pass
        with contextlib.suppress(LookupError), consume("provision", canary.text, provider=wall.provider):
            raise LookupError(canary.text)


def waldur(wall: Wall, planted: list[Canary]) -> None:
    """Paths, queries, tokens, and a server that is away."""
    with serving() as server:
        for canary in planted:
            token = quote(canary.text, safe="")
            client = waldur_client(server.url, token, tracer_provider=wall.provider).get_httpx_client()
            client.get(f"/api/users/{token}/", params={"email": canary.text}, headers=_headers(canary))
            with contextlib.suppress(httpx.HTTPError):
                client.get(f"http://127.0.0.1:9/api/{token}/")
            client.close()


def kubernetes(wall: Wall, planted: list[Canary]) -> None:
    """Names, selectors and tokens, to an API server that refuses all of them; the real one has its own tests."""
    from kubernetes.client import ApiException, Configuration, CoreV1Api

    from tracing_lib.instrument.remote import TracedApiClient

    with serving() as server:
        for canary in planted:
            configuration = Configuration(host=server.url)
            configuration.api_key = {"authorization": quote(canary.text)}
            core: Any = CoreV1Api(TracedApiClient(configuration, tracer_provider=wall.provider))
            pod = {"kind": "Pod", "metadata": {"name": canary.text, "labels": {"of": canary.text}}, "spec": {"containers": []}}
            for call in (
                lambda core=core, who=canary.text: core.read_namespaced_pod(who, who),
                lambda core=core, who=canary.text: core.list_namespaced_pod("default", label_selector=f"of={who}"),
                lambda core=core, pod=pod: core.create_namespaced_pod("default", pod),
            ):
                # The server's answers are no Kubernetes objects.
                with contextlib.suppress(ApiException, ValueError):
                    call()  # type: ignore[no-untyped-call]  # a lambda


def slurm(wall: Wall, planted: list[Canary]) -> None:
    """Scripts, options and output of commands that are refused; the real ones have their own tests."""
    for canary in planted:
        client = SlurmClient(prefix=["sh", "-c", 'cat >&2; echo "$@" >&2; exit 1'], tracer_provider=wall.provider)
        with contextlib.suppress(SlurmError):
            client.submit(canary.text, options=[f"--job-name={canary.text}"], environment={"OF": canary.text})


@pytest.mark.parametrize("surface", [http, websocket, grpc_calls, functions, jobs, waldur, kubernetes, slurm])
def test_no_canary_leaves_through_a_surface(surface: Callable[[Wall, list[Canary]], None], wall: Wall) -> None:
    planted = canaries(5)
    surface(wall, planted)
    left = wall.left()
    assert len(wall.recorded) >= len(planted), "the surface made spans"
    assert [(canary.kind, canary.text, hits) for canary in planted if (hits := found(canary, left))] == []


@pytest.mark.parametrize("surface", [http, grpc_calls, jobs])
def test_there_is_something_to_hold_back(surface: Callable[[Wall, list[Canary]], None], wall: Wall) -> None:
    planted = canaries(5)[:: EACH * 3]
    surface(wall, planted)
    recorded = "".join(wall.recorded)
    assert any(found(canary, recorded) for canary in planted), "else the test above shows nothing"
