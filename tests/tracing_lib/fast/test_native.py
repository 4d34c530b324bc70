"""What the module in C cannot take is an exception and never the end of the process, and it keeps nothing that nobody uses."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState

from tests.tracing_lib.instrument.recorder import Recorder, own_propagator, own_provider
from tests.tracing_lib.samples_of_spans import Source
from tracing_lib.fast import _native
from tracing_lib.fast.packing import _KINDS
from tracing_lib.fast.span import FastSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANY = 10_000
NOISE = 500
"""What the interpreter may come to hold by itself meanwhile: far less than one object each time."""
CHILD = SpanKind.INTERNAL


@pytest.fixture
def recorded() -> Iterator[Recorder]:
    with own_propagator(), Recorder(provider=own_provider()) as kept:
        yield kept


def ended(**given: Any) -> Any:  # noqa: ANN401  a FastSpan
    """Return an ended span."""
    return Source().span("s", **given)


def grows(do: Callable[[], object], counted: list[Any]) -> int:
    """Return how many objects, or references to one of those that are counted, there are more after doing it many times."""
    for _ in range(10):
        do()
    gc.collect()
    before, blocks = [sys.getrefcount(one) for one in counted], sys.getallocatedblocks()
    for _ in range(MANY):
        do()
    gc.collect()
    more = [abs(sys.getrefcount(one) - then) for one, then in zip(counted, before, strict=True)]
    return max([sys.getallocatedblocks() - blocks, *more])


def test_a_span_is_made_by_a_tracer_alone() -> None:
    cls: Any
    for cls in (FastSpan, _native.SpanCore):
        for make in (cls, lambda cls=cls: cls.__new__(cls)):
            with pytest.raises(TypeError):
                make()


def test_the_constants_are_set_once() -> None:
    with pytest.raises(TypeError):
        _native.set_up()  # type: ignore[call-arg]  # wrong on purpose


@pytest.mark.parametrize("name", ["record", "root", "with_span"])
def test_wrong_arguments_are_refused(name: str) -> None:
    function: Any = getattr(_native, name)
    origin = ended()._origin
    for arguments in ((), (5,) * 2, (5,) * 6, (origin, "s", None, None, CHILD, None), (origin, "s", CHILD, None, (1, 2), (3,))):
        with pytest.raises(TypeError):
            function(*arguments)


def test_a_tracer_that_was_given_nothing_asks_python() -> None:
    class Tracer(_native.TracerCore):
        def _start_child(self, *given: object) -> object:
            return given

        _start_server_span = _inject = _start_child

    tracer: Any = Tracer()
    assert tracer.start_child("s", CHILD, None) == ("s", CHILD, None)
    assert tracer.start_server_span("s", (), {}) == ("s", (), {})
    assert tracer.inject({}, None) == ({}, None)
    assert tracer.start_child() == ()
    for wrong in (None, 5):
        with pytest.raises(TypeError):
            tracer._origin = wrong


@pytest.mark.parametrize("headers", [5, [5], [(1,)], [("traceparent", 5)], [(5, 5)]])
def test_headers_that_are_none_do_no_harm(recorded: Recorder, headers: Any) -> None:  # noqa: ANN401  what is no header
    tracer: Any = recorded.provider.get_tracer("t")
    try:
        span, _ = tracer.start_server_span("s", headers, {})
    except (TypeError, ValueError, AttributeError):
        return
    assert span.is_recording()


def test_attributes_have_the_order_in_which_a_mapping_gives_them() -> None:
    ordered = OrderedDict(a=1, b=2)
    ordered.move_to_end("a")
    span: Any = Source().tracer.start_span("s")
    span.set_attributes(ordered)
    assert [key for key in span.attributes if key in ordered] == ["b", "a"]


def test_a_processor_that_fails_leaves_an_ended_span(recorded: Recorder) -> None:
    def fails(_span: object) -> None:
        raise LookupError

    ended: Any = recorded._ended
    ended.on_end = fails
    span: Any = recorded.provider.get_tracer("t").start_span("s")
    with pytest.raises(LookupError):
        span.end(9)
    assert (span.end_time, span.is_recording()) == (9, False)


def test_of_many_threads_that_add_links_and_end_none_is_lost(recorded: Recorder) -> None:
    tracer = recorded.provider.get_tracer("t")
    spans: list[Any] = [tracer.start_span("s") for _ in range(200)]
    context, barrier = SpanContext(1, 2, is_remote=True), threading.Barrier(8)

    def add() -> None:
        barrier.wait()
        for span in spans:
            span.add_link(context)
            span.get_span_context()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert {len(span.links) for span in spans} == {8}


class Core(_native.PackCore):
    """Answers what it is asked for with what it was given."""

    def __init__(self, answer: Any = b"") -> None:  # noqa: ANN401  also what is no answer
        self.answer, self._kinds = answer, _KINDS
        self._names, self._texts, self._integers, self._floats = {}, {}, {}, {}
        self._state, self._state_bytes = None, b""

    def _answer(self, *_: object) -> object:
        if isinstance(self.answer, type):
            raise self.answer
        return self.answer

    _name_field = _state_field = _attribute_field = _link_fields = _answer


@pytest.mark.parametrize(
    ("answer", "raised"), [("text", TypeError), (None, TypeError), (bytearray(), TypeError), (LookupError, LookupError)]
)
def test_a_field_that_is_none_is_an_exception(answer: object, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        Core(answer).pack(ended(attributes={"a": 1}, more="plain link"))


@pytest.mark.parametrize("slot", ["_kinds", "_names", "_texts", "_integers", "_floats", "_state", "_state_bytes"])
def test_a_memory_that_is_missing_or_of_another_type_is_asked_for(slot: str) -> None:
    span = ended(attributes={"a": 1, "b": "text", "c": 1.5, "d": True}, more="plain link")
    whole = Core().pack(span)
    assert whole is not None
    wrong: Any
    for wrong in ((), 5, {1: 2}, None):
        core: Any = Core()
        setattr(core, slot, wrong)
        assert core.pack(span) is None or len(core.pack(span)) == len(whole)
        delattr(core, slot)
        assert core.pack(span) is None or len(core.pack(span)) == len(whole)


@pytest.mark.parametrize("slot", ["_name", "_attributes", "_start_time"])
def test_a_span_that_lost_a_field_is_not_packed(slot: str) -> None:
    wrong: Any
    for wrong in ((), "text", -1, 2**70, 1.5, {}):
        span = ended()
        setattr(span, slot, wrong)
        try:
            packed = Core().pack(span)
        except (TypeError, OverflowError, ValueError):
            packed = None
        assert packed is None or isinstance(packed, bytes)
    span = ended()
    delattr(span, slot)
    assert Core().pack(span) is None


def test_an_open_span_and_one_of_many_attributes_are_not_packed() -> None:
    assert Core().pack(Source().tracer.start_span("s")) is None  # type: ignore[arg-type]  # not ended
    assert Core().pack(ended(attributes={f"k{number}": number for number in range(127)})) is None


def test_nothing_that_a_span_was_given_is_held_when_it_is_gone(recorded: Recorder) -> None:
    tracer: Any = recorded.provider.get_tracer("t")
    name, value, carrier = "na-me", 2**70, {"x": "y"}
    state = TraceState([("s", "t")])
    parent = SpanContext(2**100, 2**40, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    counted = [name, value, parent, state, carrier, recorded.provider, tracer, tracer._origin, Context, SpanKind.CLIENT, None, True, False]

    def once() -> None:
        root, active = tracer.start_server_span(name, [("traceparent", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")], {"k": value})
        before = get_current()
        attach(active)
        span, token = tracer.start_child(name, SpanKind.CLIENT, {"k": value, "l": [value]})
        span.set_attribute("m", value)
        span.set_attributes({"n": name, "o": [value]})
        span.add_link(parent)
        tracer.inject(carrier, None)
        span.end()
        tracer.leave(token)
        root.end(value)
        root.get_span_context()
        attach(before)
        with pytest.raises(TypeError):
            span.set_attribute(name)
        recorded.clear()

    assert grows(once, counted) < NOISE


def test_nothing_is_held_when_a_span_was_packed() -> None:
    core, failing, field = Core(), Core("none"), b"field"
    span = ended(attributes={"a": 1, "b": "text"}, more="plain link")
    core._names["s"], core._texts["b"] = field, {"text": field}

    def once() -> None:
        core.pack(span)
        with pytest.raises(TypeError):
            failing.pack(span)

    assert grows(once, [span, field, span.ids, span._attributes, span._name, core._names, core.answer, None]) < NOISE


@pytest.mark.parametrize("slot", ["_name", "_attributes", "_start_time", "_status"])
def test_a_span_in_a_circle_is_collected(slot: str) -> None:
    span: Any = ended()
    setattr(span, slot, [span])
    gone = weakref.ref(span)
    del span
    gc.collect()
    assert gone() is None
