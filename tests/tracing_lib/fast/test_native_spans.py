"""A span of the module in C is one of the module in Python, whatever is done to it, and nothing is kept that nobody uses."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, TraceFlags, TraceState

from tests.tracing_lib.fast.test_native import (
    CLASSES,
    EACH,
    EDGES,
    FLAGS,
    IDS,
    KEYS,
    MANY,
    MAPPINGS,
    MARKS,
    NO_STATE,
    NOISE,
    PLAIN_VALUES,
    ROOMS,
    STATE,
    TRACE_IDS,
    TWINS,
    VALUES,
    _Processor,
    _Recording,
    bits_of,
    outcome,
    same,
    shown,
    started,
)
from tracing_lib.fast import _native, pure

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


@settings(max_examples=300)
@given(
    room=ROOMS,
    bits=st.one_of(st.none(), st.lists(st.sampled_from([0, *EDGES]), min_size=1, max_size=1)),
    attributes=st.one_of(st.none(), MAPPINGS),
    marks=MARKS,
)
def test_a_span_is_recorded_the_same(room: int, bits: list[int] | None, attributes: object, marks: dict[str, Any]) -> None:
    above = (9, 10, True, FLAGS[1], STATE, True)
    spans = []
    for twin in TWINS:
        ids = IDS if bits is None else bits_of(bits)
        spans.append(twin.record(CLASSES[twin], _Recording(room), "s", ids, above, SpanKind.CLIENT, attributes, marks))
    ours, others = spans
    assert same(shown(ours), shown(others))
    assert type(ours) is CLASSES[pure]
    assert type(others) is CLASSES[_native]
    assert abs(ours._start_time - others._start_time) < 60e9
    given = [attributes, marks]
    assert not any(span._attributes is one for span in spans for one in given), "what it was given stays the giver's"


@settings(max_examples=300)
@given(
    values=st.lists(st.one_of(st.just(0), TRACE_IDS), min_size=2, max_size=2),
    threshold=st.one_of(st.sampled_from([0, 1, 2**55, 2**56]), st.integers(0, 2**56)),
    room=ROOMS,
    attributes=st.one_of(st.none(), MAPPINGS),
    marks=MARKS,
)
def test_a_trace_begins_the_same(values: list[int], threshold: int, room: int, attributes: object, marks: dict[str, Any]) -> None:
    found = []
    for twin in TWINS:
        decision, otherwise = (threshold, marks, STATE), (FLAGS[2], FLAGS[3], NO_STATE)
        arguments = (_Recording(room), "s", bits_of(values), SpanKind.SERVER, attributes, decision, otherwise)
        made = twin.root(CLASSES[twin], *arguments)
        found.append(made if type(made) is tuple else shown(made))
    assert same(*found)


def _operations() -> st.SearchStrategy[list[Any]]:
    one = st.one_of(
        # What the modules do themselves, more often than chance would have it.
        st.builds(lambda key, value: lambda span: span.set_attribute(key, value), st.sampled_from("abcd"), PLAIN_VALUES),
        st.builds(lambda key, value: lambda span: span.set_attribute(key, value), KEYS, VALUES),
        st.builds(lambda key, value: lambda span: span.set_attribute(key, value=value), KEYS, VALUES),
        st.builds(lambda values: lambda span: span.set_attributes(values), MAPPINGS),
        st.just(lambda span: span.set_attribute("a")),
        st.just(lambda span: span.set_attribute("a", 1, 2)),
        st.just(lambda span: span.set_attributes()),
        st.just(lambda span: span.end(9)),
        st.just(lambda span: span.end(end_time=9)),
        st.just(lambda span: span.end(1, 2)),
        st.just(lambda span: span.is_recording()),
    )
    return st.lists(one, max_size=8)


@settings(max_examples=500)
@given(
    room=ROOMS,
    stages=st.booleans(),
    quiet=st.sampled_from([0, 1, sys.maxsize]),
    attributes=st.one_of(st.none(), MAPPINGS),
    operations=_operations(),
)
def test_whatever_is_done_to_a_span_is_the_same(
    room: int,
    stages: bool,  # noqa: FBT001  hypothesis'
    quiet: int,
    attributes: object,
    operations: list[Callable[[Any], object]],
) -> None:
    found = []
    for twin in TWINS:
        span = started(twin, _Recording(room, stages=stages, quiet=quiet), attributes)
        done = [outcome(partial(operation, span)) for operation in operations]
        span.end(10)
        span.end()
        found.append((done, shown(span)))
    assert same(*found)


@EACH
def test_an_attribute_may_be_named_and_is_set_by_whichever_way_that_takes(twin: ModuleType) -> None:
    span = started(twin, _Recording())
    span.set_attribute(key="a", value=1)
    # As no name in a program is: made while it runs.
    span.set_attribute("b", **{"VALUE".lower(): 2})
    told = {key: value for _what, key, value in span.__dict__.get("told", ())}
    assert told | span._attributes == {"a": 1, "b": 2}


@EACH
def test_an_attribute_that_is_set_again_moves_to_the_end(twin: ModuleType) -> None:
    span = started(twin, _Recording(), {"a": 1, "b": 2, "c": 3})
    span.set_attribute("a", 4)
    span.set_attributes({"b": 5, "d": 6})
    assert list(span._attributes.items()) == [("c", 3), ("a", 4), ("b", 5), ("d", 6)]


@EACH
def test_a_span_ends_now_and_after_it_started(twin: ModuleType) -> None:
    span = started(twin, _Recording())
    assert (span._end_time, span.is_recording()) == (None, True)
    span.end()
    assert 0 <= span._end_time - span._start_time < 60e9
    assert not span.is_recording()


@EACH
def test_a_span_whose_processor_fails_has_ended(twin: ModuleType) -> None:
    recording: Any = _Recording(stages=False)
    del recording.processor
    span = started(twin, recording)
    with pytest.raises(AttributeError):
        span.end(9)
    assert span._end_time == 9
    span.end()
    assert span.told == [("twice",)]


@EACH
def test_a_span_that_many_threads_end_ends_once(twin: ModuleType) -> None:
    recording = _Recording()
    spans = [started(twin, recording) for _ in range(2_000)]
    for span in spans:
        span.told = []  # else two threads may make its dictionary: Hypothesis' callback lets another run while Python 3.11 does
    barrier = threading.Barrier(8)

    def end() -> None:
        barrier.wait()
        for span in spans:
            span.end()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=end) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert len(recording.processor.stage) == len({id(span) for span in recording.processor.stage}) == 2_000
    assert all(span.told == [("twice",)] * 7 for span in spans)


class _Failing(_Recording):
    """What a span cannot be made for."""

    def __init__(self) -> None:
        self.stages, self.processor = True, _Processor(1)

    @property
    def room(self) -> int:  # type: ignore[override]  # raises
        raise LookupError


def _lives(twin: ModuleType) -> dict[str, Callable[[list[Any]], object]]:
    """What is done to spans, by a name; each takes name, ids, value, key, marks, kind, recording and state."""
    cls = CLASSES[twin]

    def ended(held: list[Any]) -> object:
        name, ids, value, key, marks, kind, recording, _state = held
        span = twin.record(cls, recording, name, ids, ids, kind, {key: value}, marks)
        span.set_attribute(key, value)
        span.set_attributes({key: value, name: value})
        span.end(value)
        recording.processor.stage.clear()
        span.end()
        return span.is_recording()

    def child(held: list[Any]) -> object:
        name, ids, value, key, marks, kind, recording, _state = held
        span = twin.record(cls, recording, name, lambda _count: value, ids, kind, None, marks)
        span.set_attribute(key, [value])
        span.set_attributes({key: [value]})
        span.end(value)
        return recording.processor.stage.clear()

    def first(held: list[Any]) -> object:
        name, _ids, value, key, marks, kind, recording, state = held
        otherwise = (kind, kind, state)
        return [
            twin.root(cls, recording, name, lambda _count: value, kind, {key: name}, (threshold, marks, state), otherwise)
            for threshold in (0, 2**56)
        ]

    def failing(held: list[Any]) -> object:
        name, ids, value, key, marks, kind, recording, state = held
        return [
            outcome(lambda: twin.record(cls, _Failing(), name, ids, ids, kind, {key: value}, marks)),
            outcome(lambda: twin.record(cls, recording, name, lambda _count: [][value], ids, kind, None, marks)),
            outcome(lambda: twin.record(cls, recording, name, ids, ids, kind, value, marks)),
            outcome(lambda: twin.root(cls, recording, name, lambda _count: [][value], kind, None, (0, marks, state), (kind, kind, state))),
            outcome(lambda: twin.record(cls, _Recording(stages=False), name, ids, ids, kind, {key: value}, marks).end(value, value)),
        ]

    def carried(held: list[Any]) -> object:
        name, ids, value, key, _marks, _kind, _recording, state = held
        text = twin.traceparent(ids)
        return [
            twin.token(ids[0], ids[1], True, 1),  # noqa: FBT003  by position, as it is called
            twin.caller({key: state}, (state,) * 4, state, [("traceparent", text), ("tracestate", key)]),
            twin.caller({key: state}, (state,) * 4, state, {"traceparent": text, "tracestate": name}.items()),
            twin.derived(Context, key, value, Context({name: value})),
        ]

    return {"ended": ended, "child": child, "first": first, "failing": failing, "carried": carried}


@pytest.mark.parametrize("what", ["ended", "child", "first", "failing", "carried"])
@EACH
def test_nothing_that_a_span_was_given_is_held_when_it_is_gone(twin: ModuleType, what: str) -> None:
    live = _lives(twin)[what]
    value, state = 2**70 + len(what), TraceState([("s", what)])
    ids = (2**100 + value, 2**40 + len(what), False, TraceFlags(1), state, True)
    held: list[Any] = [f"na{what}", ids, value, f"ke{what}", {"m": value}, SpanKind.SERVER, _Recording(), state]
    counted = [*held, *ids[:2], None, True, False, CLASSES[twin], Context]
    for _ in range(10):
        live(held)
    gc.collect()
    before, blocks = [sys.getrefcount(one) for one in counted], sys.getallocatedblocks()
    for _ in range(MANY):
        live(held)
    gc.collect()
    more = sys.getallocatedblocks() - blocks
    after = [sys.getrefcount(one) for one in counted]
    assert max(abs(now - then) for now, then in zip(after, before, strict=True)) < NOISE
    assert more < NOISE


@pytest.mark.parametrize("slot", ["_recording", "_name", "ids", "_above", "_kind", "_attributes", "_start_time", "_end_time"])
@EACH
def test_a_span_that_only_itself_refers_to_is_collected(twin: ModuleType, slot: str) -> None:
    span = started(twin, _Recording())
    if slot == "_end_time":
        span.end([span])
        span._recording.processor.stage.clear()
    else:
        setattr(span, slot, [span])
    gone = weakref.ref(span)
    del span
    gc.collect()
    assert gone() is None
