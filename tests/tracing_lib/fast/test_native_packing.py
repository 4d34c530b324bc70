"""Packing in C: what it cannot take is an exception or the long way, and nothing is kept that nobody uses."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import SpanKind

from tests.tracing_lib.export.test_packing import Source
from tests.tracing_lib.fast.test_native import MANY, NOISE
from tracing_lib.fast.native import NATIVE, PackCore
from tracing_lib.fast.span import RecordedSpan

if TYPE_CHECKING:
    from opentelemetry.util.types import AnyValue

pytestmark = pytest.mark.skipif(not NATIVE, reason="tracing_lib/fast/_native.c was not built")

KINDS = (SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER)
SLOTS = ["_span_type", "_kinds", "_names", "_texts", "_integers", "_floats", "_state", "_state_bytes"]


class Core(PackCore):
    """Answers what is asked of it with what it was given."""

    def __init__(self, answer: Any = b"") -> None:  # noqa: ANN401  also what is no answer
        self.answer = answer
        self._span_type, self._kinds = RecordedSpan, KINDS
        self._names, self._texts, self._integers, self._floats = {}, {}, {}, {}
        self._state, self._state_bytes = None, b""

    def _give(self) -> bytes:
        if isinstance(self.answer, type):
            raise self.answer
        given: bytes = self.answer
        return given

    def _name_field(self, name: str) -> bytes:  # noqa: ARG002
        return self._give()

    def _state_field(self, span: RecordedSpan) -> bytes:  # noqa: ARG002
        return self._give()

    def _attribute_field(self, key: str, value: AnyValue) -> bytes:  # noqa: ARG002
        return self._give()

    def _link_fields(self, span: RecordedSpan) -> bytes:  # noqa: ARG002
        return self._give()


def a_span(more: str = "later") -> Any:  # noqa: ANN401  one of ours
    return Source().span("s", attributes={"a": 1, "b": "text", "c": 1.5, "d": True}, more=more)


@pytest.mark.parametrize(
    ("answer", "raised"), [("text", TypeError), (None, TypeError), (bytearray(), TypeError), (LookupError, LookupError)]
)
def test_an_answer_that_is_none_is_an_exception(answer: object, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        Core(answer).pack(a_span())


@pytest.mark.parametrize("slot", SLOTS)
def test_what_it_was_not_given_or_of_another_type_is_asked_for_or_left_to_the_long_way(slot: str) -> None:
    span, whole = a_span(), Core().pack(a_span())
    for wrong in ((), 5, {1: 2}, None):
        core: Any = Core()
        setattr(core, slot, wrong)
        packed = core.pack(span)
        assert packed is None or len(packed) == len(whole or b"")
        delattr(core, slot)
        packed = core.pack(span)
        assert packed is None or len(packed) == len(whole or b"")


@pytest.mark.parametrize("slot", ["_name", "ids", "_above", "_kind", "_attributes", "_start_time"])
def test_a_span_that_lost_something_or_has_it_of_another_type_goes_the_long_way(slot: str) -> None:
    wrong: Any
    for wrong in ((), "text", -1, 2**70, 1.5, {}, (1, 2, 3, 4, 5, 6)):
        span = a_span()
        setattr(span, slot, wrong)
        try:
            packed = Core().pack(span)
        except (TypeError, OverflowError, ValueError):
            packed = None
        assert packed is None or isinstance(packed, bytes)
    span = a_span()
    delattr(span, slot)
    assert Core().pack(span) is None


def test_a_span_that_has_not_ended_goes_the_long_way() -> None:
    assert Core().pack(Source().tracer.start_span("s")) is None  # type: ignore[arg-type]  # not ended


def test_many_attributes_go_the_long_way_and_a_long_message_has_its_length() -> None:
    source = Source()
    assert Core().pack(source.span("s", attributes={f"k{number}": number for number in range(126)})) is None
    for size in (10, 100, 1_000, 100_000):
        packed = Core(b"x" * size).pack(source.span("s", attributes={"a": "b"})) or b""
        length, shift, at = 0, 0, 1
        while True:
            length |= (packed[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if packed[at - 1] < 0x80:
                break
        assert len(packed) == at + length


def test_nothing_is_held_when_it_was_packed() -> None:
    core, span, field = Core(), a_span(), b"field"
    failing = Core("none")
    core._names["s"] = field
    core._texts["b"] = {"text": field}
    counted = [span, field, span.ids, span._attributes, span._name, core._names, core._texts["b"], core.answer, failing.answer, None]

    def once() -> None:
        core.pack(span)
        with pytest.raises(TypeError):
            failing.pack(span)

    for _ in range(10):
        once()
    gc.collect()
    before, blocks = [sys.getrefcount(one) for one in counted], sys.getallocatedblocks()
    for _ in range(MANY):
        once()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < NOISE
    assert max(abs(sys.getrefcount(one) - then) for one, then in zip(counted, before, strict=True)) < NOISE


def test_a_core_in_a_circle_is_collected() -> None:
    core: Any = Core()
    core._texts["self"] = {"core": core}
    gone = weakref.ref(core)
    del core
    gc.collect()
    assert gone() is None
