"""What the module in C cannot take is an exception, as in Python, and never the end of the process."""

from __future__ import annotations

import gc
import sys
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from tests.tracing_lib.fast.test_native import CLASSES, EACH, FLAGS, IDS, MANY, NO_STATE, _Recording, started

if TYPE_CHECKING:
    from types import ModuleType


class _NeitherTrueNorFalse:
    def __bool__(self) -> bool:
        raise LookupError


@EACH
def test_attributes_have_the_order_in_which_a_mapping_gives_them(twin: ModuleType) -> None:
    ordered = OrderedDict(a=1, b=2)
    ordered.move_to_end("a")
    span = started(twin, _Recording())
    span.set_attributes(ordered)
    told = span.__dict__.get("told")
    assert list(span._attributes.items()) == [("b", 2), ("a", 1)] or told == [("attributes", OrderedDict, [("b", 2), ("a", 1)])]


@EACH
def test_set_attribute_takes_no_other_names(twin: ModuleType) -> None:
    with pytest.raises(TypeError):
        started(twin, _Recording()).set_attribute("a", value=1, other=2)


@pytest.mark.parametrize("slot", ["_recording", "_name", "ids", "_above", "_kind", "_attributes", "_start_time"])
@EACH
def test_what_a_span_was_not_given_it_does_not_have(twin: ModuleType, slot: str) -> None:
    span = started(twin, _Recording())
    delattr(span, slot)
    with pytest.raises(AttributeError, match=slot):
        getattr(span, slot)


@EACH
def test_a_span_that_lost_its_recording_cannot_end(twin: ModuleType) -> None:
    span = started(twin, _Recording())
    del span._recording
    with pytest.raises(AttributeError):
        span.end()


@EACH
def test_a_child_has_a_parent(twin: ModuleType) -> None:
    with pytest.raises(TypeError):
        twin.record(CLASSES[twin], _Recording(), "s", lambda _count: 1, None, SpanKind.INTERNAL, None, {})


@EACH
def test_random_bits_that_are_none_are_refused(twin: ModuleType) -> None:
    for bits, raised in ((_NeitherTrueNorFalse(), LookupError), ("bits", TypeError)):
        with pytest.raises(raised):
            twin.root(
                CLASSES[twin],
                _Recording(),
                "s",
                lambda _count, bits=bits: bits,
                SpanKind.INTERNAL,
                None,
                (0, {}, NO_STATE),
                (*FLAGS[:2], NO_STATE),
            )


def test_only_a_span_of_its_own_is_recorded_by_the_module_in_c() -> None:
    from tracing_lib.fast import _native

    wrong: Any
    for wrong in (object, dict, int, 5):
        with pytest.raises(TypeError):
            _native.record(wrong, _Recording(), "s", IDS, None, SpanKind.INTERNAL, None, {})  # type: ignore[arg-type]  # stands for one


@EACH
def test_only_a_mapping_is_derived(twin: ModuleType) -> None:
    for wrong in (object, 5):
        with pytest.raises(TypeError):
            twin.derived(wrong, "a", 1, Context())


@EACH
def test_a_recording_that_was_given_nothing_has_nothing(twin: ModuleType) -> None:
    recording = twin.Recording()
    for name in ("inner", "processor"):
        with pytest.raises(AttributeError, match=name):
            getattr(recording, name)
    recording.room, recording.stages = 5, False
    with pytest.raises(AttributeError, match="processor"):
        started(twin, recording).end()


@EACH
def test_a_recording_holds_nothing_longer_than_its_spans_do(twin: ModuleType) -> None:
    recording, processor = twin.Recording(), _Recording().processor
    recording.processor, recording.started, recording.room, recording.stages = processor, processor.on_end, 3, True
    recording.inner = recording
    counted = [recording, processor]
    before = [sys.getrefcount(one) for one in counted]
    for _ in range(MANY):
        started(twin, recording).end()
        processor.stage.clear()
    assert [sys.getrefcount(one) for one in counted] == before
    gone = weakref.ref(processor)
    del processor, counted, recording
    gc.collect()
    assert gone() is None
