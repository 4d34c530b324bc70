"""Six outcomes by four call shapes on real gRPC servers and clients, plain and asyncio, with any instrumentation on both sides.

Used by the test of the library's interceptors and by the table that sets them beside those of opentelemetry-python-contrib.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc
import grpc.aio
from opentelemetry.trace import SpanKind, StatusCode

from tests.tracing_lib.instrument.recorder import Recorder, attributes, own_propagator, own_provider
from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

CANARY: Final = "jane@example.com"
SERVICE: Final = "virtengine.test.v1.Echo"
OUTCOMES: Final = ("success", "exception", "abort", "abort_with_status", "cancel", "deadline")
SHAPES: Final = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
MODES: Final = ("sync", "aio")
_DEADLINE_SECONDS: Final = 0.4
_ON_THE_WAY_SECONDS: Final = 0.015
"""Seconds that a request may take to its servicer. With more, a server cannot tell the caller's deadline from a cancellation."""
_LONG_SECONDS: Final = 120.0
_C: Final = grpc.StatusCode


class Refused(Exception):  # noqa: N818  named as a service names it
    """An error of the servicer's own."""


class _Status(NamedTuple):
    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str], ...]


class Status(_Status, grpc.Status):  # type: ignore[misc]  # as grpcio's own grpc_status does
    """What ``abort_with_status`` takes."""


STATUS: Final = Status(_C.UNAVAILABLE, CANARY, ())


@dataclass(frozen=True)
class Expected:
    """What the semantic conventions want of a span, on one side."""

    code: grpc.StatusCode
    status: StatusCode
    exceptions: int = 0


EXPECTED: Final = {
    ("success", "server"): Expected(_C.OK, StatusCode.UNSET),
    ("exception", "server"): Expected(_C.UNKNOWN, StatusCode.ERROR, exceptions=1),
    ("abort", "server"): Expected(_C.FAILED_PRECONDITION, StatusCode.UNSET),
    ("abort_with_status", "server"): Expected(_C.UNAVAILABLE, StatusCode.ERROR),
    ("cancel", "server"): Expected(_C.CANCELLED, StatusCode.UNSET),
    ("deadline", "server"): Expected(_C.DEADLINE_EXCEEDED, StatusCode.ERROR),
    ("success", "client"): Expected(_C.OK, StatusCode.UNSET),
    ("exception", "client"): Expected(_C.UNKNOWN, StatusCode.ERROR),
    ("abort", "client"): Expected(_C.FAILED_PRECONDITION, StatusCode.ERROR),
    ("abort_with_status", "client"): Expected(_C.UNAVAILABLE, StatusCode.ERROR),
    ("cancel", "client"): Expected(_C.CANCELLED, StatusCode.ERROR),
    ("deadline", "client"): Expected(_C.DEADLINE_EXCEEDED, StatusCode.ERROR),
}


def faults(spans: list[ReadableSpan], outcome: str, side: str) -> list[str]:
    """What is wrong about the spans that one side made of one call; nothing: all right."""
    if len(spans) != 1:
        return [f"{len(spans)} spans"]
    span, expected = spans[0], EXPECTED[outcome, side]
    said = attributes(span).get("rpc.response.status_code", attributes(span).get("rpc.grpc.status_code"))
    found = []
    if said not in (expected.code.name, expected.code.value[0]):
        found.append(f"code {said}")
    if span.status.status_code not in ({expected.status, StatusCode.OK} if expected.status is StatusCode.UNSET else {expected.status}):
        found.append(f"status {span.status.status_code.name}")
    exceptions = sum(event.name == "exception" for event in span.events)
    # A client may record what its call raised, or leave that to who catches it.
    if exceptions != expected.exceptions and not (side == "client" and exceptions == 1):
        found.append(f"{exceptions} exceptions")
    if CANARY in span.to_json():
        found.append("raw text")
    if span.kind is not (SpanKind.SERVER if side == "server" else SpanKind.CLIENT):
        found.append(f"kind {span.kind.name}")
    return found


class Behaviors:
    """The servicer; what a call is to end like stands in its first request."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.in_time = True

    def begin(self) -> None:
        """Forget the call before."""
        self.reached.clear()
        self.in_time = False

    def _wait(self, context: Any) -> None:  # noqa: ANN401  as below
        self.in_time = context.time_remaining() > _DEADLINE_SECONDS - _ON_THE_WAY_SECONDS
        self.reached.set()

    def unary(self, request: bytes | Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """Answer once, or end as asked."""
        first, *_ = [request] if isinstance(request, bytes) else request
        outcome = first.decode()
        if outcome == "exception":
            raise Refused(CANARY)
        if outcome == "abort":
            context.abort(_C.FAILED_PRECONDITION, CANARY)
        if outcome == "abort_with_status":
            context.abort_with_status(STATUS)
        if outcome in ("cancel", "deadline"):
            self._wait(context)
            until = time.monotonic() + _LONG_SECONDS
            while context.is_active() and time.monotonic() < until:
                time.sleep(0.005)
        return b"answer"

    def stream(self, request: bytes | Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Answer twice, or end as asked between the two."""
        first, *_ = [request] if isinstance(request, bytes) else request
        yield b"first"
        yield self.unary(first, context)

    async def aio_unary(self, request: bytes | AsyncIterator[bytes], context: Any) -> bytes:  # noqa: ANN401  grpcio's context has no public type with all of it
        """Answer once, or end as asked."""
        first, *_ = [request] if isinstance(request, bytes) else [part async for part in request]
        outcome = first.decode()
        if outcome == "exception":
            raise Refused(CANARY)
        if outcome == "abort":
            await context.abort(_C.FAILED_PRECONDITION, CANARY)
        if outcome == "abort_with_status":
            await context.abort_with_status(STATUS)
        if outcome in ("cancel", "deadline"):
            self._wait(context)
            await asyncio.sleep(_LONG_SECONDS)
        return b"answer"

    async def aio_stream(self, request: bytes | AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:  # noqa: ANN401  as above
        """Answer twice, or end as asked between the two."""
        first, *_ = [request] if isinstance(request, bytes) else [part async for part in request]
        yield b"first"
        yield await self.aio_unary(first, context)


def handlers(behaviors: Behaviors, mode: str) -> grpc.GenericRpcHandler[Any, Any]:
    """Serve the four shapes, each under its own name."""
    prefix = "aio_" if mode == "aio" else ""
    methods = {
        shape: getattr(grpc, f"{shape}_rpc_method_handler")(getattr(behaviors, prefix + shape.rpartition("_")[2])) for shape in SHAPES
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)


class Instrumentation(NamedTuple):
    """What traces both sides, given a provider."""

    server: Callable[[TracerProvider], Any]
    aio_server: Callable[[TracerProvider], Any]
    channel: Callable[[grpc.Channel, TracerProvider], grpc.Channel]
    aio_channel: Callable[[str, TracerProvider], grpc.aio.Channel]
    settle_seconds: float = 0.5
    """How long to wait for the spans of a call that ended; some never come."""


def ours(*, intercepted: bool = True) -> Instrumentation:
    """Return the library's; on asyncio with the client's interceptors, or with the traced channel."""
    from tracing_lib.instrument.grpc import (
        grpc_aio_client_interceptors,
        grpc_aio_server_interceptor,
        grpc_client_interceptors,
        grpc_server_interceptor,
        trace_aio_channel,
    )

    def aio_channel(target: str, provider: TracerProvider) -> grpc.aio.Channel:
        if intercepted:
            return grpc.aio.insecure_channel(target, interceptors=grpc_aio_client_interceptors(tracer_provider=provider))
        return trace_aio_channel(grpc.aio.insecure_channel(target), tracer_provider=provider)

    return Instrumentation(
        lambda provider: grpc_server_interceptor(tracer_provider=provider),
        lambda provider: grpc_aio_server_interceptor(tracer_provider=provider),
        lambda channel, provider: grpc.intercept_channel(channel, *grpc_client_interceptors(tracer_provider=provider)),
        aio_channel,
        settle_seconds=120,
    )


def contrib() -> Instrumentation:
    """Return those of opentelemetry-instrumentation-grpc."""
    from opentelemetry.instrumentation import grpc as instrumentation
    from opentelemetry.instrumentation.grpc.grpcext import intercept_channel

    untyped: Any = instrumentation
    intercept: Any = intercept_channel
    return Instrumentation(
        lambda provider: untyped.server_interceptor(tracer_provider=provider),
        lambda provider: untyped.aio_server_interceptor(tracer_provider=provider),
        lambda channel, provider: intercept(channel, untyped.client_interceptor(tracer_provider=provider)),
        lambda target, provider: grpc.aio.insecure_channel(target, interceptors=untyped.aio_client_interceptors(tracer_provider=provider)),
    )


class Sides(NamedTuple):
    """What each side recorded."""

    client: Recorder
    server: Recorder

    def spans_of_a_call(self, settle_seconds: float) -> dict[str, list[ReadableSpan]]:
        """Return what one call left, and forget it: waits for a span on each side, not for ever."""
        until = time.monotonic() + settle_seconds
        while not (self.client.spans and self.server.spans) and time.monotonic() < until:
            time.sleep(0.005)
        found = {"client": list(self.client.spans), "server": list(self.server.spans)}
        self.client.clear()
        self.server.clear()
        return found


def calls(behaviors: Behaviors) -> Iterator[tuple[str, str]]:
    """Yield outcome and shape of each call to make, one with a deadline again until its request was in time at the servicer."""
    for outcome, shape in itertools.product(OUTCOMES, SHAPES):
        until = time.monotonic() + STALL_SECONDS
        behaviors.begin()
        yield outcome, shape
        while outcome == "deadline" and not behaviors.in_time and time.monotonic() < until:
            behaviors.begin()
            yield outcome, shape


def observe(instrumentation: Instrumentation, mode: str, *, own: bool = False) -> dict[tuple[str, str, str], list[str]]:
    """Make every call of one mode; return the faults by outcome, shape and side. ``own``: under providers as ``configure`` makes them."""
    providers = (own_provider(), own_provider()) if own else (None, None)
    with own_propagator() if own else nullcontext(), Recorder(provider=providers[0]) as client, Recorder(provider=providers[1]) as server:
        sides = Sides(client, server)
        if mode == "aio":
            return asyncio.run(_observe_aio(instrumentation, sides))
        return _observe_sync(instrumentation, sides)


def _observe_sync(instrumentation: Instrumentation, sides: Sides) -> dict[tuple[str, str, str], list[str]]:
    found = {}
    behaviors = Behaviors()
    with sync_server(behaviors, [instrumentation.server(sides.server.provider)]) as target, grpc.insecure_channel(target) as bare:
        channel = instrumentation.channel(bare, sides.client.provider)
        for outcome, shape in calls(behaviors):
            lacking = call_sync(channel, outcome, shape, behaviors.reached)
            for side, spans in sides.spans_of_a_call(instrumentation.settle_seconds).items():
                found[outcome, shape, side] = faults(spans, outcome, side) + (lacking if side == "client" else [])
    return found


@contextmanager
def sync_server(behaviors: Behaviors, interceptors: list[Any]) -> Iterator[str]:
    """Run a server; yield its target."""
    server = grpc.server(ThreadPoolExecutor(max_workers=8), interceptors=interceptors)
    server.add_generic_rpc_handlers((handlers(behaviors, "sync"),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def call_sync(channel: grpc.Channel, outcome: str, shape: str, reached: threading.Event) -> list[str]:
    """Make a call and take its end, whatever that is. Return what the call object lacks."""
    requests, responses = shape.split("_")
    stub = getattr(channel, shape)(f"/{SERVICE}/{shape}")
    request = outcome.encode() if requests == "unary" else iter([outcome.encode(), b"more"])
    timeout = _DEADLINE_SECONDS if outcome == "deadline" else _LONG_SECONDS
    try:
        if responses == "unary" and outcome == "cancel":
            future = stub.future(request, timeout=timeout)
            assert reached.wait(_LONG_SECONDS)
            future.cancel()
            future.result()
        elif responses == "unary":
            stub(request, timeout=timeout)
        else:
            call = stub(request, timeout=timeout)
            for _ in call:
                if outcome == "cancel":
                    assert reached.wait(_LONG_SECONDS)
                    if not hasattr(call, "cancel"):
                        call.close()
                        return ["no cancel()"]
                    call.cancel()
    except (grpc.RpcError, grpc.FutureCancelledError):
        assert outcome != "success"
    return []


async def _observe_aio(instrumentation: Instrumentation, sides: Sides) -> dict[tuple[str, str, str], list[str]]:
    found = {}
    behaviors = Behaviors()
    server = grpc.aio.server(interceptors=[instrumentation.aio_server(sides.server.provider)])
    server.add_generic_rpc_handlers((handlers(behaviors, "aio"),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = instrumentation.aio_channel(f"127.0.0.1:{port}", sides.client.provider)
    try:
        for outcome, shape in calls(behaviors):
            await call_aio(channel, outcome, shape, behaviors.reached)
            for side, spans in (await asyncio.to_thread(sides.spans_of_a_call, instrumentation.settle_seconds)).items():
                found[outcome, shape, side] = faults(spans, outcome, side)
    finally:
        await channel.close(None)
        await server.stop(0)
    return found


async def call_aio(channel: grpc.aio.Channel, outcome: str, shape: str, reached: threading.Event) -> None:
    """Make a call and take its end, whatever that is."""
    requests, responses = shape.split("_")
    stub = getattr(channel, shape)(f"/{SERVICE}/{shape}")
    request = outcome.encode() if requests == "unary" else _requests(outcome)
    call = stub(request, timeout=_DEADLINE_SECONDS if outcome == "deadline" else _LONG_SECONDS)
    try:
        if responses == "unary":
            if outcome == "cancel":
                await asyncio.to_thread(reached.wait, _LONG_SECONDS)
                call.cancel()
            await call
        else:
            async for _ in call:
                if outcome == "cancel":
                    await asyncio.to_thread(reached.wait, _LONG_SECONDS)
                    call.cancel()
    except (grpc.RpcError, asyncio.CancelledError):
        assert outcome != "success"


async def _requests(outcome: str) -> AsyncIterator[bytes]:
    yield outcome.encode()
    yield b"more"


def table(columns: dict[str, dict[tuple[str, str, str, str], list[str]]]) -> str:
    """Return the outcomes as a table in Markdown: of each, how many of its 16 cases are right, and what is wrong with the others."""
    lines = [f"| Outcome | Side | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    for outcome, side in itertools.product(OUTCOMES, ("client", "server")):
        cells = []
        for found in columns.values():
            cases = [wrong for (_, case, _, where), wrong in found.items() if (case, where) == (outcome, side)]
            kinds = sorted({fault for wrong in cases for fault in wrong})
            right = sum(not wrong for wrong in cases)
            cells.append(f"{right} of {len(cases)}" + (f": {', '.join(kinds)}" if kinds else ""))
        lines.append(f"| {outcome.replace('_', ' ')} | {side} | {' | '.join(cells)} |")
    totals = [f"**{sum(not wrong for wrong in found.values())} of {len(found)}**" for found in columns.values()]
    return "\n".join([*lines, f"| all | both | {' | '.join(totals)} |"])


def observe_all(instrumentation: Instrumentation) -> dict[tuple[str, str, str, str], list[str]]:
    """Make every call in both modes; return the faults by mode, outcome, shape and side: 96 cases."""
    return {(mode, *case): wrong for mode in MODES for case, wrong in observe(instrumentation, mode).items()}
