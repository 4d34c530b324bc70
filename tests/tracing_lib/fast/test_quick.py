"""The three methods of ``QuickTracer`` give what the public way gives, whatever the headers, the context and the processors are."""

from __future__ import annotations

import contextvars
import functools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import baggage, propagate
from opentelemetry.context import Context, attach, get_current
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.tracing_lib.instrument.recorder import Recorder, own_propagator, own_provider
from tracing_lib.fast import tracer as tracers
from tracing_lib.fast.span import FastSpan
from tracing_lib.fast.tracer import FastTracer
from tracing_lib.instrument.source import QuickTracer, TracerSource
from tracing_lib.propagation import headers
from tracing_lib.propagation.current import start_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Token

    from opentelemetry.trace import Span

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENTS = st.one_of(
    st.builds(
        lambda *parts: "-".join(parts),
        st.sampled_from(["00", "00", "00", "01", "ff", "0"]),
        st.sampled_from([TRACE, TRACE, "0" * 32, TRACE.upper(), "_" + TRACE[1:], TRACE[1:]]),
        st.sampled_from([SPAN, SPAN, "0" * 16, "+" + SPAN[1:]]),
        st.sampled_from(["00", "01", "02", "03", "ff", "1", "01-more"]),
    ),
    st.just(f" 00-{TRACE}-{SPAN}-01 "),
    st.text(st.characters(codec="latin-1"), max_size=60),
)
STATES = st.sampled_from(["ot=th:0", "ot=th:8;rv:1,ve=x", "", "bad state", "a=1," * 40, "é=1"])
PAIRS = st.lists(
    st.one_of(
        st.tuples(st.just("traceparent"), PARENTS),
        st.tuples(st.just("tracestate"), STATES),
        st.sampled_from([("host", "x"), ("baggage", "virtengine.order.id=order-1"), ("binary-bin", b"\x00")]),
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorder]:
    with own_propagator(), Recorder(provider=own_provider()) as kept:
        yield kept


def fast(recorded: Recorder) -> FastTracer:
    found = recorded.provider.get_tracer("t")
    assert isinstance(found, FastTracer)
    return found


def alone(check: Callable[[], Any]) -> Any:  # noqa: ANN401  of the check
    """Run a check in an execution context of its own, and return its result."""

    def run() -> Any:  # noqa: ANN401
        attach(Context())
        return check()

    return contextvars.copy_context().run(run)


def shown(span: Span, context: Context, *, root: bool) -> dict[str, Any]:
    """Everything that the two ways must have in common: of a root, ids are random."""
    ids = span.get_span_context()
    recorded: Any = span if span.is_recording() else None
    own = {get_current_span(set_span_in_context(span)): "span"}
    return {
        "trace": None if root else (ids.trace_id, ids.trace_state),
        "flags": (ids.trace_flags, ids.is_remote),
        "recorded": recorded and (recorded.name, recorded.kind, dict(recorded.attributes), recorded.parent),
        "context": {
            key.partition("-")[0]: own.get(value, value) if isinstance(value, FastSpan) else type(value) for key, value in context.items()
        },
    }


@settings(max_examples=400, deadline=None)
@given(pairs=PAIRS, raw=st.booleans(), ambient=st.sampled_from(["", "baggage", "foreign", "own"]))
def test_a_request_is_served_as_by_the_public_way(
    recorded: Recorder,
    *,
    pairs: list[tuple[str, Any]],
    raw: bool,
    ambient: str,
) -> None:
    tracer = fast(recorded)
    given_pairs: Any = pairs
    server = tracer.start_span("server", kind=SpanKind.SERVER)
    if raw:
        given_pairs = [(name.encode(), value if isinstance(value, bytes) else value.encode("latin-1")) for name, value in pairs]

    def served(start: Callable[..., tuple[Span, Context]]) -> dict[str, Any]:
        def check() -> dict[str, Any]:
            match ambient:
                case "baggage":
                    attach(baggage.set_baggage("virtengine.order.id", "order-2"))
                case "foreign":
                    attach(set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)))))
                case "own":
                    attach(set_span_in_context(server))
            span, active = start("GET", given_pairs, {"a": 1})
            assert get_current_span(active) is span
            return shown(span, active, root=getattr(span, "parent", None) is None)

        found: dict[str, Any] = alone(check)
        return found

    wanted = served(lambda *arguments: headers.start_server_span(tracer, *arguments))
    for _ in range(2):  # the first time a trace state is not known yet
        assert served(tracer.start_server_span) == wanted


@settings(max_examples=200, deadline=None)
@given(
    current=st.sampled_from(["none", "own", "foreign", "not recorded", "not sampled", "invalid"]),
    attributes=st.sampled_from([None, {}, {"a": 1}, {"a": [1, 2], "b": None}]),
    kind=st.sampled_from(SpanKind),
)
def test_a_child_starts_as_by_the_public_way(recorded: Recorder, current: str, attributes: Any, kind: SpanKind) -> None:  # noqa: ANN401
    tracer = fast(recorded)
    stands_for = {
        "not recorded": SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)),
        "not sampled": SpanContext(1, 2, is_remote=True),
    }
    parent: Span | None = None
    if current == "own":
        parent = tracer.start_span("parent")
    elif current == "foreign":
        parent = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("parent")
    elif current != "none":
        parent = NonRecordingSpan(stands_for.get(current, SpanContext(0, 0, is_remote=False)))

    def started(start: Callable[..., tuple[Span, Token[Context]]]) -> dict[str, Any]:
        def check() -> dict[str, Any]:
            outside = Context({"tenant": "blue"}) if parent is None else set_span_in_context(parent, Context({"tenant": "blue"}))
            attach(outside)
            span, token = start("child", kind, attributes)
            assert token.old_value is outside
            assert get_current_span() is span
            assert type(get_current()) is Context
            return shown(span, get_current(), root=parent is None or current == "invalid")

        found: dict[str, Any] = alone(check)
        return found

    assert started(tracer.start_child) == started(lambda *arguments: start_child(tracer, *arguments))


@settings(max_examples=200, deadline=None)
@given(
    state=st.sampled_from([None, TraceState(), TraceState([("ot", "th:8"), ("ve", "x")])]),
    ids=st.tuples(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)),
    flags=st.integers(0, 3),
    child=st.booleans(),
    luggage=st.booleans(),
    to=st.sampled_from([None, "http://localhost:1", "https://example.org"]),
)
def test_headers_are_written_as_by_the_public_way(
    recorded: Recorder,
    *,
    state: TraceState | None,
    ids: tuple[int, int],
    flags: int,
    child: bool,
    luggage: bool,
    to: str | None,
) -> None:
    tracer = fast(recorded)

    def check() -> None:
        above = NonRecordingSpan(SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(flags), trace_state=state))
        attach(set_span_in_context(above))
        if child:
            attach(set_span_in_context(tracer.start_span("child")))
        if luggage:
            attach(baggage.set_baggage("virtengine.order.id", "order-1"))
        wanted: dict[str, str] = {"kept": "x"}
        headers.inject(wanted, to)
        for _ in range(2):
            found = {"kept": "x"}
            tracer.inject(found, to)
            assert found == wanted

    alone(check)


def test_nothing_is_written_outside_of_a_span(recorded: Recorder) -> None:
    found: dict[str, str] = {}
    alone(lambda: fast(recorded).inject(found, None))
    assert found == {}


def test_another_propagator_reads_and_writes_the_headers(recorded: Recorder) -> None:
    tracer, before = fast(recorded), propagate.get_global_textmap()
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    try:

        def check() -> tuple[str, dict[str, str]]:
            span, active = tracer.start_server_span("GET", [("traceparent", f"01-{TRACE}-{SPAN}-01-more")], {})
            attach(active)
            found: dict[str, str] = {}
            tracer.inject(found, None)
            return f"{span.get_span_context().trace_id:032x}", found

        trace_id, found = alone(check)
    finally:
        propagate.set_global_textmap(before)
    assert trace_id == TRACE
    assert list(found) == ["traceparent"]


def test_a_processor_that_is_added_is_told_of_every_span() -> None:
    told: list[tuple[str, str]] = []

    class Listening(SpanProcessor):
        def on_start(self, span: Any, parent_context: Context | None = None) -> None:  # noqa: ARG002, ANN401  the interface's
            told.append(("start", span.name))

        def on_end(self, span: Any) -> None:  # noqa: ANN401  the interface's
            told.append(("end", span.name))

    with own_propagator(), Recorder(provider=own_provider()) as kept:
        tracer = fast(kept)
        kept.provider.add_span_processor(Listening())

        def check() -> None:
            root, active = tracer.start_server_span("root", (), {})
            attach(active)
            child, token = tracer.start_child("child", SpanKind.CLIENT, None)
            tracer.leave(token)
            child.end()
            root.end()

        alone(check)
        assert kept.names == ["child", "root"]
    assert told == [("start", "root"), ("start", "child"), ("end", "child"), ("end", "root")]


def test_trace_states_that_are_kept_are_bounded(recorded: Recorder) -> None:
    tracer = fast(recorded)
    for number in range(tracers._MOST_STATES + 50):
        alone(functools.partial(tracer.start_server_span, "GET", [("tracestate", f"a={number}")], {}))
    assert len(tracers._states) <= 2 * tracers._MOST_STATES


def test_a_source_holds_the_methods_of_a_quick_tracer_and_else_the_public_way(recorded: Recorder) -> None:
    quick, public = TracerSource("t", recorded.provider), TracerSource("t", TracerProvider(shutdown_on_exit=False))
    assert isinstance(quick.tracer(), QuickTracer)
    assert not isinstance(public.tracer(), QuickTracer)
    for source in (quick, public):
        tracer: Any = source.tracer()
        held = getattr(source.start_child, "__self__", None)
        assert held is (tracer if source is quick else None)
