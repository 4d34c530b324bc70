"""WebSockets on a real server (uvicorn, websockets) and a real client (websockets)."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from tests.tracing_lib.instrument.recorder import Recorder, attributes, id_of, is_child, trace_of
from tests.tracing_lib.instrument.served import served
from tracing_lib.instrument.http import AsgiTracing
from tracing_lib.instrument.websocket import trace_websocket
from tracing_lib.sampling import FollowsLinks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from starlette.websockets import WebSocket
    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.server import ServerConnection

ROUTE = "/orders/{order_id}/events"
PATH = "/orders/virt1qqq/events?token=s3cret&email=jane%40example.com"
SECRETS = ("virt1qqq", "s3cret", "jane")


class App:
    """An application that echoes, pushes, refuses or breaks, as the path says."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    async def echo(self, socket: WebSocket) -> None:
        """Answer every message, with a span of work in between."""
        await socket.accept()
        async for text in socket.iter_text():
            with self.recorder.tracer.start_as_current_span("work"):
                await asyncio.sleep(0)
            await socket.send_text(text)

    async def push(self, socket: WebSocket) -> None:
        """Send without being asked."""
        await socket.accept()
        for number in range(3):
            await socket.send_json({"number": number})
        await socket.close()

    async def refuse(self, socket: WebSocket) -> None:
        """Refuse the handshake."""
        await socket.close()

    async def broken(self, socket: WebSocket) -> None:
        """Fail on the first message."""
        await socket.accept()
        await socket.receive_text()
        raise RuntimeError("jane@example.com")

    async def broken_between(self, socket: WebSocket) -> None:
        """Fail without any message."""
        await socket.accept()
        raise RuntimeError("jane@example.com")


def app(recorder: Recorder, *, envelope: bool = False) -> Any:  # noqa: ANN401  uvicorn's own type of an application
    made = App(recorder)
    paths = {ROUTE: made.echo, "/push": made.push, "/refuse": made.refuse, "/broken": made.broken, "/between": made.broken_between}
    routes = [WebSocketRoute(path, endpoint) for path, endpoint in paths.items()]
    return AsgiTracing(Starlette(routes=routes), envelope=envelope, tracer_provider=recorder.provider)


@pytest.fixture
def address(recorder: Recorder) -> Iterator[str]:
    with served(app(recorder)) as found:
        yield found


def links(span: ReadableSpan) -> dict[object, tuple[int, int]]:
    return {(link.attributes or {}).get("virtengine.link.role"): (link.context.trace_id, link.context.span_id) for link in span.links}


def where(span: ReadableSpan) -> tuple[int, int]:
    return trace_of(span), id_of(span)


async def echo(uri: str, messages: list[str], **options: Any) -> list[Any]:  # noqa: ANN401  those of trace_websocket
    async with trace_websocket(uri, **options) as socket:
        answers = []
        for message in messages:
            await socket.send(message)
            answers.append(await socket.recv())
        return answers


def test_a_hundred_messages_are_a_trace_each_linked_to_the_connection(recorder: Recorder, address: str) -> None:
    async def run() -> None:
        async with connect(f"ws://{address}{PATH}") as socket:
            for number in range(100):
                await socket.send(f"jane s3cret {number}")
                await socket.recv()

    asyncio.run(run())
    recorder.wait(301)
    handshake = recorder.one(f"GET {ROUTE}")
    events = [span for span in recorder.spans if span.name == f"process {ROUTE}"]
    assert len(recorder.spans) == 301
    assert len({trace_of(span) for span in recorder.spans}) == 101
    assert len(events) == 100
    assert all(links(event) == {"connection": where(handshake)} for event in events)
    assert all(event.parent is None and event.kind is SpanKind.CONSUMER for event in events)
    for span in recorder.spans:
        if span.name in ("work", f"send {ROUTE}"):
            assert any(is_child(span, event) for event in events)
    assert attributes(events[0]) == {
        "messaging.system": "websocket",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.template": ROUTE,
        "messaging.message.body.size": len("jane s3cret 0"),
    }
    assert attributes(handshake)["http.response.status_code"] == 101
    said = "".join(span.to_json() for span in recorder.spans)
    assert [secret for secret in SECRETS if secret in said] == []


def test_events_are_linked_to_their_senders_both_ways_when_messages_carry_them(recorder: Recorder) -> None:
    async def run() -> list[Any]:
        with served(app(recorder, envelope=True)) as address:
            uri = f"ws://{address}{PATH}"
            return await echo(uri, ['{"a": 1}', "{}"], template=ROUTE, envelope=True, tracer_provider=recorder.provider)

    first, second = (json.loads(answer) for answer in asyncio.run(run()))
    assert first["a"] == 1
    assert set(second) == {"traceparent"}
    client, server = ([span for span in recorder.spans if attributes(span).get("url.scheme") == scheme] for scheme in (None, "ws"))
    handshake, accepted = next(span for span in client if span.name == f"GET {ROUTE}"), server[0]
    assert is_child(accepted, handshake)
    sends = [span for span in recorder.spans if span.name == f"send {ROUTE}"]
    processes = [span for span in recorder.spans if span.name == f"process {ROUTE}"]
    assert (len(sends), len(processes)) == (4, 4)
    assert {links(span)["sender"] for span in processes} == {where(span) for span in sends}
    assert {links(span)["connection"] for span in processes + sends} == {where(handshake), where(accepted)}
    said = "".join(span.to_json() for span in recorder.spans)
    assert [secret for secret in SECRETS if secret in said] == []


def test_what_a_client_does_with_a_message_belongs_to_its_event_and_no_more(recorder: Recorder, address: str) -> None:
    async def run() -> None:
        with recorder.tracer.start_as_current_span("subscriber"):
            async with trace_websocket(f"ws://{address}/push", template="/push", tracer_provider=recorder.provider) as socket:
                async for _ in socket:
                    with recorder.tracer.start_as_current_span("handle"):
                        pass
            with recorder.tracer.start_as_current_span("after"):
                pass

    asyncio.run(run())
    recorder.wait(13)
    events = [span for span in recorder.spans if span.name == "process /push"]
    pushed = [span for span in recorder.spans if span.name == "send /push"]
    assert (len(events), len(pushed)) == (3, 3)
    assert [sum(is_child(span, event) for event in events) for span in recorder.spans if span.name == "handle"] == [1, 1, 1]
    assert len({trace_of(span) for span in [*events, *pushed]}) == 6
    assert is_child(recorder.one("after"), recorder.one("subscriber"))


@pytest.mark.parametrize("path", ["/broken", "/between"])
def test_an_exception_is_the_error_of_the_event_or_of_a_span_of_its_own(recorder: Recorder, address: str, path: str) -> None:
    async def run() -> None:
        async with connect(f"ws://{address}{path}") as socket:
            with pytest.raises(ConnectionClosed):  # noqa: PT012  one that broke at once may not even take the message
                await socket.send("x")
                await socket.recv()

    asyncio.run(run())
    recorder.wait(2)
    failed = recorder.one("process /broken" if path == "/broken" else "close websocket")
    assert (failed.status.status_code, attributes(failed)["error.type"]) == (StatusCode.ERROR, "RuntimeError")
    assert links(failed) == {"connection": where(recorder.one(f"GET {path}"))}
    assert [event.name for span in recorder.spans for event in span.events] == ["exception"]
    assert "jane" not in failed.to_json()


@pytest.mark.parametrize("way", ["async for", "recv", "close"])
def test_a_connection_that_the_server_breaks_off_is_told_by_the_client(recorder: Recorder, way: str) -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.send("only")
        if way == "close":
            await socket.close()
        else:
            await socket.recv()  # the client has the message
            socket.transport.abort()

    async def run() -> None:
        async with serve(server, "127.0.0.1", 0) as running:
            port = next(iter(running.sockets)).getsockname()[1]
            with nullcontext() if way == "close" else pytest.raises(ConnectionClosedError):
                async with trace_websocket(f"ws://127.0.0.1:{port}", tracer_provider=recorder.provider) as socket:
                    if way == "recv":
                        await _receive_all(socket)
                    async for _ in socket:
                        if way != "close":
                            await socket.send("heard")

    async def _receive_all(socket: ClientConnection) -> None:
        while True:
            await socket.recv()
            await socket.send("heard")

    asyncio.run(run())
    told = [span for span in recorder.spans if span.name == "close websocket"]
    assert len(told) == (way != "close")
    for span in told:
        assert (span.status.status_code, span.parent) == (StatusCode.ERROR, None)
        assert attributes(span)["error.type"] == "websockets.exceptions.ConnectionClosedError"
        assert links(span) == {"connection": where(recorder.one("GET"))}


def test_a_refused_handshake_has_its_status_on_both_sides(recorder: Recorder, address: str) -> None:
    async def run() -> None:
        with pytest.raises(InvalidStatus):
            await trace_websocket(f"ws://{address}/refuse", tracer_provider=recorder.provider)

    asyncio.run(run())
    recorder.wait(2)
    client, server = (next(span for span in recorder.spans if span.kind is kind) for kind in (SpanKind.CLIENT, SpanKind.SERVER))
    assert is_child(server, client)
    assert [attributes(span)["http.response.status_code"] for span in (client, server)] == [403, 403]
    assert [span.status.status_code for span in (client, server)] == [StatusCode.ERROR, StatusCode.UNSET]


def test_a_server_that_is_not_there_is_the_clients_error(recorder: Recorder) -> None:
    async def run() -> None:
        with pytest.raises(OSError, match="Connect call failed"):
            await trace_websocket("ws://127.0.0.1:1/jane", tracer_provider=recorder.provider)

    asyncio.run(run())
    span = recorder.one("GET")
    assert (span.status.status_code, attributes(span)["error.type"]) == (StatusCode.ERROR, "ConnectionRefusedError")


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_events_are_sampled_with_their_connection(ratio: float) -> None:
    with Recorder(ParentBased(FollowsLinks(TraceIdRatioBased(ratio)))) as recorder, served(app(recorder)) as address:

        async def run() -> None:
            for _ in range(8):
                async with connect(f"ws://{address}{PATH}") as socket:
                    for _ in range(5):
                        await socket.send("x")
                        await socket.recv()

        asyncio.run(run())
        handshakes = {where(span) for span in recorder.spans if span.name == f"GET {ROUTE}"}
        recorder.wait(16 * len(handshakes))
        assert len(recorder.spans) == 16 * len(handshakes)
        assert {links(span)["connection"] for span in recorder.spans if links(span)} == handshakes
        assert (len(handshakes) == 8 * ratio) or ratio == 0.5


def test_of_an_unsampled_connection_nothing_is_recorded_nor_what_its_events_lead_to(recorder: Recorder) -> None:
    with Recorder(ALWAYS_OFF) as unsampled:
        application = App(recorder)
        traced = AsgiTracing(Starlette(routes=[WebSocketRoute(ROUTE, application.echo)]), tracer_provider=unsampled.provider)
        with served(traced) as address:
            asyncio.run(echo(f"ws://{address}{PATH}", ["a", "b"], tracer_provider=unsampled.provider))
    assert recorder.names == []


def test_links_decide_about_traces_that_begin_with_them_and_about_no_others() -> None:
    def of(flags: int) -> list[Link]:
        return [Link(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(flags)))]

    for root, sampled in ((0.0, 1), (1.0, 0)):
        with Recorder(ParentBased(FollowsLinks(TraceIdRatioBased(root)))) as recorder:
            recorder.tracer.start_span("followed", links=of(sampled)).end()
            recorder.tracer.start_span("other", links=of(1 - sampled)).end()
            recorder.tracer.start_span("rootless").end()
            parent = NonRecordingSpan(SpanContext(3, 4, is_remote=True, trace_flags=TraceFlags(1 - sampled)))
            recorder.tracer.start_span("child", trace.set_span_in_context(parent), links=of(sampled)).end()
            assert recorder.names == (["followed"] if sampled else ["other", "rootless", "child"])


def test_the_context_around_a_connection_is_the_same_after_it(recorder: Recorder, address: str) -> None:
    async def run() -> bool:
        before = contexts.get_current()
        await echo(f"ws://{address}{PATH}", ["a"], tracer_provider=recorder.provider)
        return contexts.get_current() is before

    assert asyncio.run(run())
