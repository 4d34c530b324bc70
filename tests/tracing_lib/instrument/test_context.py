"""Context in threads, executors and tasks; and that no span is lost or hung under the wrong parent when there are many of them."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace

from tests.tracing_lib.instrument.recorder import attributes, id_of, is_child, trace_of
from tracing_lib import carry, traced
from tracing_lib.propagation import ContextThread, ContextThreadPoolExecutor, carry_in_executors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from tests.tracing_lib.instrument.recorder import Recorder


def current() -> int:
    return trace.get_current_span().get_span_context().span_id


def by_executor() -> int:
    with ContextThreadPoolExecutor(1) as pool:
        return pool.submit(current).result()


def by_map() -> int:
    with ContextThreadPoolExecutor(2) as pool:
        return next(iter({*pool.map(lambda _: current(), range(4))}))


def by_thread() -> int:
    seen: list[int] = []
    thread = ContextThread(target=seen.append, args=(0,))
    thread.start()
    thread.join()
    watcher = _Watcher()
    watcher.start()
    watcher.join()
    assert seen == [0]
    return watcher.seen


class _Watcher(ContextThread):
    seen = 0

    def run(self) -> None:
        """See what is current."""
        self.seen = current()


def by_carry() -> int:
    seen: list[int] = []

    def see() -> None:
        seen.append(current())

    thread = threading.Thread(target=carry(see))
    thread.start()
    thread.join()
    return seen[0]


def by_run_in_executor() -> int:
    async def run() -> int:
        carry_in_executors()
        return await asyncio.get_running_loop().run_in_executor(None, current)

    return asyncio.run(run())


WAYS: list[Callable[[], int]] = [by_executor, by_map, by_thread, by_carry, by_run_in_executor]


@pytest.mark.parametrize("way", WAYS)
def test_the_current_span_is_the_same_on_the_other_side(recorder: Recorder, way: Callable[[], int]) -> None:
    with recorder.tracer.start_as_current_span("caller") as span:
        assert way() == span.get_span_context().span_id
    assert way() == 0


def test_without_help_python_loses_it_which_is_what_the_helpers_are_for(recorder: Recorder) -> None:
    async def run() -> int:
        return await asyncio.get_running_loop().run_in_executor(None, current)

    with recorder.tracer.start_as_current_span("caller"):
        assert asyncio.run(run()) == 0


def test_calls_of_a_carried_function_may_overlap(recorder: Recorder) -> None:
    with recorder.tracer.start_as_current_span("caller") as caller:
        barrier = threading.Barrier(8, timeout=120)

        def work() -> int:
            with recorder.tracer.start_as_current_span("work"):
                barrier.wait()
                return current()

        carried = carry(work)
    with ContextThreadPoolExecutor(8) as pool:
        seen = {future.result() for future in [pool.submit(carried) for _ in range(8)]}
    assert len(seen) == 8
    assert {span.parent.span_id for span in recorder.spans if span.name == "work" and span.parent} == {caller.get_span_context().span_id}


class Work:
    """One order's work with every kind of traced function; each span holds the order's number, its parent is known by name."""

    PARENTS = {"order": None, "check": "order", "each": "order", "follow": "order", "store": "order", "leaf": "store"}  # noqa: RUF012  a table

    STORE = 0

    def __init__(self, recorder: Recorder, cancel_at: dict[int, int] | None = None) -> None:
        def plan(name: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
            return traced(name=name, attributes={"virtengine.order.number": "number"}, tracer_provider=recorder.provider)

        self.order = plan("order")(self._order)
        self.check, self.each, self.follow = plan("check")(self._check), plan("each")(self._each), plan("follow")(self._follow)
        self.store, self.leaf = plan("store")(self._store), plan("leaf")(self._leaf)
        self.started: Counter[str] = Counter()
        self._cancel_at = cancel_at or {}
        self._pauses: Counter[int] = Counter()

    async def _pause(self, number: int, seconds: float) -> None:
        """Wait; at the order's chosen pause its task is cancelled, which takes effect in this very wait."""
        self._pauses[number] += 1
        self._cancel_if(number, self._pauses[number])
        await asyncio.sleep(seconds)

    def _cancel_if(self, number: int, moment: int) -> None:
        task = asyncio.current_task()
        if self._cancel_at.get(number) == moment and task is not None:
            task.cancel()

    async def _order(self, number: int, random_: random.Random) -> None:
        self.started["order"] += 1
        await self.check(number, random_.random() / 20)  # type: ignore[misc]  # a coroutine function, whatever plan says
        for _ in self.each(number):  # type: ignore[attr-defined]  # a generator
            await self._pause(number, random_.random() / 50)
        async for _ in self.follow(number, random_):  # type: ignore[attr-defined]  # an asynchronous generator
            if random_.random() < 0.3:
                break
        self._cancel_if(number, self.STORE)
        await asyncio.get_running_loop().run_in_executor(None, self.store, number)

    async def _check(self, number: int, seconds: float) -> None:
        self.started["check"] += 1
        await self._pause(number, seconds)

    def _each(self, number: int) -> Iterator[int]:
        self.started["each"] += 1
        yield from range(number % 3 + 1)

    async def _follow(self, number: int, random_: random.Random) -> AsyncIterator[int]:
        self.started["follow"] += 1
        for step in range(3):
            await self._pause(number, random_.random() / 50)
            yield step

    def _store(self, number: int) -> None:
        self.started["store"] += 1
        self.leaf(number)

    def _leaf(self, number: int) -> None:  # noqa: ARG002  read by path
        self.started["leaf"] += 1


def wrong(spans: list[ReadableSpan]) -> list[str]:
    """The spans that are not where ``Work.PARENTS`` has them: under that span, of the same order, in its trace."""
    by_id = {id_of(span): span for span in spans}
    found = []
    for span in spans:
        wanted = Work.PARENTS[span.name]
        above = by_id.get(span.parent.span_id) if span.parent else None
        number = attributes(span)["virtengine.order.number"]
        if wanted is None:
            right = span.parent is None
        else:
            right = above is not None and above.name == wanted and is_child(span, above)
            right = right and above is not None and attributes(above)["virtengine.order.number"] == number
        if not right:
            found.append(f"{span.name} of {number!r}")
    return found


@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_tasks_of_which_many_are_cancelled_lose_and_misplace_no_span(recorder: Recorder, seed: int) -> None:
    random_ = random.Random(seed)  # noqa: S311  repeatable, nothing secret
    # In the check, in the loop over a generator, in an asynchronous generator, or while a thread works: all are reached by every order.
    cancel_at = {number: random_.choice([1, 2, 3, Work.STORE]) for number in random_.sample(range(200), 80)}
    work = Work(recorder, cancel_at)

    async def run() -> list[object]:
        carry_in_executors(max_workers=16)
        orders = [work.order(number, random.Random(number)) for number in range(200)]  # noqa: S311  likewise
        tasks: list[asyncio.Task[None]] = [asyncio.create_task(order) for order in orders]  # type: ignore[arg-type]  # coroutines
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    ended = asyncio.run(run())
    assert {number for number, error in enumerate(ended) if isinstance(error, asyncio.CancelledError)} == set(cancel_at)
    assert [error for error in ended if error is not None and not isinstance(error, asyncio.CancelledError)] == []
    spans = list(recorder.spans)
    assert work.started["order"] == 200
    assert Counter(span.name for span in spans) == work.started
    assert wrong(spans) == []
    assert len({trace_of(span) for span in spans}) == 200
    said = {
        attributes(span)["virtengine.order.number"] for span in spans if span.name == "order" and "virtengine.cancelled" in attributes(span)
    }
    assert said == set(cancel_at)


def test_fifty_threads_lose_and_misplace_no_span(recorder: Recorder) -> None:
    work = Work(recorder)
    each = 20

    def orders(first: int) -> None:
        for number in range(first, first + each):
            with recorder.tracer.start_as_current_span("order", attributes={"virtengine.order.number": number}):
                list(work.each(number))  # type: ignore[call-overload]  # a generator
                with ContextThreadPoolExecutor(2) as pool:
                    for future in [pool.submit(work.store, number) for _ in range(2)]:
                        future.result()

    threads = [threading.Thread(target=orders, args=(first * each,)) for first in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = list(recorder.spans)
    assert Counter(span.name for span in spans) == {"order": 1000, "each": 1000, "store": 2000, "leaf": 2000}
    assert wrong(spans) == []
    assert len({trace_of(span) for span in spans}) == 1000


def test_the_judge_of_places_finds_a_span_under_the_wrong_order(recorder: Recorder) -> None:
    work = Work(recorder)
    with recorder.tracer.start_as_current_span("order", attributes={"virtengine.order.number": 1}):
        work.store(2)
    assert wrong(list(recorder.spans)) == ["store of 2"]
