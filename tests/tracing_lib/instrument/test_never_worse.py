"""A service is never worse off with the library: its exceptions, contexts and headers stay its own."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio
import httpx
import pytest
from opentelemetry import propagate, trace
from opentelemetry.trace import NoOpTracerProvider, StatusCode

from tests.tracing_lib.instrument.recorder import Recorder, own_provider
from tracing_lib import TracingSettings, configure, traced
from tracing_lib.instrument.grpc import grpc_aio_client_interceptors, grpc_client_interceptors, trace_aio_channel
from tracing_lib.instrument.http import AsgiTracing, trace_httpx
from tracing_lib.instrument.jobs import JobContext, consume, continued, produce
from tracing_lib.propagation.baggage import outbound_to
from tracing_lib.propagation.current import attached
from tracing_lib.provider import why_not_fast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator
    from contextlib import AbstractContextManager

    from tracing_lib.instrument.http.asgi import Receive, Scope, Send

CALLER = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture(params=["fast", "sdk"])
def recorded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    if request.param == "sdk":
        monkeypatch.setenv("VIRTENGINE_TRACING_FAST", "off")
    with Recorder(provider=own_provider()) as kept:
        yield kept


@dataclass(frozen=True)
class Frozen(Exception):  # noqa: N818
    """An error whose attributes cannot be set."""

    code: int = 1


@dataclass(frozen=True, slots=True)
class FrozenWithSlots(Exception):  # noqa: N818
    """The same, with slots: Python raises TypeError."""

    code: int = 1


class Hostile(Exception):  # noqa: N818
    """An error whose own methods fail."""

    def __setattr__(self, name: str, value: object) -> None:
        raise OSError(name)

    def add_note(self, note: str) -> None:
        raise RuntimeError(note)


class Silent(Exception):  # noqa: N818
    """An error that fails when it is asked for what it has not."""

    def __getattr__(self, name: str) -> object:
        raise LookupError(name)


class Nameless(type):
    """A kind of class that does not tell its name."""

    def __getattribute__(cls, name: str) -> object:
        if name in {"__name__", "__qualname__", "__module__"}:
            raise RuntimeError(name)
        return super().__getattribute__(name)


class OfNoName(Exception, metaclass=Nameless):  # noqa: N818
    """An error of such a class."""


class OfNoClass(Exception):  # noqa: N818
    """An error that fails when it is asked what it is."""

    @property  # type: ignore[misc]  # what a proxy does
    def __class__(self) -> type:
        raise ZeroDivisionError


class Mute(Exception):  # noqa: N818
    """An error that cannot be written."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


class EndOfNoClass(BaseException):
    """An end of the program that fails when it is asked what it is."""

    __class__ = vars(OfNoClass)["__class__"]


def step_by_step(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine without asyncio, which itself hangs with ``OfNoClass``."""
    while True:
        coroutine.send(None)


KINDS = [Frozen, FrozenWithSlots, Hostile, Silent, OfNoName, OfNoClass, Mute]


@pytest.mark.parametrize("kind", KINDS, ids=["frozen", "frozen with slots", "hostile", "silent", "of no name", "of no class", "mute"])
@pytest.mark.parametrize("way", ["traced", "async", "generator", "produce", "consume", "outbound_to"])
def test_the_services_own_exception_always_reaches_the_caller(recorded: Recorder, kind: type[Exception], way: str) -> None:
    raised = kind()
    provider = recorded.provider

    def fails() -> None:
        raise raised

    async def fails_later() -> None:
        await asyncio.sleep(0)
        raise raised

    def fails_between() -> Iterator[int]:
        yield 1
        raise raised

    def within(block: AbstractContextManager[object]) -> None:
        with block:
            raise raised

    ways: dict[str, Callable[[], object]] = {
        "traced": traced(tracer_provider=provider)(fails),
        "async": lambda: step_by_step(traced(tracer_provider=provider)(fails_later)()),
        "generator": lambda: list(traced(tracer_provider=provider)(fails_between)()),
        "produce": lambda: within(produce("job", provider=provider)),
        "consume": lambda: within(consume("job", None, provider=provider)),
        "outbound_to": lambda: within(outbound_to("a")),
    }
    found: object = None
    try:
        ways[way]()
    except BaseException as error:  # noqa: BLE001
        found = error
    assert found is raised


@pytest.mark.skipif(bool(why_not_fast()), reason="the block is the SDK's own, which asks the exception for its text")
@pytest.mark.parametrize("kind", [*KINDS, EndOfNoClass], ids=lambda kind: type.__getattribute__(kind, "__name__"))
def test_the_block_of_a_tracer_passes_the_services_own_exception_on(kind: type[BaseException]) -> None:
    raised, found = kind(), None
    with Recorder(provider=own_provider()) as recorded:
        try:
            with recorded.provider.get_tracer("t").start_as_current_span("s"):
                raise raised  # noqa: TRY301  the test
        except BaseException as error:  # noqa: BLE001
            found = error
        assert found is raised
        assert recorded.spans[0].status.is_ok is issubclass(kind, EndOfNoClass)


@pytest.mark.parametrize("code", [None, 0, 3, "no", ["no"], {"why": "no"}])
@pytest.mark.parametrize("way", ["traced", "async", "consume", "start_as_current_span"])
def test_a_program_that_exits_as_it_wants_is_no_error_of_a_span(recorded: Recorder, way: str, code: Any) -> None:  # noqa: ANN401  sys.exit takes anything
    provider = recorded.provider

    async def later() -> None:
        sys.exit(code)

    def within(block: AbstractContextManager[object]) -> None:
        with block:
            sys.exit(code)

    ways: dict[str, Callable[[], object]] = {
        "traced": lambda: traced(tracer_provider=provider)(sys.exit)(code),
        "async": lambda: asyncio.run(traced(tracer_provider=provider)(later)()),
        "consume": lambda: within(consume("job", None, provider=provider)),
        "start_as_current_span": lambda: within(provider.get_tracer("t").start_as_current_span("s")),
    }
    with pytest.raises(SystemExit) as raised:
        ways[way]()
    assert raised.value.code == code
    # OpenTelemetry's own block takes exits for no error at all.
    failed = code not in (None, 0) and way != "start_as_current_span"
    assert [span.status.status_code is StatusCode.ERROR for span in recorded.spans] == [failed]


@pytest.mark.parametrize("way", ["start_as_current_span", "produce", "consume"])
def test_a_block_left_in_another_context_leaves_that_context_alone(recorded: Recorder, way: str, caplog: pytest.LogCaptureFixture) -> None:
    tracer = recorded.provider.get_tracer("t")
    blocks: dict[str, Callable[[], Any]] = {
        "start_as_current_span": lambda: tracer.start_as_current_span("inner"),
        "produce": lambda: produce("inner", provider=recorded.provider),
        "consume": lambda: consume("inner", None, provider=recorded.provider),
    }

    def body() -> Generator[None]:
        with blocks[way]():
            yield

    def begin() -> Generator[None]:
        with tracer.start_as_current_span("first request"):
            stepped = body()
            next(stepped)
            return stepped

    stepped = contextvars.copy_context().run(begin)

    def other() -> None:
        with tracer.start_as_current_span("second request") as span, caplog.at_level(logging.ERROR):
            stepped.close()
            assert trace.get_current_span() is span
            tracer.start_span("child").end()

    contextvars.copy_context().run(other)
    child = next(span for span in recorded.spans if span.name == "child")
    request = next(span for span in recorded.spans if span.name == "second request")
    assert child.parent is not None
    assert child.parent.span_id == request.context.span_id
    # The library's own blocks know that a generator is being closed, which is no fault.
    assert [record.message for record in caplog.records] == (["Failed to detach context"] if way == "start_as_current_span" else [])


@pytest.mark.parametrize("way", ["produce", "consume", "continued", "outbound_to"])
def test_a_generator_closed_while_another_request_is_served_leaves_it_current(recorded: Recorder, way: str) -> None:
    tracer, provider = recorded.provider.get_tracer("t"), recorded.provider
    job = JobContext(trace_id=1, span_id=2, sampled=True, made_at=0.0)
    blocks: dict[str, Callable[[], Any]] = {
        "produce": lambda: produce("inner", provider=provider),
        "consume": lambda: consume("inner", None, provider=provider),
        "continued": lambda: continued(job),
        "outbound_to": lambda: outbound_to("a"),
    }

    def body() -> Generator[None]:
        with blocks[way]():
            yield

    stepped = body()
    with tracer.start_as_current_span("first request"):
        next(stepped)
    with tracer.start_as_current_span("second request") as span:
        stepped.close()
        assert trace.get_current_span() is span


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  ASGI's
    async with trace_httpx(httpx.AsyncClient(transport=httpx.MockTransport(_echo)), tracer_provider=scope["provider"]) as client:
        answer = await client.get("http://chain/")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer.content})


def _echo(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text=request.headers.get("traceparent", "none"))


@pytest.mark.parametrize("how", ["enabled=False", "OTEL_SDK_DISABLED", "no-op"])
@pytest.mark.parametrize("caller", [CALLER, None])
def test_a_service_that_is_switched_off_passes_the_trace_on(how: str, caller: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "OTEL_SDK_DISABLED":
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    settings = TracingSettings.from_environment(service_name="a")
    tracing = configure(settings if how == "OTEL_SDK_DISABLED" else settings.model_copy(update={"enabled": False}), set_global=False)
    provider = NoOpTracerProvider() if how == "no-op" else tracing.provider

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await _answer({**scope, "provider": provider}, receive, send)

    app: Any = AsgiTracing(serve, tracer_provider=provider, answer_trace=True)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
            return await client.get("/", headers={"traceparent": caller} if caller else {})

    answer = asyncio.run(ask())
    assert answer.text == (caller or "none")
    assert (answer.headers.get("traceresponse") is None) is (caller is None)


_OFF_BY_ONE_CALL: Final = """
import asyncio, fastapi, httpx
from tracing_lib import TracingSettings, configure

configure(TracingSettings(service_name="a", enabled=False)).instrument()
app = fastapi.FastAPI()


@app.get("/")
async def ask() -> str:
    async with httpx.AsyncClient(transport=httpx.MockTransport(echo)) as client:
        return (await client.get("http://chain/")).text


def echo(request):
    return httpx.Response(200, text=request.headers.get("traceparent", "none"))


async def main():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        print((await client.get("/", headers={"traceparent": CALLER})).json())


asyncio.run(main())
"""


def test_a_service_instrumented_by_one_call_and_switched_off_passes_the_trace_on() -> None:
    program = _OFF_BY_ONE_CALL.replace("CALLER", repr(CALLER))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == CALLER


def _traceparents_of_calls(shape: str, provider: NoOpTracerProvider, **headers: str) -> list[object]:
    """Return the ``traceparent`` of a call that a traced channel of this shape makes in the context of a caller's headers."""
    seen: list[object] = []

    def serve(request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append(dict(context.invocation_metadata()).get("traceparent"))
        return request

    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        method = grpc.unary_unary_rpc_method_handler(serve)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", {"C": method}),))
        target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()

        async def ask() -> None:
            interceptors = grpc_aio_client_interceptors(tracer_provider=provider) if shape == "aio" else ()
            async with grpc.aio.insecure_channel(target, interceptors=interceptors) as channel:
                given: Any = trace_aio_channel(channel, tracer_provider=provider) if shape == "aio-channel" else channel
                await given.unary_unary("/a.B/C")(b"x")

        with attached(propagate.extract(headers)):
            if shape == "sync":
                with grpc.insecure_channel(target) as channel:
                    sync: Any = grpc.intercept_channel(channel, *grpc_client_interceptors(tracer_provider=provider))
                    sync.unary_unary("/a.B/C")(b"x")
            else:
                asyncio.run(ask())
        server.stop(None).wait()
    return seen


@pytest.mark.parametrize("shape", ["sync", "aio", "aio-channel"])
def test_a_grpc_client_that_is_switched_off_passes_the_trace_on(shape: str) -> None:
    assert _traceparents_of_calls(shape, NoOpTracerProvider(), traceparent=CALLER) == [CALLER]
    assert _traceparents_of_calls(shape, NoOpTracerProvider()) == [None]
