"""A recorded span is what the SDK's is, whatever is done to it; it ends once, and what nobody reads is not made."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from tests.tracing_lib.instrument.recorder import own_provider
from tracing_lib.export.encoder import encode_span
from tracing_lib.fast.span import FastSpan
from tracing_lib.fast.tracer import FastTracer, FastTracerProvider
from tracing_lib.sampling.sampler import TargetSampler
from tracing_lib.sampling.strategies import ratio_strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

KEYS = st.sampled_from(["a", "b", "c", "d", "", 5])
VALUES = st.sampled_from(["x", "longer than four", 1, True, 1.5, 2**70, [1, 2], ("a",), ["a", 1], b"raw", None, {"k": [1]}, object])
CONTEXT = SpanContext(1, 2, is_remote=True)


def _operations() -> st.SearchStrategy[list[Callable[[Any], None]]]:
    mapping = st.dictionaries(KEYS, VALUES, max_size=5)
    one = st.one_of(
        st.builds(lambda key, value: lambda span: span.set_attribute(key, value), KEYS, VALUES),
        st.builds(lambda values: lambda span: span.set_attributes(values), mapping),
        st.builds(lambda values: lambda span: span.add_event("e", values, 7), mapping),
        st.builds(lambda values: lambda span: span.add_link(CONTEXT, values), mapping),
        st.just(lambda span: span.add_link(CONTEXT)),
        st.builds(lambda values: lambda span: span.set_attributes(attributes=values), mapping),
        st.builds(lambda name: lambda span: span.update_name(name), st.sampled_from(["one", "two"])),
        st.builds(lambda code: lambda span: span.set_status(code, "why"), st.sampled_from(list(StatusCode))),
        st.just(lambda span: span.set_status(Status(StatusCode.ERROR, "x"))),
        st.just(lambda span: span.record_exception(ValueError("no"), timestamp=3)),
        st.just(lambda span: span.end(9)),
    )
    return st.lists(one, max_size=12)


def shown(span: ReadableSpan) -> list[object]:
    return [
        span.name,
        list((span.attributes or {}).items()),
        [(event.name, event.timestamp, list((event.attributes or {}).items()), event.dropped_attributes) for event in span.events],
        [(link.context, list((link.attributes or {}).items()), link.dropped_attributes) for link in span.links],
        (span.status.status_code, span.status.description),
        (span.dropped_attributes, span.dropped_events, span.dropped_links),
        (span.start_time, span.end_time, span.resource, span.instrumentation_scope),
    ]


class _Ended(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


LIMITS = [
    SpanLimits(),
    SpanLimits(max_span_attributes=2, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1),
    SpanLimits(max_attributes=0, max_events=0, max_links=0),
    SpanLimits(max_attribute_length=4),
    SpanLimits(max_span_attributes=SpanLimits.UNSET),
]


@pytest.mark.parametrize("limits", LIMITS)
@settings(max_examples=80, deadline=None)
@given(first=st.dictionaries(st.sampled_from("abc"), VALUES, max_size=4), operations=_operations())
def test_whatever_is_done_to_a_span_it_is_the_sdks(
    limits: SpanLimits, first: dict[str, Any], operations: list[Callable[[Span], None]]
) -> None:
    provider = FastTracerProvider(sampler=TargetSampler(ratio_strategy(1.0)), span_limits=limits, shutdown_on_exit=False)
    ended = _Ended()
    provider.add_span_processor(ended)
    short = provider.get_tracer("t")
    assert isinstance(short, FastTracer)
    links = [Link(CONTEXT, {"l": 1, "m": 2})] if len(first) > 2 else []
    for tracer in (short, short.stock):
        span = tracer.start_span("s", None, attributes=first, links=links, start_time=5)
        for operation in operations:
            operation(span)
        span.end(9)
    ours, sdks = ended.spans
    assert type(ours) is FastSpan
    assert shown(ours) == shown(sdks)
    # Of two spans that are otherwise equal, the ids differ.
    assert len(encode_span(ours)) == len(encode_span(sdks))


def test_a_span_that_many_threads_end_is_ended_once() -> None:
    provider, ended = own_provider(), _Ended()
    provider.add_span_processor(ended)
    tracer = provider.get_tracer("t")
    spans = [tracer.start_span("s") for _ in range(200)]
    barrier = threading.Barrier(8)

    def end() -> None:
        barrier.wait()
        for span in spans:
            span.end()

    threads = [threading.Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended.spans) == len({id(span) for span in ended.spans}) == 200


def test_what_a_span_has_none_of_is_not_made_for_a_reader() -> None:
    span: Any = own_provider().get_tracer("t").start_span("s", attributes={"a": 1})
    assert (span.events, span.links, span.attributes["a"]) == ((), (), 1)
    assert (span.dropped_events, span.dropped_links) == (0, 0)
    span.end()
    encode_span(span)
    assert not {"_events", "_links", "_lock", "_status"} & set(span.__dict__)


def test_an_ended_span_can_be_copied_as_the_sdks_can() -> None:
    tracer: Any = own_provider().get_tracer("t")
    for maker in (tracer, tracer.stock):
        span = maker.start_span("s", attributes={"a": 1})
        span.add_event("e", timestamp=3)
        span.add_link(CONTEXT)
        span.end(9)
        assert shown(copy.copy(span)) == shown(span)
        assert type(copy.copy(span)) is type(span)
        assert copy.copy(span).get_span_context() == span.get_span_context()


def test_attributes_may_be_given_by_keyword_as_to_the_sdks_span() -> None:
    tracer: Any = own_provider().get_tracer("t")
    for maker in (tracer, tracer.stock):
        span = maker.start_span("s")
        span.set_attributes(attributes={"a": 1})
        span.set_attribute(key="b", value=2)
        span.set_attribute("c", value=[3])
        assert {key: span.attributes[key] for key in "abc"} == {"a": 1, "b": 2, "c": (3,)}
        with pytest.raises(TypeError):
            span.set_attributes(values={})
        with pytest.raises(TypeError):
            span.set_attribute("a", value=1, other=2)
