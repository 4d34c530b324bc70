"""HTTP on real servers and clients: uvicorn with Starlette, and httpx."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from opentelemetry import baggage, propagate, trace
from opentelemetry import context as contexts
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from tests.tracing_lib.instrument.recorder import attributes, id_of, is_child
from tests.tracing_lib.instrument.served import served
from tracing_lib.instrument.http import AsgiTracing, trace_httpx
from tracing_lib.propagation.baggage import OwnBaggagePropagator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from starlette.middleware.base import RequestResponseEndpoint
    from starlette.requests import Request

    from tests.tracing_lib.instrument.recorder import Recorder
    from tracing_lib.instrument.http.asgi import Message, Receive, Scope, Send

SECRETS = ("jane", "s3cret", "virt1qqq", "203.0.113.9")


class Broken(Exception):  # noqa: N818  named as a service names it
    """An error of the service's own."""


async def order(request: Request) -> JSONResponse:
    return JSONResponse({"span": f"{trace.get_current_span().get_span_context().span_id:016x}", "id": request.path_params.get("order_id")})


async def broken(_request: Request) -> Response:
    raise Broken("jane@example.com")


async def unavailable(_request: Request) -> Response:
    return Response(status_code=503)


async def stream(_request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield trace.get_current_span().get_span_context().span_id.to_bytes(8, "big")

    return StreamingResponse(parts())


async def later(_request: Request) -> Response:
    return Response(status_code=202, background=BackgroundTask(asyncio.sleep, 1.0))


async def slow(request: Request) -> Response:
    while not await request.is_disconnected():  # noqa: ASYNC110  ASGI has no event for it
        await asyncio.sleep(0.01)
    raise asyncio.CancelledError


ROUTES = [
    Route("/orders/{order_id}", order, methods=["GET", "POST"]),
    Route("/broken", broken),
    Route("/unavailable", unavailable),
    Route("/stream", stream),
    Route("/later", later),
    Route("/slow", slow),
    Mount("/tenants/{tenant}", routes=[Mount("/v1", routes=[Route("/orders/{order_id:int}", order)])]),
]


@pytest.fixture
def address(recorder: Recorder) -> Iterator[str]:
    with served(AsgiTracing(Starlette(routes=ROUTES), answer_trace=True, tracer_provider=recorder.provider)) as found:
        yield found


@pytest.fixture
def client(recorder: Recorder, address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{address}", timeout=120) as made:
        yield trace_httpx(made, templates=["/orders/{order_id}"], tracer_provider=recorder.provider)


def _sides(recorder: Recorder) -> tuple[Any, Any]:
    recorder.wait(2)
    return tuple(next(span for span in recorder.spans if span.kind is kind) for kind in (SpanKind.CLIENT, SpanKind.SERVER))  # type: ignore[return-value]  # two


def test_a_request_is_one_trace_named_by_route_with_nothing_private(recorder: Recorder, client: httpx.Client, address: str) -> None:
    headers = {"authorization": "Bearer s3cret", "x-forwarded-for": "203.0.113.9", "cookie": "session=s3cret"}
    answer = client.get("/orders/virt1qqq?token=s3cret&email=jane%40example.com", headers=headers)
    called, served_ = _sides(recorder)
    assert is_child(served_, called)
    assert answer.json()["span"] == f"{id_of(served_):016x}"
    assert answer.headers["traceresponse"] == f"00-{served_.context.trace_id:032x}-{id_of(served_):016x}-03"
    host, port = address.split(":")
    where = {"server.address": host, "server.port": int(port)}
    what = {"http.request.method": "GET", "http.response.status_code": 200, "network.protocol.version": "1.1"}
    assert (called.name, attributes(called)) == ("GET /orders/{order_id}", {**what, **where, "url.template": "/orders/{order_id}"})
    assert served_.name == "GET /orders/{order_id}"
    assert attributes(served_) == {**what, **where, "http.route": "/orders/{order_id}", "url.scheme": "http"}
    said = "".join(span.to_json() for span in recorder.spans)
    assert [secret for secret in SECRETS if secret in said] == []


def test_a_mounted_route_is_named_by_every_template_on_its_way(recorder: Recorder, client: httpx.Client) -> None:
    client.get("/tenants/jane/v1/orders/7")
    _, served_ = _sides(recorder)
    assert served_.name == "GET /tenants/{tenant}/v1/orders/{order_id}"
    assert "jane" not in served_.to_json()


def _fastapi(root_path: str = "") -> FastAPI:
    """Return an application whose routers are included below prefixes, with a route of each kind in one of them."""
    part, around, app = APIRouter(), APIRouter(prefix="/{tenant}"), FastAPI(root_path=root_path)
    part.add_api_route("/{order_id}", lambda order_id: order_id)
    part.add_route("/plain/{order_id}", order)
    part.mount("/old/{year}", AsgiTracing(Starlette(routes=ROUTES)))
    around.include_router(part, prefix="/orders")
    app.include_router(part, prefix="/bids")
    app.include_router(around, prefix="/v2")
    app.add_api_route("/{top}", lambda top: top)
    return app


@pytest.mark.filterwarnings("ignore::fastapi.exceptions.FastAPIDeprecationWarning")
@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/7", "/{top}"),
        ("/bids/7", "/bids/{order_id}"),
        ("/v2/jane/orders/7", "/v2/{tenant}/orders/{order_id}"),
        ("/v2/jane/orders/plain/7", "/v2/{tenant}/orders/plain/{order_id}"),
        ("/bids/old/1999/orders/7", "/bids/old/{year}/orders/{order_id}"),
        ("/bids/old/1999/tenants/jane/v1/orders/7", "/bids/old/{year}/tenants/{tenant}/v1/orders/{order_id}"),
    ],
)
def test_a_route_has_the_prefixes_of_included_routers_and_mounts(recorder: Recorder, path: str, route: str) -> None:
    plain, proxied, mounted = _fastapi(), _fastapi("/api"), Starlette(routes=[Mount("/shop", GZipMiddleware(_fastapi()))])

    async def ask() -> None:
        for app, asked in ((plain, path), (proxied, f"/api{path}"), (mounted, f"/shop{path}")):
            transport = httpx.ASGITransport(AsgiTracing(app, tracer_provider=recorder.provider))
            async with httpx.AsyncClient(transport=transport, base_url="http://portal") as client:
                assert (await client.get(asked)).status_code == HTTPStatus.OK

    asyncio.run(ask())
    assert [attributes(span)["http.route"] for span in recorder.spans] == [route, route, f"/shop{route}"]


@pytest.mark.parametrize(
    ("method", "path", "name", "status", "client_error", "server_error"),
    [
        ("GET", "/unavailable", "GET /unavailable", 503, "503", "503"),
        ("GET", "/nowhere/jane", "GET", 404, "404", None),
        ("DELETE", "/orders/7", "DELETE /orders/{order_id}", 405, "405", None),
        ("JANE", "/orders/7", "HTTP /orders/{order_id}", 405, "405", None),
    ],
)
def test_each_side_judges_a_status_by_its_own_rule(  # noqa: PLR0917  a row of a table
    recorder: Recorder,
    client: httpx.Client,
    method: str,
    path: str,
    name: str,
    status: int,
    client_error: str | None,
    server_error: str | None,
) -> None:
    assert client.request(method, path).status_code == status
    called, served_ = _sides(recorder)
    assert served_.name == name
    for span, error in ((called, client_error), (served_, server_error)):
        assert attributes(span)["http.response.status_code"] == status
        assert attributes(span).get("error.type") == error
        assert span.status.status_code is (StatusCode.ERROR if error else StatusCode.UNSET)
        assert "jane" not in span.to_json().lower()


@pytest.mark.parametrize("inside", [False, True])
def test_an_exception_is_the_servers_error_recorded_once_without_its_text(recorder: Recorder, *, inside: bool) -> None:
    tracing = Middleware(AsgiTracing, tracer_provider=recorder.provider)
    app: Any = Starlette(routes=ROUTES, middleware=[tracing] if inside else [])
    with served(app if inside else AsgiTracing(app, tracer_provider=recorder.provider)) as address:
        assert httpx.get(f"http://{address}/broken").status_code == 500
        span = recorder.wait(1)[0]
    assert (attributes(span)["http.response.status_code"], attributes(span)["error.type"]) == (500, f"{__name__}.Broken")
    assert (span.status.status_code, [event.name for event in span.events]) == (StatusCode.ERROR, ["exception"])
    assert "jane" not in span.to_json()


def test_a_span_ends_with_the_last_part_of_the_answer_and_not_with_what_runs_after(recorder: Recorder, client: httpx.Client) -> None:
    answer = client.get("/stream").content
    client.get("/later")
    streamed, after = (span for span in recorder.wait(4) if span.kind is SpanKind.SERVER)
    assert answer == id_of(streamed).to_bytes(8, "big") * 3
    assert after.end_time is not None
    assert after.start_time is not None
    assert after.end_time - after.start_time < 0.9e9


async def _breaks_off(_request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        raise Broken("jane@example.com")

    return StreamingResponse(parts())


async def _passes_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_a_body_that_breaks_off_is_the_servers_error_behind_any_middleware(recorder: Recorder, layers: int) -> None:
    app: Any = Starlette(
        routes=[Route("/whole", stream), Route("/broken", _breaks_off)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_passes_on)] * layers,
    )
    with served(AsgiTracing(app, tracer_provider=recorder.provider)) as address:
        httpx.get(f"http://{address}/whole")
        with suppress(httpx.RemoteProtocolError):  # Starlette's middleware ends the response as if it were whole
            httpx.get(f"http://{address}/broken")
        whole, broken_ = recorder.wait(2)
    assert (whole.name, whole.status.status_code, len(whole.events)) == ("GET /whole", StatusCode.UNSET, 0)
    assert (broken_.name, broken_.status.status_code, len(broken_.events)) == ("GET /broken", StatusCode.ERROR, 1)
    assert (attributes(broken_)["error.type"], attributes(broken_)["http.response.status_code"]) == (f"{__name__}.Broken", 200)


def test_a_streamed_span_ends_with_its_last_part_though_more_runs_after(recorder: Recorder) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"all"

    async def later_too(_request: Request) -> Response:
        return StreamingResponse(parts(), background=BackgroundTask(asyncio.sleep, 1.0))

    app: Any = Starlette(routes=[Route("/", later_too)], middleware=[Middleware(BaseHTTPMiddleware, dispatch=_passes_on)])
    with served(AsgiTracing(app, tracer_provider=recorder.provider)) as address:
        httpx.get(f"http://{address}/")
        span = recorder.wait(1)[0]
    assert span.end_time is not None
    assert span.start_time is not None
    assert span.end_time - span.start_time < 0.9e9
    assert "virtengine.cancelled" not in attributes(span)


@pytest.fixture
def broken_server() -> Iterator[str]:
    """A server that promises more than it sends; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection = listener.accept()[0]
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst")
                connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize("way", ["get", "stream", "async get", "async stream"])
def test_a_body_that_breaks_off_is_the_clients_error(recorder: Recorder, broken_server: str, way: str) -> None:
    async def later() -> None:
        async with trace_httpx(httpx.AsyncClient(), tracer_provider=recorder.provider) as client:
            if way == "async get":
                await client.get(broken_server)
            async with client.stream("GET", broken_server) as response:
                async for _ in response.aiter_bytes():
                    assert recorder.spans == (), "the span ends with the body"

    def now() -> None:
        with trace_httpx(httpx.Client(), tracer_provider=recorder.provider) as client:
            if way == "get":
                client.get(broken_server)
            with client.stream("GET", broken_server) as response:
                for _ in response.iter_bytes():
                    assert recorder.spans == (), "the span ends with the body"

    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(later()) if way.startswith("async") else now()
    (span,) = recorder.spans
    assert (span.status.status_code, attributes(span)["error.type"]) == (StatusCode.ERROR, "httpx.RemoteProtocolError")
    assert attributes(span)["http.response.status_code"] == 200


def test_an_error_in_a_streams_block_is_the_clients_and_leaving_early_is_none(recorder: Recorder, address: str) -> None:
    async def run(error: BaseException | None) -> None:
        client = trace_httpx(httpx.AsyncClient(), tracer_provider=recorder.provider)
        async with client, client.stream("GET", f"http://{address}/stream"):
            if error is not None:
                raise error

    def ended() -> ReadableSpan:
        recorder.wait(2)
        found = next(span for span in recorder.spans if span.kind is SpanKind.CLIENT)
        recorder.clear()
        return found

    asyncio.run(run(None))
    assert ended().status.status_code is StatusCode.UNSET
    with pytest.raises(Broken):
        asyncio.run(run(Broken("jane@example.com")))
    failed = ended()
    assert (failed.status.status_code, attributes(failed)["error.type"]) == (StatusCode.ERROR, f"{__name__}.Broken")
    try:
        dict[str, str]().pop("missing")
    except KeyError:  # of before the request, and not its error
        asyncio.run(run(None))
    assert ended().status.status_code is StatusCode.UNSET


def test_a_response_that_nobody_closes_still_ends_its_span(recorder: Recorder, address: str) -> None:
    with trace_httpx(httpx.Client(), tracer_provider=recorder.provider) as client:
        response = client.send(client.build_request("GET", f"http://{address}/stream"), stream=True)
        del response
        gc.collect()
        recorder.wait(2)
    assert sorted(span.kind.name for span in recorder.spans) == ["CLIENT", "SERVER"]


def test_a_client_that_leaves_is_a_cancellation_and_no_error(recorder: Recorder, address: str) -> None:
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as leaving:
        leaving.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
    span = recorder.wait(1)[0]
    assert (span.name, attributes(span)["virtengine.cancelled"], span.status.status_code) == ("GET /slow", True, StatusCode.UNSET)


def test_a_server_that_is_not_there_is_the_clients_error(recorder: Recorder) -> None:
    with trace_httpx(httpx.Client(), tracer_provider=recorder.provider) as client, pytest.raises(httpx.ConnectError):
        client.get("http://127.0.0.1:1/jane")
    span = recorder.spans[0]
    assert (span.name, attributes(span)["error.type"], span.status.status_code) == ("GET", "httpx.ConnectError", StatusCode.ERROR)
    assert "jane" not in span.to_json()


def test_asynchronous_clients_are_traced_too_and_cancelled_ones_are_no_error(recorder: Recorder, address: str) -> None:
    async def run() -> None:
        async with trace_httpx(httpx.AsyncClient(base_url=f"http://{address}"), tracer_provider=recorder.provider) as client:
            await client.get("/orders/7", extensions={"url_template": "/orders/{id}"})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.get("/slow"), 0.1)

    asyncio.run(run())
    recorder.wait(4)
    first, second = (span for span in recorder.spans if span.kind is SpanKind.CLIENT)
    server = next(span for span in recorder.spans if span.name == "GET /orders/{order_id}")
    assert first.name == "GET /orders/{id}"
    assert is_child(server, first)
    assert (attributes(second)["virtengine.cancelled"], second.status.status_code) == (True, StatusCode.UNSET)


def test_a_redirect_carries_the_trace_of_its_own_span(recorder: Recorder) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["traceparent"])
        return httpx.Response(302, headers={"location": "/there"}) if request.url.path == "/here" else httpx.Response(200)

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://chain", follow_redirects=True)
    trace_httpx(client, tracer_provider=recorder.provider).get("/here")
    assert [header.split("-")[2] for header in seen] == [f"{id_of(span):016x}" for span in recorder.spans]


@pytest.fixture
def _own_baggage() -> Iterator[None]:
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), OwnBaggagePropagator()]))
    yield
    propagate.set_global_textmap(before)


@pytest.mark.usefixtures("_own_baggage")
@pytest.mark.parametrize(("host", "arrives"), [("portal.virtengine.svc", True), ("waldur.example.com", False)])
def test_baggage_goes_to_our_own_hosts_only(recorder: Recorder, host: str, *, arrives: bool) -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200)

    client = trace_httpx(httpx.Client(transport=httpx.MockTransport(answer)), tracer_provider=recorder.provider)
    before = contexts.attach(baggage.set_baggage("virtengine.order.id", "o-1"))
    client.get(f"http://{host}/")
    contexts.detach(before)
    assert ("baggage" in seen[0]) is arrives
    assert "traceparent" in seen[0]


def test_beside_the_contrib_instrumentation_of_httpx_a_request_is_one_span(recorder: Recorder, address: str) -> None:
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=recorder.provider)
    try:
        with trace_httpx(httpx.Client(base_url=f"http://{address}"), tracer_provider=recorder.provider) as client:
            client.get("/orders/7")
    finally:
        instrumentor.uninstrument()
    recorder.wait(2)
    assert [span.kind for span in recorder.spans].count(SpanKind.CLIENT) == 1


def test_inside_the_contrib_middleware_ours_is_no_second_server_span(recorder: Recorder) -> None:
    inner = AsgiTracing(Starlette(routes=ROUTES), tracer_provider=recorder.provider)
    outer = OpenTelemetryMiddleware(inner, tracer_provider=recorder.provider, exclude_spans=["receive", "send"])
    with served(outer) as address:
        httpx.get(f"http://{address}/orders/7")
        recorder.wait(2)
    ours, theirs = (next(span for span in recorder.spans if span.kind is kind) for kind in (SpanKind.INTERNAL, SpanKind.SERVER))
    assert is_child(ours, theirs)


def test_what_is_asked_not_to_be_instrumented_is_not(recorder: Recorder, client: httpx.Client) -> None:
    with suppress_instrumentation():
        client.get("/orders/7")
    recorder.wait(1)
    assert [span.kind for span in recorder.spans] == [SpanKind.SERVER]


def test_a_client_is_traced_once_and_its_templates_are_paths() -> None:
    client = trace_httpx(httpx.Client())
    with pytest.raises(ValueError, match="traced already"):
        trace_httpx(client)
    with pytest.raises(ValueError, match=r"'orders/\{id\}' is no path\. Wanted: .*Next: "):
        trace_httpx(httpx.Client(), templates=["orders/{id}"])


def test_a_message_that_an_application_sends_again_stays_as_it_is(recorder: Recorder) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": []}
    sent: list[Any] = []

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    async def keep(message: Message) -> None:
        sent.append(message)

    async def request() -> None:
        await AsgiTracing(answer, answer_trace=True, tracer_provider=recorder.provider)({"type": "http", "method": "GET"}, None, keep)  # type: ignore[arg-type]

    for _ in range(2):
        asyncio.run(request())
    assert start["headers"] == []
    assert [len(message["headers"]) for message in sent if "headers" in message] == [1, 1]


def test_a_request_that_an_application_in_this_process_sends_has_its_span(recorder: Recorder) -> None:
    arrived: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        arrived.append(request.headers["traceparent"])
        return httpx.Response(200)

    def client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
        return trace_httpx(httpx.AsyncClient(transport=transport, base_url="http://portal"), tracer_provider=recorder.provider)

    async def call_on(_request: Request) -> Response:
        async with client(httpx.MockTransport(answer)) as inner:
            return Response(status_code=(await inner.get("/")).status_code)

    async def ask() -> None:
        app = AsgiTracing(Starlette(routes=[Route("/", call_on)]), tracer_provider=recorder.provider)
        async with client(httpx.ASGITransport(app)) as outer:
            await outer.get("/")

    asyncio.run(ask())
    sent, served_, called = recorder.spans
    assert is_child(sent, served_)
    assert is_child(served_, called)
    assert f"-{id_of(sent):016x}-" in arrived[0]
