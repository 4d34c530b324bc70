"""The short way to a span makes what the long one makes, and is left wherever more has to be looked at."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import propagate
from opentelemetry.baggage import set_baggage
from opentelemetry.context import Context, attach, get_current
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.tracing_lib.scripted import Collector
from tracing_lib import TracingSettings, configure
from tracing_lib.fast.home import HOME
from tracing_lib.fast.native import enter, serve
from tracing_lib.fast.plain import PlainAttributes
from tracing_lib.fast.span import RecordedSpan
from tracing_lib.instrument import entering
from tracing_lib.instrument.source import TracerSource
from tracing_lib.propagation.headers import OwnPropagator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracing_lib import Tracing

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
HEADERS = ((b"host", b"x"), (b"traceparent", f"00-{TRACE:032x}-{SPAN:016x}-01".encode()))
NOT_SAMPLED = ((b"traceparent", f"00-{TRACE:032x}-{SPAN:016x}-00".encode()),)
ATTRIBUTES = PlainAttributes({"a": 1})
KEY = "served"


@pytest.fixture
def tracing() -> Iterator[Tracing]:
    with Collector("http/protobuf") as collector:
        before = propagate.get_global_textmap()
        propagate.set_global_textmap(OwnPropagator(()))
        with configure(TracingSettings(service_name="portal", endpoint=collector.url), set_global=False) as tracing:
            yield tracing
        propagate.set_global_textmap(before)


@pytest.fixture
def source(tracing: Tracing) -> TracerSource:
    return TracerSource("tests", tracing.provider)


def alone(check: Callable[[], None]) -> None:
    """Run a check in a context of its own."""

    def run() -> None:
        attach(Context())
        check()

    contextvars.copy_context().run(run)


def test_a_child_is_made_current_counted_and_given_back_with_the_context_before(source: TracerSource, tracing: Tracing) -> None:
    def check() -> None:
        root: Any = source.get().start_span("root")  # type: ignore[union-attr]  # there is one
        attach(set_span_in_context(root, Context({"tenant": "blue"})))
        outside = get_current()
        found = enter(source, "child", SpanKind.CLIENT, ATTRIBUTES)
        assert found is not None
        child: Any = found[0]
        assert found[1] is outside
        assert isinstance(child, RecordedSpan)
        assert (child.name, child.kind, dict(child.attributes or {})) == ("child", SpanKind.CLIENT, {"a": 1})
        assert child.parent == root.get_span_context()
        assert child.context.trace_id == root.context.trace_id
        assert child.context.span_id != root.context.span_id
        assert get_current_span() is child
        assert type(get_current()) is Context
        assert dict(get_current()) == {**outside, HOME.span_key: child}
        assert tracing.accounts().started == 2

    alone(check)


def test_without_a_recorded_span_of_ours_the_long_way_is_taken(source: TracerSource) -> None:
    def check() -> None:
        assert enter(source, "s", SpanKind.CLIENT, None) is None
        attach(set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)))))
        assert enter(source, "s", SpanKind.CLIENT, None) is None
        attach(set_span_in_context(TracerProvider().get_tracer("t").start_span("foreign")))
        assert enter(source, "s", SpanKind.CLIENT, None) is None

    alone(check)


def test_a_tracer_of_another_provider_takes_the_long_way() -> None:
    source = TracerSource("tests", TracerProvider())

    def check() -> None:
        attach(set_span_in_context(source.get().start_span("root")))  # type: ignore[union-attr]  # there is one
        assert enter(source, "s", SpanKind.CLIENT, None) is None
        found = entering.enter(source, "s", SpanKind.CLIENT, None)
        assert found is not None
        assert get_current_span() is found[0]

    alone(check)


def test_a_processor_that_is_added_is_told_of_every_span(source: TracerSource, tracing: Tracing) -> None:
    told: list[str] = []

    class Listening(SpanProcessor):
        def on_start(self, span: Any, parent_context: Context | None = None) -> None:  # noqa: ARG002, ANN401  the interface's
            told.append(span.name)

    provider: Any = tracing.provider
    provider.add_span_processor(Listening())

    def check() -> None:
        attach(set_span_in_context(source.get().start_span("root")))  # type: ignore[union-attr]  # there is one
        assert enter(source, "s", SpanKind.CLIENT, None) is None
        assert serve(source, Context(), "s", ATTRIBUTES, HEADERS, None) is None

    alone(check)
    assert told == ["root"]


@pytest.mark.parametrize("key", [None, KEY])
def test_a_request_is_served_under_its_caller_and_not_made_current(source: TracerSource, key: str | None) -> None:
    def check() -> None:
        found = serve(source, Context({"tenant": "blue"}), "POST", ATTRIBUTES, HEADERS, key)
        assert found is not None
        span: Any = found[0]
        assert (span.context.trace_id, span.parent.span_id, span.parent.is_remote) == (TRACE, SPAN, True)
        assert (span.kind, dict(span.attributes)) == (SpanKind.SERVER, {"a": 1})
        expected = {"tenant": "blue", HOME.span_key: span}
        assert dict(found[1]) == (expected if key is None else {**expected, KEY: ("POST", span)})
        assert type(found[1]) is Context
        assert not get_current_span().get_span_context().is_valid

    alone(check)


def test_a_request_without_headers_begins_a_trace_with_the_marks_of_its_sampler(source: TracerSource) -> None:
    found = serve(source, Context(), "POST", ATTRIBUTES, [(b"host", b"x")], None)
    assert found is not None
    span: Any = found[0]
    assert span.parent is None
    assert dict(span.attributes) == {"a": 1, "sampler.type": "probabilistic", "sampler.param": 1.0}
    assert span.context.trace_state.get("ot") == "th:0"
    assert span.context.trace_flags == 3


def test_a_request_of_a_trace_that_is_not_sampled_is_not_recorded(source: TracerSource, tracing: Tracing) -> None:
    found = serve(source, Context(), "POST", ATTRIBUTES, NOT_SAMPLED, None)
    assert found is not None
    assert type(found[0]) is NonRecordingSpan
    assert found[0].get_span_context().trace_id == TRACE
    assert tracing.accounts().started == 0


def test_a_new_trace_that_is_not_sampled_is_not_recorded() -> None:
    settings = TracingSettings(service_name="portal", endpoint="http://127.0.0.1:9", head_ratio=0.0)
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(OwnPropagator(()))
    try:
        with configure(settings, set_global=False) as tracing:
            found = serve(TracerSource("tests", tracing.provider), Context(), "POST", ATTRIBUTES, (), None)
            assert found is not None
            assert type(found[0]) is NonRecordingSpan
            assert found[0].get_span_context().is_valid
            assert not found[0].get_span_context().trace_flags.sampled
            assert tracing.accounts().started == 0
    finally:
        propagate.set_global_textmap(before)


def test_baggage_a_span_that_serves_already_and_another_propagator_take_the_long_way(source: TracerSource) -> None:
    assert serve(source, Context(), "s", ATTRIBUTES, [*HEADERS, (b"baggage", b"a=b")], None) is None
    assert serve(source, Context({HOME.span_key: NonRecordingSpan(SpanContext(1, 2, is_remote=True))}), "s", ATTRIBUTES, (), None) is None
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    assert serve(source, set_baggage("a", "b", Context()), "s", ATTRIBUTES, HEADERS, None) is None
