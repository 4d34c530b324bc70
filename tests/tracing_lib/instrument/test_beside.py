"""Beside the instrumentation of others: one request has one server span and one trace, whichever stands outside, and is sampled once."""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import celery  # type: ignore[import-untyped]
import grpc
import grpc.aio
import httpx
import pytest
from celery.contrib.testing import worker  # type: ignore[import-untyped]
from celery.signals import setup_logging  # type: ignore[import-untyped]
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import SpanKind

from tests.tracing_lib.instrument import grpc_cases
from tests.tracing_lib.instrument.beside import CALLER, NAMES, REQUESTS
from tests.tracing_lib.instrument.recorder import Recorder, id_of, is_child, trace_of
from tracing_lib.instrument import traced
from tracing_lib.instrument.http import trace_httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]


@functools.cache
def observed(provider: str, sampled: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.tracing_lib.instrument.beside", provider, sampled]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("provider", ["sdk", "own"])
@pytest.mark.parametrize("name", NAMES)
def test_a_request_has_one_server_span_and_one_trace(name: str, provider: str) -> None:
    found = observed(provider, "all")[name]
    for caller in ("nobody", "sampled"):
        assert (found[caller]["servers"], found[caller]["traces"], found[caller]["work"]) == (1, 1, 1), caller
    assert [parent for _, parent in found["nobody"]["roots"]] == [None]
    assert found["sampled"]["roots"] == [CALLER.split("-")[1:3]]
    assert found["unsampled"] == {"servers": 0, "traces": 0, "roots": [], "work": 0}


@pytest.mark.parametrize("provider", ["sdk", "own"])
@pytest.mark.parametrize("name", NAMES)
def test_a_tenth_of_the_requests_stays_a_tenth(name: str, provider: str) -> None:
    expected, deviation = REQUESTS * 0.1, (REQUESTS * 0.1 * 0.9) ** 0.5
    assert abs(observed(provider, "tenth")[name] - expected) < 5 * deviation  # by chance once in two million; 19 % would be seven of them


@pytest.mark.parametrize("provider", ["sdk", "own"])
def test_a_call_by_contribs_requests_belongs_to_the_request_that_is_served(provider: str) -> None:
    route = "GET /orders/{order_id}"
    assert observed(provider, "all")["requests"] == [["GET", "CLIENT", route], [route, "SERVER", None]]


CONTRIB, OURS = grpc_cases.contrib(), grpc_cases.ours()
ORDERS = {"ours outside": (OURS, CONTRIB), "contrib outside": (CONTRIB, OURS), "ours twice": (OURS, OURS)}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("called", [True, False])
def test_a_call_has_one_server_span_in_one_trace(recorder: Recorder, order: str, *, called: bool) -> None:
    interceptors = [each.server(recorder.provider) for each in ORDERS[order]]
    with grpc_cases.sync_server(grpc_cases.Behaviors(), interceptors) as target, grpc.insecure_channel(target) as bare:
        channel: Any = OURS.channel(bare, recorder.provider) if called else bare
        channel.unary_unary(f"/{grpc_cases.SERVICE}/unary_unary")(b"success", timeout=120)
        spans = recorder.wait((2 if order == "contrib outside" else 1) + called)
    _one_server_span(recorder, called=called, spans=len(spans))


@pytest.mark.parametrize("order", ORDERS)
def test_a_call_of_asyncio_has_one_server_span_in_one_trace(recorder: Recorder, order: str) -> None:
    async def run() -> None:
        server = grpc.aio.server(interceptors=[each.aio_server(recorder.provider) for each in ORDERS[order]])
        server.add_generic_rpc_handlers((grpc_cases.handlers(grpc_cases.Behaviors(), "aio"),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with OURS.aio_channel(f"127.0.0.1:{port}", recorder.provider) as opened:
            channel: Any = opened
            await channel.unary_unary(f"/{grpc_cases.SERVICE}/unary_unary")(b"success", timeout=120)
        await server.stop(None)

    asyncio.run(run())
    _one_server_span(recorder, called=True, spans=3 if order == "contrib outside" else 2)


def _one_server_span(recorder: Recorder, *, called: bool, spans: int) -> None:
    found = recorder.spans
    assert len(found) == spans
    server = [span for span in found if span.kind is SpanKind.SERVER]
    assert len(server) == 1
    assert len({trace_of(span) for span in found}) == 1
    assert (server[0].parent is not None) is called
    assert all(is_child(span, server[0]) for span in found if span.kind is SpanKind.INTERNAL)


class EveryOther(Sampler):
    """Samples every other trace."""

    def __init__(self) -> None:
        self.asked = 0

    def should_sample(self, *_: object, **__: object) -> SamplingResult:
        self.asked += 1
        return SamplingResult(Decision.RECORD_AND_SAMPLE if self.asked % 2 else Decision.DROP)

    def get_description(self) -> str:
        return "every other"


@pytest.mark.parametrize("order", ORDERS)
def test_whether_a_call_is_sampled_is_asked_once(order: str) -> None:
    sampler = EveryOther()
    with Recorder(ParentBased(sampler)) as recorder:
        interceptors = [each.server(recorder.provider) for each in ORDERS[order]]
        with grpc_cases.sync_server(grpc_cases.Behaviors(), interceptors) as target, grpc.insecure_channel(target) as channel:
            call: Any = channel
            for _ in range(10):
                call.unary_unary(f"/{grpc_cases.SERVICE}/unary_unary")(b"success", timeout=120)
            recorder.wait(5 * (2 if order == "contrib outside" else 1))
    assert sampler.asked == 10
    assert len({trace_of(span) for span in recorder.spans}) == 5


@pytest.mark.parametrize("outside", ["ours", "contrib"])
def test_a_call_by_a_channel_with_both_is_one_trace_to_the_server(recorder: Recorder, outside: str) -> None:
    with grpc_cases.sync_server(grpc_cases.Behaviors(), [OURS.server(recorder.provider)]) as target, grpc.insecure_channel(target) as bare:
        first, last = (CONTRIB, OURS) if outside == "ours" else (OURS, CONTRIB)  # what intercepts last stands outside
        channel: Any = last.channel(first.channel(bare, recorder.provider), recorder.provider)
        channel.unary_unary(f"/{grpc_cases.SERVICE}/unary_unary")(b"success", timeout=120)
        spans = recorder.wait(3)
    server, inner, outer = sorted(spans, key=lambda span: -(span.start_time or 0))
    assert (server.kind, inner.kind, outer.kind) == (SpanKind.SERVER, SpanKind.CLIENT, SpanKind.CLIENT)
    assert is_child(server, inner)
    assert is_child(inner, outer)


@pytest.mark.parametrize("order", ["ours first", "contrib first"])
def test_a_client_of_httpx_with_both_is_one_trace_to_the_server(recorder: Recorder, order: str) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["traceparent"])
        return httpx.Response(200)

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://chain")
    wrap: list[Callable[[], object]] = [
        lambda: trace_httpx(client, tracer_provider=recorder.provider),
        lambda: HTTPXClientInstrumentor.instrument_client(client, tracer_provider=recorder.provider),
    ]
    for each in wrap if order == "ours first" else reversed(wrap):
        each()
    client.get("/orders/7")
    assert len({trace_of(span) for span in recorder.spans}) == 1
    innermost = recorder.spans[0]
    assert seen == [f"00-{trace_of(innermost):032x}-{id_of(innermost):016x}-{int(innermost.context.trace_flags):02x}"]
    assert len(recorder.spans) == (2 if order == "ours first" else 1), "wrapped around ours, contrib's does not say that it has its span"


@pytest.fixture
def _logging_is_left_alone() -> Iterator[None]:
    """Celery's worker gives the root logger a level and a handler of its own, for good, unless somebody says to do it in its place."""

    def in_its_place(**_: object) -> None:
        """Do nothing."""

    setup_logging.connect(in_its_place)
    yield
    setup_logging.disconnect(in_its_place)


@pytest.mark.usefixtures("_logging_is_left_alone")
def test_a_task_of_celery_belongs_to_the_request_that_sent_it(recorder: Recorder) -> None:
    app = celery.Celery("t", broker="memory://", backend="cache+memory://", set_as_current=False)
    done = threading.Event()
    instrumentor: Any = CeleryInstrumentor
    instrumentor().instrument(tracer_provider=recorder.provider)
    try:

        @app.task(name="orders.send_mail", shared=False)
        @traced(name="mail", tracer_provider=recorder.provider)
        def send() -> None:
            done.set()

        with worker.start_worker(app, perform_ping_check=False, pool="solo", shutdown_timeout=60):
            with recorder.tracer.start_as_current_span("checkout"):
                send.delay()
            assert done.wait(60)
            recorder.wait(4)
    finally:
        instrumentor().uninstrument()
    asked, run, work, sent = (recorder.one(name) for name in ("checkout", "run/orders.send_mail", "mail", "apply_async/orders.send_mail"))
    assert is_child(sent, asked)
    assert is_child(work, run)
    assert is_child(run, sent)
