"""The shorter way to a child span gives the span that the SDK's own way gives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, Tracer
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState, get_current_span

from tracing_lib.fast.tracer import FastTracer, FastTracerProvider
from tracing_lib.sampling.sampler import TargetSampler
from tracing_lib.sampling.strategies import ratio_strategy

if TYPE_CHECKING:
    from collections.abc import Callable


class Ended(SpanProcessor):
    """Keeps what was started and ended."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.contexts: list[object] = []

    def on_start(self, span: object, parent_context: object = None) -> None:  # noqa: ARG002  the interface's
        self.contexts.append(parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


@pytest.fixture
def ended() -> Ended:
    return Ended()


@pytest.fixture
def both(ended: Ended) -> tuple[FastTracer, Tracer]:
    provider = FastTracerProvider(
        sampler=TargetSampler(ratio_strategy(1.0)), span_limits=SpanLimits(max_span_attributes=3, max_links=1), shutdown_on_exit=False
    )
    provider.add_span_processor(ended)
    short = provider.get_tracer("virtengine.market", "1.0", "https://schema", {"scope": 1})
    assert isinstance(short, FastTracer)
    return short, short.stock


PARENT = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(3), trace_state=TraceState([("ot", "th:8"), ("v", "x")]))


def shown(span: ReadableSpan) -> dict[str, Any]:
    """Everything of a span but what differs from span to span."""
    assert span.context is not None
    return {
        "name": span.name,
        "kind": span.kind,
        "trace": (span.context.trace_id, span.context.trace_flags, span.context.trace_state, span.context.is_remote),
        "parent": span.parent,
        "attributes": dict(span.attributes or {}),
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
        "links": [(link.context, dict(link.attributes or {})) for link in span.links],
        "events": [(event.name, sorted(event.attributes or {})) for event in span.events],
        "status": (span.status.status_code, span.status.description),
        "scope": span.instrumentation_scope,
        "resource": span.resource,
        "start": span.start_time,
    }


ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"kind": SpanKind.CLIENT, "attributes": {"a": 1, "b": [1, 2], "c": "x", "d": True}},
    {"links": [Link(SpanContext(1, 2, is_remote=True), {"l": 1}), Link(SpanContext(3, 4, is_remote=False))], "start_time": 17},
    {"links": None, "attributes": None, "record_exception": False, "set_status_on_exception": False},
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize("fails", [None, ValueError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("root", [False, True])
def test_a_span_is_the_same_by_either_way(
    both: tuple[FastTracer, Tracer], ended: Ended, arguments: dict[str, Any], fails: BaseException | None, *, root: bool
) -> None:
    context = baggage.set_baggage("k", "v")
    if not root:
        context = trace.set_span_in_context(trace.NonRecordingSpan(PARENT), context)

    def run(tracer: trace.Tracer) -> None:
        with tracer.start_as_current_span("name", context, **{"start_time": 5, **arguments}) as span:
            assert get_current_span() is span
            if fails:
                raise fails

    for tracer in both:
        if fails:
            with pytest.raises(type(fails)):
                run(tracer)
        else:
            run(tracer)
        assert not get_current_span().get_span_context().is_valid
    short, stock = (shown(span) for span in ended.spans)
    if root:
        del short["trace"], stock["trace"]
    assert short == stock
    assert ended.contexts == [context, context]


def test_a_span_that_is_not_to_be_ended_is_not(both: tuple[FastTracer, Tracer], ended: Ended) -> None:
    for tracer in both:
        with tracer.start_as_current_span("name", end_on_exit=False) as span:
            pass
        assert span.is_recording()
        span.end()
    assert len(ended.spans) == 2


def decorated_function(tracer: trace.Tracer) -> Callable[[int], int]:
    @tracer.start_as_current_span("decorated")
    def function(number: int) -> int:
        return number + 1

    return function


def test_functions_and_coroutines_are_decorated_as_by_the_sdk(both: tuple[FastTracer, Tracer], ended: Ended) -> None:
    for tracer in both:
        ended.spans.clear()
        function = decorated_function(tracer)

        @tracer.start_as_current_span("coroutine")
        async def coroutine() -> bool:
            await asyncio.sleep(0.01)
            return get_current_span().is_recording()

        assert [function(1), function(2)] == [2, 3]
        assert asyncio.run(coroutine())
        assert [span.name for span in ended.spans] == ["decorated", "decorated", "coroutine"]
        last = ended.spans[-1]
        assert last.end_time is not None
        assert last.start_time is not None
        assert last.end_time - last.start_time >= 9_000_000


def test_the_sdks_tracer_stays_where_it_counts_its_own_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    provider = FastTracerProvider(sampler=TargetSampler(ratio_strategy(1.0)), shutdown_on_exit=False)
    assert type(provider.get_tracer("t")) is Tracer


def test_a_tracer_is_the_sdks_and_one_for_each_scope() -> None:
    provider = FastTracerProvider(TargetSampler(ratio_strategy(1.0)), Resource({"service.name": "portal"}), shutdown_on_exit=False)
    tracer = provider.get_tracer("virtengine.market", "1.0")
    assert isinstance(tracer, Tracer)
    assert tracer is provider.get_tracer("virtengine.market", "1.0")
    assert tracer is not provider.get_tracer("virtengine.market", "1.1")
    fast: Any = tracer
    held = (fast.sampler, fast.resource, fast.id_generator, fast.instrumentation_info)
    assert held == (provider.sampler, provider.resource, provider.id_generator, fast.stock.instrumentation_info)
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = fast.colour
