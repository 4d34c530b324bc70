"""The queue: bounded, refusing rather than growing, failed spans dropped last, every span accounted for."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from opentelemetry.sdk.resources import Resource

from tracing_lib.export.groups import ScopeGroup
from tracing_lib.export.queue import OVERHEAD_BYTES, Batch, SpanQueue

if TYPE_CHECKING:
    from types import FrameType

    from _typeshed import TraceFunction

GROUP = ScopeGroup(Resource({}), None)
GROUPS = (GROUP, ScopeGroup(Resource({}), None))
NUMBER = 4
"""Bytes at the beginning of a span that say when it ended."""


def order_of(queue: SpanQueue) -> list[int]:
    """The first byte of each span, in the order in which they leave."""
    order = []
    while batch := queue.take(4):
        order += [span[0] for span in batch.spans]
        queue.settle(batch, exported=len(batch))
    return order


class Accounting(RuleBasedStateMachine):
    """Whatever happens in whatever order, each span is in one place."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SpanQueue(2000, 12)
        self.batch: Batch | None = None
        self.closed = False
        self.ended: list[bool] = []
        """Of each span that was put, whether it failed."""

    @rule(failed=st.booleans(), size=st.integers(NUMBER, 600))
    def a_span_ends(self, size: int, *, failed: bool) -> None:
        self.queue.start()
        if failed or not self.queue.refuses():
            number = len(self.ended)
            self.ended.append(failed)
            self.queue.put(GROUPS[number % 2], number.to_bytes(NUMBER).ljust(size), failed=failed)

    @rule()
    def a_span_only_starts(self) -> None:
        self.queue.start()

    @rule()
    def a_span_cannot_be_encoded(self) -> None:
        self.queue.start()
        self.queue.drop("encoding")

    @precondition(lambda self: self.batch is None)
    @rule(most=st.integers(1, 5))
    def a_batch_leaves(self, most: int) -> None:
        waiting = self.queue.waiting
        self.batch = self.queue.take(most)
        if self.batch is None:
            assert waiting == 0
            return
        numbers = [int.from_bytes(span[:NUMBER]) for span in self.batch.spans]
        assert list(self.batch.groups) == [GROUPS[number % 2] for number in numbers]
        assert numbers == sorted(numbers, key=lambda number: (not self.ended[number], number)), "failed ones first, oldest first"
        assert self.batch.failed == sum(self.ended[number] for number in numbers)
        sizes = [len(span) + OVERHEAD_BYTES for span in self.batch.spans]
        assert self.batch.size == sum(sizes)
        assert 1 <= len(sizes) <= most
        assert sum(sizes[:-1]) < 500, "all but the last within a quarter"
        assert len(sizes) in {most, waiting} or sum(sizes) >= 500, "and no fewer"

    @precondition(lambda self: self.batch is not None)
    @rule()
    def a_batch_comes_back(self) -> None:
        assert self.batch
        self.queue.give_back(self.batch)
        self.batch = None

    @precondition(lambda self: self.batch is not None)
    @rule(share=st.floats(0, 1))
    def a_batch_is_settled(self, share: float) -> None:
        assert self.batch
        self.queue.settle(self.batch, exported=int(len(self.batch) * share), reason="rejected")
        self.batch = None

    @rule()
    def the_queue_is_closed(self) -> None:
        self.queue.close()
        self.closed = True

    @invariant()
    def every_span_is_in_one_place(self) -> None:
        found = self.queue.accounts()
        assert found.started == found.live + found.queued + found.exported + found.lost
        assert min(found.live, found.queued, found.exported, *found.dropped.values(), 0) == 0
        assert found.queued_bytes <= 2000
        held = [*self.queue._failed, *self.queue._others][1::2] + (list(self.batch.spans) if self.batch and not self.closed else [])
        assert found.queued_bytes == sum(len(span) + OVERHEAD_BYTES for span in held)
        assert found.queued == len(held)
        assert found.queued <= 12
        assert self.queue.held == found.queued
        assert not self.closed or (found.queued, found.queued_bytes) == (0, 0)


TestAccounting = Accounting.TestCase
TestAccounting.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_full_queue_keeps_what_it_has_and_gives_failed_spans_the_room_of_others() -> None:
    queue = SpanQueue(5 * (100 + OVERHEAD_BYTES))
    for index in range(8):
        queue.put(GROUP, bytes([index]) * 100, failed=False)
    for index in range(100, 103):
        queue.put(GROUP, bytes([index]) * 100, failed=True)
    assert order_of(queue) == [100, 101, 102, 3, 4]
    assert queue.accounts().dropped == {"queue_full": 6}


def test_only_failed_spans_take_no_room_from_each_other() -> None:
    queue = SpanQueue(3 * (100 + OVERHEAD_BYTES))
    for index in range(5):
        queue.put(GROUP, bytes([index]) * 100, failed=True)
    assert order_of(queue) == [0, 1, 2]


def test_a_batch_that_comes_back_is_where_it_was_and_makes_room_for_failed_spans() -> None:
    queue = SpanQueue(8 * (100 + OVERHEAD_BYTES))
    for index in range(8):
        queue.put(GROUP, bytes([index]) * 100, failed=index in {2, 5})
    batch = queue.take(4)
    assert batch is not None
    assert [span[0] for span in batch.spans] == [2, 5], "a quarter of the queue"
    queue.give_back(batch)
    queue.put(GROUP, bytes([9]) * 100, failed=True)
    assert order_of(queue) == [2, 5, 9, 1, 3, 4, 6, 7]


def test_a_batch_that_is_under_way_counts_against_the_bound() -> None:
    queue = SpanQueue(4 * (100 + OVERHEAD_BYTES))
    for _ in range(4):
        queue.put(GROUP, b"x" * 100, failed=False)
    batch = queue.take(3)
    assert batch is not None
    queue.put(GROUP, b"x" * 100, failed=False)
    assert queue.refuses()
    queue.settle(batch, exported=len(batch))
    assert not queue.refuses()
    assert queue.accounts().dropped == {"queue_full": 2}


def test_what_the_queue_says_it_takes_is_what_it_takes() -> None:
    import tracemalloc

    queue = SpanQueue(2**24)
    tracemalloc.start()
    for index in range(10_000):
        queue.put(GROUP, b"%0245d" % index, failed=False)
    taken = tracemalloc.get_traced_memory()[0] / 10_000
    tracemalloc.stop()
    assert taken <= 245 + OVERHEAD_BYTES
    assert queue.accounts().queued_bytes == 10_000 * (245 + OVERHEAD_BYTES)


def test_threads_that_end_spans_while_others_take_and_close_lose_no_count() -> None:
    queue, number, each = SpanQueue(20_000), 4, 3000
    taken: Counter[str] = Counter()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def end() -> None:
        for index in range(each):
            queue.start()
            if not queue.refuses():
                queue.put(GROUP, b"x" * 50, failed=index % 7 == 0)

    def take() -> None:
        while not stop.is_set():
            if batch := queue.take(20):
                taken["spans"] += len(batch)
                queue.settle(batch, exported=len(batch) - 1, reason="rejected")
                taken["rejected"] += 1

    stop = threading.Event()
    taker, enders = threading.Thread(target=take), [threading.Thread(target=end) for _ in range(number)]
    try:
        for thread in (taker, *enders):
            thread.start()
        for thread in enders:
            thread.join()
    finally:
        stop.set()
        sys.setswitchinterval(before)
    taker.join()
    queue.close()
    found = queue.accounts()
    assert (found.started, found.live, found.queued) == (number * each, 0, 0)
    assert found.exported == taken["spans"] - taken["rejected"]
    assert found.exported + found.lost == number * each
    assert found.dropped["rejected"] == taken["rejected"]


@pytest.mark.parametrize("live", [0, 3])
def test_the_child_of_a_fork_begins_with_no_span_of_its_parent(live: int) -> None:
    queue = SpanQueue(10_000)
    for _ in range(5 + live):
        queue.start()
    for _ in range(5):
        queue.put(GROUP, b"x", failed=False)
    queue.reset()
    found = queue.accounts()
    assert (found.started, found.live, found.queued, found.exported, found.lost) == (0, 0, 0, 0, 0)


def test_a_signal_handler_in_the_middle_of_making_room_finds_whole_pairs() -> None:
    queue = SpanQueue(20 * (100 + OVERHEAD_BYTES))
    found: list[int] = []

    def interrupt(_frame: FrameType, event: str, _argument: object) -> TraceFunction:
        if event == "line":
            found.append(len(queue._others) % 2)
        return interrupt

    for _ in range(20):
        queue.start()
        queue.put(GROUP, b"x" * 100, failed=False)
    queue.start()
    sys.settrace(interrupt)
    try:
        queue.put(GROUP, b"y" * 300, failed=True)
    finally:
        sys.settrace(None)
    assert len(found) > 5
    assert set(found) == {0}
    assert queue.accounts().dropped == {"queue_full": 3}
