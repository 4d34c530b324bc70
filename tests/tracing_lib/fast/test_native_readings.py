"""Attributes by path are the same from the module in C as from Python, whatever a service's objects do."""

from __future__ import annotations

import enum
import gc
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.virtengine.protos import market_pb2
from tests.tracing_lib.fast.test_native import MANY, NOISE, outcome, same
from tracing_lib.fast import readings
from tracing_lib.fast.readings import Reading
from tracing_lib.instrument.paths import RESULT, compile_paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tracing_lib.fast.readings import Step

_native: Any = pytest.importorskip("tracing_lib.fast._native", reason="tracing_lib/fast/_native.c was not built")
TWINS: tuple[ModuleType, ModuleType] = (readings, _native)
EACH = pytest.mark.parametrize("twin", TWINS, ids=["python", "c"])


class Span:
    """Notes what it is given."""

    def __init__(self, *, recording: bool = True) -> None:
        self.recording = recording
        self.attributes: dict[str, object] = {}

    def is_recording(self) -> bool:
        return self.recording

    def set_attribute(self, key: str, value: object) -> None:
        self.attributes[key] = value


class Kind(enum.Enum):
    """A value that is not plain."""

    LARGE = 1


class Number(int):
    """Nearly plain."""


@dataclass
class Order:
    """What services pass around."""

    id: object
    kind: Kind = Kind.LARGE

    @property
    def broken(self) -> object:
        raise LookupError(self.id)

    @property
    def stopped(self) -> object:
        raise KeyboardInterrupt


VALUES = st.one_of(
    st.sampled_from([None, True, 0, 1.5, "x", b"raw", Kind.LARGE, Number(3), [1, 2], [1, "a"], object, Order("inner"), {"id": 3}]),
    st.builds(Order, st.sampled_from(["o-1", 7, None, Kind.LARGE, b"\x01"])),
    st.builds(market_pb2.Order, id=st.sampled_from(["", "o-2"]), state=st.sampled_from([0, 1, 99])),
)
PATHS = st.sampled_from(
    ["a", "a.id", "a.kind", "a.broken", "a.missing", "a.state", "b", "b.id", "b.id.id", "c", "c.id", "a.get", f"{RESULT}", f"{RESULT}.id"]
)


def _parameters(a: object, b: object = "default", *, c: object = 5) -> None: ...


def _of(path: str) -> Reading:
    """Return the reading that a path is compiled to."""
    found = compile_paths({"key": path}, _parameters, place="tests")
    (reading,) = (found.on_call or found.on_return).args[0]  # type: ignore[union-attr]  # a partial
    return Reading(*reading)


@given(path=PATHS, first=VALUES, more=st.tuples(st.none() | VALUES, st.none() | VALUES, st.booleans()), recording=st.booleans())
def test_both_set_the_same(path: str, first: object, more: tuple[object, object, bool], recording: bool) -> None:  # noqa: FBT001
    second, third, keyword = more
    reading = _of(path)
    args = (first,) if second is None or keyword else (first, second)
    kwargs = {"b": second} if keyword else {}
    kwargs |= {} if third is None else {"c": third}
    found = []
    for twin in TWINS:
        span = Span(recording=recording)
        set_arguments, set_results = twin.set_arguments, twin.set_results
        if reading.root == RESULT:
            gave = outcome(lambda: set_results((reading, reading), span, first))  # noqa: B023  called at once
        else:
            gave = outcome(lambda: set_arguments((reading, reading), span, args, kwargs))  # noqa: B023
        found.append((gave, span.attributes))
    assert same(*found)
    assert recording or found[0][1] == {}


WRONG: Any = "first"
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "id", "state", "missing"]),
        st.booleans(),
        st.sampled_from([None, {1: Kind.LARGE}, market_pb2.OrderState.DESCRIPTOR.values_by_number]),
    ),
    max_size=3,
).map(tuple)
MESSAGES = st.sampled_from(
    [market_pb2.MsgCreateOrder(), market_pb2.MsgCreateOrder(order=market_pb2.Order(id="o-1", state=2)), market_pb2.Order(state=99), 5]  # type: ignore[arg-type]  # a later version's
)


@given(steps=STEPS, message=MESSAGES)
def test_both_follow_the_steps_through_a_message(steps: tuple[Step, ...], message: object) -> None:
    assert same(*(outcome(lambda: twin.follow(steps, message)) for twin in TWINS))  # noqa: B023  called at once


@EACH
def test_a_property_that_fails_leaves_its_attribute_out_and_one_that_stops_the_program_stops_it(twin: ModuleType) -> None:
    span = Span()
    twin.set_arguments((_of("a.broken"), _of("a.id")), span, (Order("o-1"),), {})
    assert span.attributes == {"key": "o-1"}
    with pytest.raises(KeyboardInterrupt):
        twin.set_arguments((_of("a.stopped"),), span, (Order("o-1"),), {})


@EACH
def test_a_span_that_fails_is_no_property_that_fails(twin: ModuleType) -> None:
    class Failing(Span):
        def set_attribute(self, key: str, value: object) -> None:
            raise LookupError(key, value)

    with pytest.raises(LookupError):
        twin.set_results((_of(RESULT),), Failing(), "x")


@pytest.mark.parametrize(
    "call",
    [
        lambda: _native.set_arguments((), Span(), [], {}),
        lambda: _native.set_arguments(((1, 2),), Span(), (), {}),
        lambda: _native.set_arguments([], Span(), (), {}),
        lambda: _native.set_arguments((_of("a")._replace(position=WRONG),), Span(), ("x",), {}),
        lambda: _native.set_results((), Span()),
        lambda: _native.set_results((_of("a")._replace(readers=WRONG),), Span(), 1),
        lambda: _native.follow([], 1),
        lambda: _native.follow(((1, 2),), 1),
        lambda: _native.follow(()),
    ],
)
def test_what_the_module_in_c_cannot_take_is_a_type_error(call: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        call()


def test_nothing_is_kept_that_nobody_uses() -> None:
    order, span = Order("o-1"), Span()
    message = market_pb2.MsgCreateOrder(order=market_pb2.Order(id="o-1", state="ORDER_STATE_OPEN"))
    paths = tuple(_of(path) for path in ("a.id", "a.kind", "a.broken", "b", "c"))
    steps = (("order", True, None), ("state", False, market_pb2.OrderState.DESCRIPTOR.values_by_number))

    def once() -> None:
        _native.set_arguments(paths, span, (order, "b"), {"c": order})
        _native.set_results(paths, span, order)
        _native.follow(steps, message)

    once()
    gc.collect()
    counted = [order, span, message, paths, steps, order.kind, *paths]
    before, blocks = [sys.getrefcount(one) for one in counted], sys.getallocatedblocks()
    for _ in range(MANY):
        once()
    assert [sys.getrefcount(one) for one in counted] == before
    assert sys.getallocatedblocks() - blocks < NOISE
