"""The shorter way with headers reads and writes what OpenTelemetry's propagators do."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.tracing_lib.instrument.recorder import own_propagator, own_provider
from tracing_lib import Attribute, declare
from tracing_lib.base.hosts import OWN_HOSTS
from tracing_lib.instrument.source import TracerSource
from tracing_lib.propagation import outbound_to
from tracing_lib.propagation.baggage import OwnPropagator
from tracing_lib.propagation.headers import start_server_span

PROPAGATOR = OwnPropagator(OWN_HOSTS)
STOCK = TraceContextTextMapPropagator()
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENTS = st.one_of(
    st.builds(
        lambda *parts: "-".join(parts),
        st.sampled_from(["00", "01", "ff", "0"]),
        st.sampled_from([TRACE, "0" * 32, TRACE.upper(), "_" + TRACE[1:], TRACE[1:]]),
        st.sampled_from([SPAN, "0" * 16, "+" + SPAN[1:]]),
        st.sampled_from(["00", "01", "02", "03", "ff", "1", "01-more"]),
    ),
    st.just(f" 00-{TRACE}-{SPAN}-01 "),
    st.text(max_size=60),
)
STATES = st.sampled_from([None, "ot=th:0", "ot=th:8;rv:1,ve=x", "", "bad state", "a=1," * 40])


@given(parent=st.one_of(st.none(), PARENTS), state=STATES)
def test_headers_are_read_as_by_the_stock_propagator_the_first_time_and_again(parent: str | None, state: str | None) -> None:
    headers = {key: value for key, value in (("traceparent", parent), ("tracestate", state)) if value is not None}
    stock = trace.get_current_span(STOCK.extract(headers, Context())).get_span_context()
    flags = TraceFlags(stock.trace_flags & 3)  # the others are not defined, and zero here
    wanted = SpanContext(stock.trace_id, stock.span_id, stock.is_remote, flags, stock.trace_state)
    keys = [entry.partition("=")[0].strip() for entry in (state or "").split(",")]
    assume(len(keys) == len(set(keys)))  # of others the propagator reads nothing
    for _ in range(2):
        found = trace.get_current_span(PROPAGATOR.extract(headers, Context())).get_span_context()
        assert found == wanted
        assert found.trace_state == wanted.trace_state


@pytest.mark.parametrize("state", [None, TraceState([("ot", "th:8"), ("ve", "x")])])
@pytest.mark.parametrize("ids", [(5, 6), (2**128 - 1, 2**64 - 1)])
def test_headers_are_written_as_by_the_stock_propagator(ids: tuple[int, int], state: TraceState | None) -> None:
    span = NonRecordingSpan(SpanContext(*ids, is_remote=False, trace_flags=TraceFlags(3), trace_state=state))
    context = trace.set_span_in_context(span, Context())
    ours: dict[str, Any] = {}
    stock: dict[str, Any] = {}
    PROPAGATOR.inject(ours, context)
    STOCK.inject(stock, context)
    assert ours == stock
    nothing: dict[str, Any] = {}
    PROPAGATOR.inject(nothing, Context())
    assert nothing == {}


def test_baggage_goes_the_long_way_and_arrives() -> None:
    declare(Attribute("virtengine.tests.tenant", "A tenant of a test.", baggage=True))
    context = baggage.set_baggage("virtengine.tests.tenant", "t-1", Context())
    headers: dict[str, Any] = {}
    with outbound_to("chain.virtengine.svc"):
        from opentelemetry.context import attach, detach, get_current

        token = attach(baggage.set_baggage("virtengine.tests.tenant", "t-1", get_current()))
        PROPAGATOR.inject(headers)
        detach(token)
    assert headers == {"baggage": "virtengine.tests.tenant=t-1"}
    assert baggage.get_all(PROPAGATOR.extract(headers, Context())) == baggage.get_all(context)


def test_a_trace_state_that_came_in_two_headers_is_read_as_by_the_stock_propagator() -> None:
    headers: dict[str, Any] = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": ["a=1", "b=2"]}
    stock = STOCK.extract(headers, Context())
    found = PROPAGATOR.extract(headers, Context())
    assert trace.get_current_span(found).get_span_context() == trace.get_current_span(stock).get_span_context()
    assert trace.get_current_span(found).get_span_context().trace_state.get("b") == "2"


@pytest.mark.parametrize(("sent", "known"), [("ff", 3), ("fd", 1), ("08", 0), ("01", 1)])
def test_flags_that_are_not_known_are_zero(sent: str, known: int) -> None:
    found = trace.get_current_span(PROPAGATOR.extract({"traceparent": f"00-{TRACE}-{SPAN}-{sent}"}, Context()))
    assert found.get_span_context().trace_flags == known


def test_of_a_key_that_comes_twice_the_first_entry_holds() -> None:
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=1,b=2, a=3"}
    found = trace.get_current_span(PROPAGATOR.extract(headers, Context())).get_span_context()
    assert list(found.trace_state.items()) == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(("entries", "kept"), [(64, 64), (65, 64), (200, 64)])
def test_of_baggage_over_its_limits_as_much_is_kept_as_fits(entries: int, kept: int) -> None:
    for number in range(entries):
        declare(Attribute(f"virtengine.tests.limit{number}", "Of a test.", baggage=True))
    members = [f"virtengine.tests.limit{number}=v-{number}" for number in range(entries)]
    found = baggage.get_all(PROPAGATOR.extract({"baggage": ",".join(members)}, Context()))
    assert len(found) == kept
    assert found["virtengine.tests.limit0"] == "v-0"


def test_of_baggage_that_is_too_long_the_entries_that_fit_are_kept() -> None:
    keys = [f"virtengine.tests.key.that.is.long.enough.for.a.limit{number}" for number in range(64)]
    declare(*(Attribute(key, "Of a test.", baggage=True) for key in keys))
    members = [f"{key}=v-{'7' * 80}" for key in keys]
    found = baggage.get_all(PROPAGATOR.extract({"baggage": ",".join(members)}, Context()))
    sizes = [len(member) + 1 for member in members]
    assert len(found) == sum(sum(sizes[: at + 1]) <= 8192 for at in range(64))
    assert 0 < len(found) < 64


def test_a_request_with_two_trace_parents_starts_a_trace_of_its_own() -> None:
    headers: dict[str, Any] = {"traceparent": [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE[:-1]}7-{SPAN}-01"], "tracestate": "a=1"}
    assert PROPAGATOR.extract(headers, Context()) == {}
    pairs = [(b"traceparent", parent.encode()) for parent in headers["traceparent"]]
    provider = own_provider()
    with own_propagator():
        for start in (partial(start_server_span, provider.get_tracer("t")), TracerSource("t", provider).start_server_span):
            begun = start("GET", pairs, {})
            assert begun is not None
            assert begun[0].get_span_context().trace_id >> 4 != int(TRACE, 16) >> 4
