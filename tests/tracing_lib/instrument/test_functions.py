"""``traced``: what each kind of function gives its span, and whose context is whose."""

from __future__ import annotations

import asyncio
import contextvars
import enum
import functools
import gc
import inspect
import logging
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from tests.tracing_lib.instrument.recorder import attributes, id_of, is_child
from tracing_lib import traced

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator

    from tests.tracing_lib.instrument.recorder import Recorder


class Side(enum.Enum):
    """An enumeration of the service's."""

    BUY = 1


@dataclass
class Order:
    """A message of the service's."""

    id: str
    side: Side = Side.BUY
    tags: tuple[str, ...] = ("a", "b")
    labels: dict[str, str] | None = None

    @property
    def broken(self) -> str:
        raise RuntimeError("no value today")


class Refused(Exception):  # noqa: N818  named as the service names it
    """An error of the service's own."""


def current_id() -> int:
    return trace.get_current_span().get_span_context().span_id


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Fail where OpenTelemetry says "Failed to detach context", or anything else."""
    with caplog.at_level(logging.WARNING):
        yield caplog
    assert [record.message for record in caplog.records] == []


def plain(recorder: Recorder, *, fails: bool) -> int:
    @traced(name="work", tracer_provider=recorder.provider)
    def work() -> int:
        if fails:
            raise Refused("jane@example.com")
        return current_id()

    return work()


def coroutine(recorder: Recorder, *, fails: bool) -> int:
    @traced(name="work", tracer_provider=recorder.provider)
    async def work() -> int:
        await asyncio.sleep(0)
        if fails:
            raise Refused("jane@example.com")
        return current_id()

    return asyncio.run(work())


def generator(recorder: Recorder, *, fails: bool) -> int:
    @traced(name="work", tracer_provider=recorder.provider)
    def work() -> Iterator[int]:
        yield current_id()
        if fails:
            raise Refused("jane@example.com")

    return next(iter(list(work())))


def async_generator(recorder: Recorder, *, fails: bool) -> int:
    @traced(name="work", tracer_provider=recorder.provider)
    async def work() -> AsyncIterator[int]:
        yield current_id()
        await asyncio.sleep(0)
        if fails:
            raise Refused("jane@example.com")

    async def drain() -> int:
        seen = [current async for current in work()]
        return seen[0]

    return asyncio.run(drain())


KINDS = [plain, coroutine, generator, async_generator]


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_is_one_span_current_inside_and_a_child_of_the_callers(recorder: Recorder, kind: Callable[..., int]) -> None:
    with recorder.tracer.start_as_current_span("caller"):
        inside = kind(recorder, fails=False)
        assert current_id() == recorder_current(recorder)
    work, caller = recorder.one("work"), recorder.one("caller")
    assert is_child(work, caller)
    assert inside == id_of(work)
    assert (work.kind, work.status.status_code, work.events) == (SpanKind.INTERNAL, StatusCode.UNSET, ())


def recorder_current(recorder: Recorder) -> int:
    """Return the id that is current when nothing of ``work`` is left behind: not that of any ended span."""
    assert current_id() not in {id_of(span) for span in recorder.spans}
    return current_id()


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_is_recorded_once_by_type_and_fingerprint_without_its_text(recorder: Recorder, kind: Callable[..., int]) -> None:
    @traced(name="outer", tracer_provider=recorder.provider)
    def outer() -> None:
        kind(recorder, fails=True)

    with pytest.raises(Refused):
        outer()
    name = f"{Refused.__module__}.Refused"
    for span in (recorder.one("work"), recorder.one("outer")):
        assert span.status.status_code is StatusCode.ERROR
        assert attributes(span)["error.type"] == name
        assert "jane" not in span.to_json()
    events = [(span.name, event.name, event.attributes) for span in recorder.spans for event in span.events]
    assert [(span, event) for span, event, _ in events] == [("work", "exception")]
    recorded = events[0][2]
    assert recorded is not None
    assert sorted(recorded) == ["exception.type", "virtengine.error.fingerprint"]
    assert recorded["exception.type"] == name


def test_one_exception_object_is_recorded_in_every_trace_that_it_ends(recorder: Recorder) -> None:
    error = Refused()

    @traced(name="work", tracer_provider=recorder.provider)
    def work() -> None:
        raise error

    for _ in range(2):
        with pytest.raises(Refused):
            work()
    assert [len(span.events) for span in recorder.spans] == [1, 1]


def test_fingerprints_tell_places_apart_and_not_texts(recorder: Recorder) -> None:
    def here(text: str) -> None:
        raise Refused(text)

    def there(text: str) -> None:
        raise Refused(text)

    for function, text in ((here, "a"), (here, "b"), (there, "a")):
        with pytest.raises(Refused):
            traced(name="work", tracer_provider=recorder.provider)(function)(text)
    first, second, third = [(span.events[0].attributes or {})["virtengine.error.fingerprint"] for span in recorder.spans]
    assert first == second != third


def test_a_cancellation_is_no_error_and_says_so(recorder: Recorder) -> None:
    @traced(name="work", tracer_provider=recorder.provider)
    async def work() -> None:
        await asyncio.sleep(10)

    async def cancel() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    work_span = recorder.one("work")
    assert (work_span.status.status_code, work_span.events) == (StatusCode.UNSET, ())
    assert attributes(work_span)["virtengine.cancelled"] is True


def test_attributes_come_from_arguments_and_result_by_path(recorder: Recorder) -> None:
    paths = {
        "virtengine.order.id": "order.id",
        "virtengine.order.side": "order.side",
        "virtengine.order.tags": "order.tags",
        "virtengine.order.region": "order.labels.region",
        "virtengine.order.zone": "order.labels.zone",
        "virtengine.order.broken": "order.broken",
        "virtengine.order.cpu_units": "cpu_units",
        "virtengine.order.hash": "digest",
        "virtengine.bid.price": "return.price",
        "virtengine.bid.note": "return.note",
    }

    @traced(name="work", attributes=paths, tracer_provider=recorder.provider)
    def work(order: Order, cpu_units: int = 4, *, digest: bytes = b"") -> object:  # noqa: ARG001  read by path
        return {"price": 7.5, "note": object()}

    work(Order("o-1", labels={"region": "eu"}), digest=b"\x01\xff")
    work(cpu_units=8, order=Order("o-2"))
    first, second = recorder.spans
    assert attributes(first) == {
        "virtengine.order.id": "o-1",
        "virtengine.order.side": "BUY",
        "virtengine.order.tags": ("a", "b"),
        "virtengine.order.region": "eu",
        "virtengine.order.cpu_units": 4,
        "virtengine.order.hash": "01ff",
        "virtengine.bid.price": 7.5,
    }
    assert (attributes(second)["virtengine.order.id"], attributes(second)["virtengine.order.cpu_units"]) == ("o-2", 8)


@pytest.mark.parametrize("path", ["ordr.id", "order..id", "order.id[0]", ""])
def test_a_path_that_fits_nothing_is_refused_where_the_function_is_decorated(path: str) -> None:
    with pytest.raises(ValueError, match=r"virtengine\.order\.id has the path .*Wanted: .*Next: "):

        @traced(attributes={"virtengine.order.id": path})
        def work(order: Order) -> None: ...


def test_the_decorator_below_a_descriptor_is_asked_for() -> None:
    with pytest.raises(TypeError, match="below @staticmethod"):
        traced(staticmethod(len))


def test_the_name_is_module_and_function_unless_given(recorder: Recorder) -> None:
    class Book:
        @traced(tracer_provider=recorder.provider)
        def match(self) -> None: ...

    Book().match()
    assert recorder.names == [f"{__name__}.test_the_name_is_module_and_function_unless_given.Book.match"]


def test_the_kind_and_signature_of_a_function_stay() -> None:
    @traced
    async def one(a: int, *, b: str) -> None: ...

    @traced
    def two() -> Iterator[int]:
        yield 1

    @traced
    async def three() -> AsyncIterator[int]:
        yield 1

    assert inspect.iscoroutinefunction(one)
    assert inspect.isgeneratorfunction(two)
    assert inspect.isasyncgenfunction(three)
    assert list(inspect.signature(one).parameters) == ["a", "b"]


@pytest.mark.usefixtures("logged")
def test_a_generators_body_keeps_its_context_and_its_consumer_sees_none_of_it(recorder: Recorder) -> None:
    seen: list[tuple[int, int]] = []

    @traced(name="work", tracer_provider=recorder.provider)
    def work() -> Iterator[int]:
        with recorder.tracer.start_as_current_span("nested") as nested:
            for number in range(3):
                seen.append((current_id(), nested.get_span_context().span_id))
                yield number

    for _ in work():
        assert current_id() == 0
    assert all(current == nested for current, nested in seen)
    assert is_child(recorder.one("nested"), recorder.one("work"))


@pytest.mark.usefixtures("logged")
def test_an_async_generator_may_be_closed_by_another_task_or_by_the_collector(recorder: Recorder) -> None:
    @traced(name="work", tracer_provider=recorder.provider)
    async def work() -> AsyncIterator[int]:
        with recorder.tracer.start_as_current_span("nested"):
            yield 1
            yield 2

    async def run() -> None:
        closed = work()
        await anext(closed)
        await asyncio.create_task(closed.aclose())  # type: ignore[attr-defined]  # an asynchronous generator
        async for _ in work():
            break
        gc.collect()
        await asyncio.sleep(0.01)
        abandoned = work()
        await anext(abandoned)

    asyncio.run(run())
    assert sorted(recorder.names) == ["nested"] * 3 + ["work"] * 3
    assert {span.status.status_code for span in recorder.spans} == {StatusCode.UNSET}


@pytest.mark.usefixtures("logged")
def test_a_coroutine_that_is_collected_in_another_context_leaves_that_one_alone(recorder: Recorder) -> None:
    @traced(name="work", tracer_provider=recorder.provider)
    async def work() -> None:
        await asyncio.sleep(0)  # yields once, and needs no event loop for it

    def start() -> object:
        running = work()
        contextvars.copy_context().run(running.send, None)
        return running

    running = start()
    with recorder.tracer.start_as_current_span("elsewhere"):
        del running
        gc.collect()
        with recorder.tracer.start_as_current_span("child"):
            pass
    assert is_child(recorder.one("child"), recorder.one("elsewhere"))
    assert attributes(recorder.one("work"))["virtengine.cancelled"] is True


def test_a_generator_takes_what_is_sent_and_thrown_and_returns_its_value(recorder: Recorder) -> None:
    @traced(name="work", attributes={"virtengine.sum": "return"}, tracer_provider=recorder.provider)
    def work() -> Generator[int, int, int]:
        got = yield 1
        try:
            yield got
        except KeyError:
            got += 1
        yield got
        return got

    running = work()
    assert next(running) == 1
    assert running.send(5) == 5
    assert running.throw(KeyError()) == 6
    with pytest.raises(StopIteration) as stop:
        next(running)
    assert stop.value.value == 6
    assert attributes(recorder.one("work")) == {"virtengine.sum": 6}


def test_an_async_generator_takes_what_is_sent_and_thrown_and_cancelled(recorder: Recorder) -> None:
    @traced(name="work", tracer_provider=recorder.provider)
    async def work() -> AsyncGenerator[int, int]:
        got = yield 1
        try:
            yield got
        except KeyError:
            yield -1
        await asyncio.sleep(10)

    async def run() -> None:
        running = work()
        assert await anext(running) == 1
        assert await running.asend(5) == 5
        assert await running.athrow(KeyError()) == -1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(running), 0.01)

    asyncio.run(run())
    assert attributes(recorder.one("work"))["virtengine.cancelled"] is True


def test_a_generator_may_be_driven_from_several_threads(recorder: Recorder) -> None:
    @traced(name="work", tracer_provider=recorder.provider)
    def work() -> Iterator[int]:
        with recorder.tracer.start_as_current_span("nested"):
            yield current_id()
            yield current_id()

    running, seen = work(), []
    for _ in range(2):
        thread = threading.Thread(target=lambda: seen.append(next(running)))
        thread.start()
        thread.join()
    assert list(running) == []
    assert seen == [id_of(recorder.one("nested"))] * 2


def test_what_a_caller_put_in_the_context_reaches_the_function(recorder: Recorder) -> None:
    @traced(tracer_provider=recorder.provider)
    def work() -> object:
        return contexts.get_value("tenant")

    before = contexts.attach(contexts.set_value("tenant", "blue"))
    assert work() == "blue"
    contexts.detach(before)


_UNCONFIGURED = """
import asyncio, sys
from opentelemetry import trace
from tracing_lib import traced

@traced
def work(): return trace.get_current_span().get_span_context().span_id

@traced
async def steps():
    got = yield 1
    yield got

async def drive():
    running = steps()
    return [await anext(running), await running.asend(2)]

assert work() == 0 and asyncio.run(drive()) == [1, 2]
assert "opentelemetry.sdk" not in sys.modules and "grpc" not in sys.modules and "httpx" not in sys.modules
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
assert work() != 0, "a provider that is set later is found"
"""


def test_without_a_provider_a_function_runs_as_it_is_and_finds_one_that_is_set_later() -> None:
    answer = subprocess.run([sys.executable, "-c", _UNCONFIGURED], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_callable_that_is_no_function_is_traced_too(recorder: Recorder) -> None:
    assert traced(name="sum", tracer_provider=recorder.provider)(functools.partial(sum, [1, 2]))() == 3
    assert recorder.names == ["sum"]
