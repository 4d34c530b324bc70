"""The module in C is the one in Python: the same names with the same results, and nothing is kept that nobody uses."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, TraceFlags, TraceState

from stacks.environment.source import ROOT
from tracing_lib.fast import exchanges, native, pure, readings
from tracing_lib.fast.plain import PlainAttributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import ModuleType

try:
    from tracing_lib.fast import _native
except ImportError:
    pytest.skip("tracing_lib/fast/_native.c was not built: there is no C compiler, or there are no Python headers", allow_module_level=True)

Outcome = tuple[str, object]

TWINS: tuple[ModuleType, ModuleType] = (pure, _native)
EACH = pytest.mark.parametrize("twin", TWINS, ids=["python", "c"])
MANY = 10_000
NOISE = 500
"""What the interpreter may come to hold by itself meanwhile: far less than one object each time."""
ASK = "from tracing_lib.fast.native import NATIVE; print(NATIVE)"

EDGES = [1, 2**55, 2**56 - 1, 2**56, 2**63, 2**64 - 1]
SPAN_IDS = st.one_of(st.sampled_from(EDGES), st.integers(1, 2**64 - 1))
TRACE_IDS = st.one_of(st.sampled_from([*EDGES, 2**64, 2**127, 2**128 - 1]), st.integers(1, 2**128 - 1))
FLAGS = tuple(TraceFlags(flags) for flags in range(4))
NO_STATE, STATE = TraceState(), TraceState([("a", "b")])
KEYS = st.sampled_from(["a", "b", "c", "d", "", "é", 5, type("Text", (str,), {})("a")])
PLAIN_VALUES: st.SearchStrategy[Any] = st.sampled_from(["x", "é", "", 1, True, 1.5, 2**70])
VALUES = st.one_of(PLAIN_VALUES, st.sampled_from([[1, 2], ("a",), b"raw", None, object, type("Number", (int,), {})(3)]))
MARKS = st.dictionaries(st.sampled_from("abm"), PLAIN_VALUES, max_size=2)
MAPPINGS = st.one_of(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.dictionaries(st.sampled_from("abcd"), PLAIN_VALUES, max_size=4),
    st.dictionaries(st.sampled_from("abcd"), PLAIN_VALUES, max_size=4).map(PlainAttributes),
    st.dictionaries(st.sampled_from("abcd"), PLAIN_VALUES, min_size=1, max_size=4).map(MappingProxyType),
)
ROOMS = st.sampled_from([0, 1, 2, 3, sys.maxsize])
IDS: Any = (7, 8, False, FLAGS[3], STATE, True)


class _Bounded(dict[object, object]):
    """Stands for the SDK's mapping: attributes that are no longer plain."""


class _Processor(_native.StageCore):
    def __init__(self, quiet: int) -> None:
        self.quiet = quiet
        self.stage: Any = []
        self.told: list[str] = []

    def _on_ending(self, _span: object) -> None:
        self.told.append("ending")

    def on_end(self, _span: object) -> None:
        self.told.append("end")


class _Recording:
    def __init__(self, room: int = sys.maxsize, *, stages: bool = True, quiet: int = sys.maxsize) -> None:
        self.room, self.stages, self.processor = room, stages, _Processor(quiet)


class _Hooks:
    """What a span does where things are not plain, noted; as in ``RecordedSpan`` its attributes are then another mapping."""

    _attributes: Any

    def _note(self, *what: object) -> None:
        self.__dict__.setdefault("told", []).append(what)

    def _bound(self) -> None:
        if type(self._attributes) is dict:
            self._attributes = _Bounded(self._attributes)

    def _set_attribute(self, key: str, value: object) -> None:
        self._note("attribute", key, value)
        self._bound()

    def _set_attributes(self, attributes: Mapping[str, object]) -> None:
        self._note("attributes", type(attributes), list(attributes.items()))
        self._bound()

    def _ended_twice(self) -> None:
        self._note("twice")

    def _freeze(self) -> None:
        self._note("frozen")


CLASSES: dict[Any, Any] = {twin: type("_Recorded", (_Hooks, twin.SpanCore), {}) for twin in TWINS}
for _class, _core in ((CLASSES[twin], twin.SpanCore) for twin in TWINS):
    # The hooks are found first and the methods are the core's, in whatever order the bases stand.
    assert _class.end is _core.end


def outcome(call: Callable[[], object]) -> Outcome:
    try:
        return "gave", call()
    except Exception as error:  # noqa: BLE001  which one it is, is the result
        return "raised", type(error)


def same(*outcomes: object) -> bool:
    """Whether values are equal and of equal types: 1, 1.0 and True are three."""
    first, second = (repr(found) for found in outcomes)
    return first == second


def started(twin: ModuleType, recording: object, attributes: object = None) -> Any:  # noqa: ANN401  of either module
    return twin.record(CLASSES[twin], recording, "s", IDS, None, SpanKind.INTERNAL, attributes, {})


def shown(span: Any) -> list[object]:  # noqa: ANN401  of either module
    processor = span._recording.processor
    return [
        (span._name, span.ids, span._above, span._kind, span._end_time, span.is_recording()),
        (type(span._attributes), list(span._attributes.items())),
        (span.__dict__.get("told"), processor.told, len(processor.stage)),
    ]


def bits_of(values: Iterable[int]) -> Callable[[int], int]:
    """Return what gives these instead of random bits, cut to the bits that are asked for."""
    left: Iterator[int] = iter(values)
    return lambda count: next(left) & ((1 << count) - 1)


def test_both_modules_have_every_name_that_is_chosen_among_them() -> None:
    names = set(native.__all__) - {"NATIVE"}
    assert all(any(callable(getattr(twin, name, None)) for twin in (pure, readings, exchanges)) for name in names)
    found = {name for name in vars(_native) if not name.startswith("__")}
    assert found == names


@given(trace_id=TRACE_IDS, span_id=SPAN_IDS, flags=st.integers(0, 255))
def test_a_traceparent_is_the_same(trace_id: int, span_id: int, flags: int) -> None:
    ids = (trace_id, span_id, False, TraceFlags(flags), NO_STATE, True)
    assert pure.traceparent(ids) == _native.traceparent(ids) == f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"


@pytest.mark.parametrize(("trace_id", "span_id"), [(2**128, 1), (-1, 1), (1, 2**64), (1, -1)])
@EACH
def test_what_is_too_large_for_an_id_has_neither_traceparent_nor_token(twin: ModuleType, trace_id: int, span_id: int) -> None:
    with pytest.raises(OverflowError):
        twin.traceparent((trace_id, span_id, False, FLAGS[1], NO_STATE, True))
    with pytest.raises(OverflowError):
        twin.token(trace_id, span_id, True, 0)  # noqa: FBT003  by position, as it is called


@given(trace_id=TRACE_IDS, span_id=SPAN_IDS, sampled=st.booleans(), hundredths=st.integers(0, 2**40 - 1))
def test_a_token_is_the_same(trace_id: int, span_id: int, sampled: bool, hundredths: int) -> None:  # noqa: FBT001  hypothesis'
    assert pure.token(trace_id, span_id, sampled, hundredths) == _native.token(trace_id, span_id, sampled, hundredths)


@given(before=st.dictionaries(st.sampled_from("abcd"), st.integers()), key=st.sampled_from("abe"), value=st.integers())
def test_a_derived_context_has_one_entry_more_and_the_other_is_as_it_was(before: dict[str, object], key: str, value: int) -> None:
    context = Context(before)
    found = [twin.derived(Context, key, value, context) for twin in TWINS]
    assert [list(one.items()) for one in found] == [list({**before, key: value}.items())] * 2
    assert [type(one) for one in found] == [Context] * 2
    assert dict(context) == before


def _parents() -> st.SearchStrategy[str]:
    good = st.builds(
        lambda trace_id, span_id, flags: f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}",
        st.one_of(st.just(0), TRACE_IDS),
        st.one_of(st.just(0), SPAN_IDS),
        st.integers(0, 5),
    )
    broken = st.builds(
        lambda text, at, put: text[:at] + put + text[at + 1 :],
        good,
        st.integers(0, 55),
        st.sampled_from(["A", "g", "-", "_", "", " ", "é"]),
    )
    return st.one_of(good, good, broken, st.sampled_from(["", "00", "\n"]), good.map(lambda text: text + "\n"))


def _headers() -> st.SearchStrategy[list[tuple[Any, Any]]]:
    one = st.one_of(
        st.tuples(st.just("traceparent"), _parents()),
        st.tuples(st.just("tracestate"), st.sampled_from(["a=b", "known=1", "c=d", "", "é"])),
        st.tuples(st.sampled_from(["baggage", "host", "traceparent2", "trace"]), st.sampled_from(["", "a=b"])),
    )
    # Mostly what a client sends: not more than one of a kind.
    pairs = st.one_of(st.lists(one, max_size=4, unique_by=lambda pair: pair[0]), st.lists(one, max_size=4))
    as_bytes = pairs.map(lambda found: [(name.encode(), value.encode()) for name, value in found])
    return st.one_of(pairs, as_bytes)


STATES: dict[str | bytes, TraceState] = {"a=b": STATE, b"a=b": STATE, "known=1": TraceState([("known", "1")])}


@settings(max_examples=500)
@given(headers=_headers())
def test_headers_have_the_same_caller(headers: list[tuple[Any, Any]]) -> None:
    found = [twin.caller(STATES, FLAGS, NO_STATE, given) for twin in TWINS for given in (headers, tuple(headers), iter(headers))]
    assert len({repr(one) for one in found}) == 1
    if isinstance(found[0], tuple):
        assert all(one[3] is found[0][3] and one[4] is found[0][4] for one in found)


def test_of_plain_headers_the_caller_is_found() -> None:
    parent = f"00-{10:032x}-{11:016x}-03"
    for twin in TWINS:
        for headers in (
            [("traceparent", parent), ("tracestate", "a=b")],
            [(b"host", b"h"), (b"tracestate", b"a=b"), (b"traceparent", parent.encode())],
        ):
            assert twin.caller(STATES, FLAGS, NO_STATE, headers) == (10, 11, True, 3, STATE, True)
        assert twin.caller(STATES, FLAGS, NO_STATE, {"traceparent": parent}.items()) == (10, 11, True, 3, NO_STATE, True)
        assert twin.caller(STATES, FLAGS, NO_STATE, []) is None
        assert twin.caller(STATES, FLAGS, NO_STATE, [("traceparent", parent), ("traceparent", parent)]) is False
        assert twin.caller(STATES, FLAGS, NO_STATE, [("traceparent", [parent])]) is False


@EACH
def test_a_source_asks_again_only_where_the_provider_is_another(twin: ModuleType) -> None:
    class Source(twin.SourceCore):  # type: ignore[name-defined, misc]  # of either module
        __slots__ = ("asked",)

        def _look_up(self) -> str:
            self.asked += 1
            return "looked up"

    provider = object()
    source: Any = Source()
    source.asked, source._fixed, source._provider, source._tracer = 0, False, provider, "tracer"
    source._globals, source._key = {"at": provider}, "at"
    assert (source.get(), source.asked) == ("tracer", 0)
    source._globals["at"] = object()
    assert (source.get(), source.asked) == ("looked up", 1)
    del source._globals["at"]
    assert (source.get(), source.asked) == ("looked up", 2)
    source._fixed, source._tracer = True, None
    assert (source.get(), source.asked) == (None, 2)


@pytest.mark.parametrize("slot", ["_globals", "_key", "_provider", "_tracer"])
@EACH
def test_a_source_that_only_itself_refers_to_is_collected(twin: ModuleType, slot: str) -> None:
    class Source(twin.SourceCore):  # type: ignore[name-defined, misc]  # of either module
        __slots__ = ("__weakref__",)

    source: Any = Source()
    setattr(source, slot, [source])
    gone = weakref.ref(source)
    del source
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(("variable", "found"), [("", "True"), ("1", "False")])
def test_the_module_in_c_is_used_where_it_was_built_unless_the_variable_says_otherwise(variable: str, found: str) -> None:
    environ = {**os.environ, "VIRTENGINE_TRACING_PURE": variable}
    answer = subprocess.run([sys.executable, "-c", ASK], env=environ, cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == found


def test_spans_headers_functions_and_delivery_are_right_with_the_module_in_python() -> None:
    tests = [
        f"tests/tracing_lib/{name}.py"
        for name in (
            "fast/test_spans",
            "propagation/test_trace_headers",
            "export/test_staging",
            "fast/test_entering",
            "instrument/test_functions",
        )
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environ = {**os.environ, "VIRTENGINE_TRACING_PURE": "1"}
    answer = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout
