"""The encoder against the stock one: the same bytes for whatever spans the SDK can end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from tracing_lib.export.encoder import encode_request, encode_span
from tracing_lib.export.groups import ScopeGroups

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ended(SpanProcessor):
    """Keeps what was ended."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


texts = st.one_of(
    st.text(max_size=30), st.text(alphabet=st.characters(codec="utf-8"), min_size=60, max_size=200).map(lambda text: text * 4)
)
integers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-300, 300), st.sampled_from([2**63, -(2**63) - 1, 2**200]))
scalars = st.one_of(texts, st.booleans(), integers, st.floats(), st.binary(max_size=300), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
keys = st.text(min_size=1, max_size=10)
attributes = st.dictionaries(keys, values, max_size=6)
trace_states = st.dictionaries(
    st.text("abcdefghijklmnop0123456789", min_size=1, max_size=8).map(lambda key: f"k{key}"),
    st.text("abcXYZ019:;./", min_size=1, max_size=30),
    max_size=4,
).map(lambda entries: TraceState(list(entries.items())))
contexts = st.builds(
    SpanContext,
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    is_remote=st.booleans(),
    trace_flags=st.sampled_from([TraceFlags(1), TraceFlags(3)]),
    trace_state=trace_states,
)
times = st.one_of(st.integers(1, 2**63), st.just(0), st.integers(1_700_000_000_000_000_000, 1_800_000_000_000_000_000))
links = st.builds(Link, contexts, attributes)
events = st.tuples(texts, attributes, times)
statuses = st.one_of(
    st.just(Status(StatusCode.UNSET)),
    st.just(Status(StatusCode.OK)),
    st.builds(lambda message: Status(StatusCode.ERROR, message), st.one_of(st.none(), texts)),
)
limits = st.builds(
    SpanLimits,
    max_span_attributes=st.integers(0, 8),
    max_event_attributes=st.integers(0, 8),
    max_link_attributes=st.integers(0, 8),
    max_events=st.integers(0, 2),
    max_links=st.integers(0, 2),
    max_span_attribute_length=st.one_of(st.none(), st.integers(0, 50)),
)
scopes = st.tuples(st.text(min_size=1, max_size=10), st.one_of(st.none(), texts), st.one_of(st.none(), texts), attributes)
spans = st.tuples(
    texts,
    st.sampled_from(list(SpanKind)),
    attributes,
    st.lists(events, max_size=3),
    st.lists(links, max_size=3),
    statuses,
    st.one_of(st.none(), contexts),
    times,
    times,
)


def ours(ended: Sequence[ReadableSpan]) -> bytes:
    groups = ScopeGroups(None)
    return encode_request([groups.of(span) for span in ended], [encode_span(span) for span in ended])


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK and the stock encoder say much about values that they change or leave out."""
    caplog.set_level("CRITICAL")


@settings(max_examples=40)
@given(st.lists(st.tuples(scopes, spans), min_size=1, max_size=3), limits, attributes, st.one_of(st.none(), texts))
def test_the_bytes_are_those_of_the_stock_encoder(
    made: list[tuple[tuple[str, str | None, str | None, dict[str, object]], tuple[object, ...]]],
    limit: SpanLimits,
    resource: dict[str, object],
    schema_url: str | None,
) -> None:
    ended = Ended()
    provider = TracerProvider(resource=Resource(resource, schema_url), span_limits=limit, shutdown_on_exit=False)  # type: ignore[arg-type]
    provider.add_span_processor(ended)
    for (scope, version, url, scope_attributes), one in made:
        name, kind, given_attributes, given_events, given_links, status, parent, start, end = one
        tracer = provider.get_tracer(scope, version, url, scope_attributes)  # type: ignore[arg-type]
        context = set_span_in_context(NonRecordingSpan(parent)) if parent else None  # type: ignore[arg-type]
        span = tracer.start_span(name, context, kind, given_attributes, given_links, start)  # type: ignore[arg-type]
        for event in given_events:  # type: ignore[attr-defined]
            span.add_event(*event)
        span.set_status(status)  # type: ignore[arg-type]
        span.end(end)  # type: ignore[arg-type]
    found = ours(ended.spans)
    assert ExportTraceServiceRequest.FromString(found) is not None
    assert found == encode_spans(ended.spans).SerializePartialToString()


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_an_integer_that_otlp_cannot_hold_is_left_out(number: int) -> None:
    span = decoded(one_span(attributes={"long": number, "short": 1})).resource_spans[0].scope_spans[0].spans[0]
    assert [pair.key for pair in span.attributes] == ["short"]


def test_spans_of_several_resources_and_scopes_are_grouped_whatever_their_order() -> None:
    resources = [Resource({"n": number}, schema_url) for number, schema_url in enumerate(["", "https://example.org/1"])]
    scopes = [None, InstrumentationScope("a"), InstrumentationScope("a", "1", "https://example.org/2")]
    made = [
        one_span(name=str(number), resource=resources[number % 7 % 2], instrumentation_scope=scopes[number % 5 % 3]) for number in range(40)
    ]
    assert ours(made) == encode_spans(made).SerializePartialToString()
    assert ours([]) == b""


def one_span(**values: object) -> ReadableSpan:
    context = SpanContext(7, 9, is_remote=False, trace_flags=TraceFlags(1))
    return ReadableSpan(**{"name": "n", "context": context, "resource": Resource({}), "start_time": 1, "end_time": 2, **values})  # type: ignore[arg-type]


def decoded(span: ReadableSpan) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(ours([span]))


def test_a_lone_surrogate_costs_a_letter_and_not_the_batch() -> None:
    sent = decoded(one_span(name="a\ud800b", attributes={"k": "c\udc00"}))
    span = sent.resource_spans[0].scope_spans[0].spans[0]
    assert (span.name, span.attributes[0].value.string_value) == ("a?b", "c?")


def test_a_span_that_was_never_in_a_tracer_is_encoded_as_by_the_stock_encoder() -> None:
    bare = one_span(start_time=None, end_time=None, status=Status(StatusCode.OK))
    assert ours([bare]) == encode_spans([bare]).SerializePartialToString()
