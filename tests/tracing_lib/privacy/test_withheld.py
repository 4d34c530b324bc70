"""An attribute that stays in the process is counted, told once with the line that lets it leave, and can fail a test."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import Link, SpanContext, TraceFlags

import tracing_lib
from tests.tracing_lib.samples_of_spans import Source
from tracing_lib.base.errors import PrivacyError
from tracing_lib.privacy import registry as registries
from tracing_lib.privacy.attribute import Attribute, Privacy, Shape
from tracing_lib.privacy.policy import PrivacyPolicy
from tracing_lib.privacy.registry import Registry, library_registry
from tracing_lib.provider import configure, recorder
from tracing_lib.testing.kit import RecordedTraces

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.tracing_lib.receivers import Received

ORDERS = {"order.id": "order-7", "user.id": "jane-7", "count": 3, "virtengine.order.id": "abort", "virtengine.bid.id": "bid-1"}


def policy() -> PrivacyPolicy:
    return PrivacyPolicy(Registry(library_registry()))


def sent(wall: PrivacyPolicy, attributes: Mapping[str, object], more: str = "") -> Span:
    """Return a span as the collector reads it."""
    encoder = recorder()[1](wall)
    group, encoded = encoder.encode(Source().span("s", attributes=dict(attributes), more=more))
    request = ExportTraceServiceRequest.FromString(encoder.request([group], [encoded]))
    return request.resource_spans[0].scope_spans[0].spans[0]


@pytest.mark.parametrize("more", ["", "plain link", "event", "failed", "unbound"])
def test_a_span_counts_the_attributes_that_do_not_leave(more: str) -> None:
    wall = policy()
    span = sent(wall, ORDERS, more)
    before = sent(policy(), {}, more).dropped_attributes_count
    own = [pair.key for pair in span.attributes if not pair.key.startswith("sampler.")]
    assert (span.dropped_attributes_count - before, own) == (4, ["virtengine.bid.id"])
    expected = {"order.id": 1, "user.id": 1, "count": 1, "virtengine.order.id": 1}
    assert {key: count for key, count in wall.withheld.counts().items() if key in ORDERS} == expected
    assert sent(wall, {"virtengine.bid.id": "bid-1"}, more).dropped_attributes_count == before


@pytest.mark.parametrize("fast", ["on", "off"])
def test_what_the_limits_of_the_sdk_dropped_is_counted_too(fast: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTENGINE_TRACING_FAST", fast)
    source, wall = Source(SpanLimits(max_span_attributes=4, max_events=1, max_links=1)), policy()
    attributes: Any = {**ORDERS, "virtengine.lease.id": "lease-1"}
    span: Any = source.tracer.start_span("s", attributes=attributes)
    for number in (1, 2, 3):
        span.add_event("e")
        span.add_link(SpanContext(number, 2, is_remote=True), {"virtengine.link.role": "sender"})
    span.end()
    group, encoded = recorder()[1](wall).encode(span)
    request = ExportTraceServiceRequest.FromString(recorder()[1](wall).request([group], [encoded]))
    left = request.resource_spans[0].scope_spans[0].spans[0]
    assert left.dropped_attributes_count == span.dropped_attributes + len(span.attributes) - len(left.attributes)
    assert span.dropped_attributes > 0
    assert (left.dropped_events_count, left.dropped_links_count) == (2, 2)


def test_a_span_of_the_kit_tells_how_many_attributes_do_not_leave() -> None:
    for private, dropped in ((True, 4), (False, 0)):
        traces = RecordedTraces(private=private)
        traces.provider.get_tracer("t").start_span("s", attributes=dict[str, Any](ORDERS)).end()
        assert traces.span("s").dropped_attributes == dropped


def test_events_and_links_count_theirs_and_the_text_of_an_exception_is_replaced() -> None:
    traces = RecordedTraces()
    link = Link(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)), {"customer": "Jane"})
    with traces.provider.get_tracer("t").start_as_current_span("s", links=[link]) as span:
        span.add_event("paid", {"customer": "Jane", "virtengine.bid.id": "bid-1"})
        span.record_exception(ValueError("Jane"))
    (ended,) = traces.spans
    assert [event.dropped_attributes for event in ended.events] == [1, 0]
    assert [link.dropped_attributes for link in ended.links] == [1]


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("order.id", "order-7", 'tracing_lib.declare(tracing_lib.Attribute("order.id", "what it means"))'),
        ("count", 3, 'tracing_lib.declare(tracing_lib.Attribute("count", "what it means", tracing_lib.Shape.NUMBER))'),
        ("paid", True, 'tracing_lib.declare(tracing_lib.Attribute("paid", "what it means", tracing_lib.Shape.FLAG))'),
        ("color", "red", 'tracing_lib.declare(tracing_lib.Attribute("color", "what it means", tracing_lib.Shape.CODE))'),
        ("note", "in stock", 'tracing_lib.declare(tracing_lib.Attribute("note", "what it means", tracing_lib.Shape.TEXT))'),
        ("sizes", (3, 4), 'tracing_lib.declare(tracing_lib.Attribute("sizes", "what it means", tracing_lib.Shape.NUMBER))'),
    ],
)
def test_the_line_that_is_told_lets_the_attribute_leave(key: str, value: object, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = policy()
    sent(wall, {key: value})
    (told,) = wall.withheld.news()
    assert told.endswith(line)
    assert "stays in this process: it is not declared" in told
    monkeypatch.setattr(registries, "REGISTRY", wall.registry)
    exec(line, {"tracing_lib": tracing_lib})  # noqa: S102  the line that was told
    assert wall.attribute(key, value) in (value, [3, 4])
    assert sent(wall, {key: value}).dropped_attributes_count == 0
    assert wall.withheld.news() == []


@pytest.mark.parametrize("value", [b"x", {"a": 1}, [b"x"], [{"a": 1}], [], None])
def test_of_a_value_that_no_declaration_lets_leave_none_is_told(value: Any) -> None:  # noqa: ANN401  what a service may give
    wall = policy()
    for _ in range(2):
        wall.withheld.add("of.bytes", value)
        assert wall.attribute("of.bytes", value) is None
        (found,) = wall.withheld.all()
        assert (found.why, "declare" in found.then, "hex()" in found.then) == (NO_VALUE, False, True)
        if wall.registry.get("of.bytes") is None:
            assert NO_VALUE in wall.withheld.news()[0]
            wall.registry.declare(Attribute("of.bytes", "Declared nevertheless."))
    assert wall.withheld.news() == []


NO_VALUE = "it holds no text, number or flag"


def test_after_a_declaration_that_was_not_enough_there_is_other_advice() -> None:
    wall = policy()
    sent(wall, {"count": "many"})
    assert "declare" in wall.withheld.news()[0]
    wall.registry.declare(Attribute("count", "How many.", Shape.NUMBER))
    sent(wall, {"count": "many"})
    sent(wall, {"count": "many"})
    (told,) = wall.withheld.news()
    (found,) = wall.withheld.all()
    assert told.endswith(found.then)
    assert ("Shape.NUMBER" in found.then, "declare" in found.then, found.count) == (True, False, 3)


def test_an_attribute_of_a_person_is_advised_to_leave_as_a_digest() -> None:
    wall = policy()
    sent(wall, {"user.id": "jane-7"})
    assert "privacy=tracing_lib.Privacy.HASH" in wall.withheld.news()[0]


@pytest.mark.parametrize("key", ["Jane Doe", "jane@example.org", "virtengine1qpzry9x8gf2tvdw0s3jn54khce6mua7lqpzry9", "k" * 200])
def test_no_key_is_told_that_may_be_private_itself(key: str) -> None:
    wall = policy()
    assert sent(wall, {key: 1}).dropped_attributes_count == 1
    assert list(wall.withheld.counts()) == ["(others)"]
    assert key not in str(wall.withheld.news())


def test_keys_made_of_input_do_not_fill_memory() -> None:
    wall = policy()
    for number in range(1000):
        wall.withheld.add(f"of.k{number}", 1)
    assert len(wall.withheld.counts()) <= 257
    assert sum(wall.withheld.counts().values()) == 1000


def test_a_decision_is_counted_and_not_told() -> None:
    wall = policy()
    wall.registry.declare(Attribute("virtengine.diagnosis", "Stays.", Shape.TEXT, Privacy.DROP))
    given = {"virtengine.diagnosis": "x", "user_agent.original": "curl", "url.query": "a=b"}
    assert sent(wall, given).dropped_attributes_count == 3
    assert wall.withheld.news() == []


def test_a_forbidden_key_cannot_be_let_out() -> None:
    wall = policy()
    wall.registry.declare(Attribute("customer.email", "A mistake."))
    assert sent(wall, {"customer.email": "id7"}).dropped_attributes_count == 1
    assert "a privacy rule forbids the key" in wall.withheld.news()[0]


def test_accounts_log_and_doctor_name_what_stays(http_receiver: Received, caplog: pytest.LogCaptureFixture) -> None:
    settings = tracing_lib.TracingSettings(service_name="portal", endpoint=http_receiver.url)
    with configure(settings, set_global=False) as tracing, caplog.at_level(logging.WARNING, "tracing_lib"):
        for _ in range(3):
            tracing.tracer("t").start_span("hello world", attributes={"order.id": "order-7"}).end()
        assert tracing.flush()
        assert tracing.accounts().withheld == {"order.id": 3}
        assert [(found.key, found.count) for found in tracing.withheld()] == [("order.id", 3)]
    told = [record.getMessage() for record in caplog.records if "order.id" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("portal: the attribute order.id stays in this process")
    assert tracing.shutdown().accounts.withheld == {"order.id": 3}


def test_the_kit_fails_a_test_only_for_what_nobody_decided() -> None:
    traces = RecordedTraces()
    tracer = traces.provider.get_tracer("t")
    tracer.start_span("s", attributes={"user_agent.original": "curl", "virtengine.order.id": "order-7"}).end()
    traces.assert_nothing_withheld()
    tracer.start_span("s", attributes={"count": 3}).end()
    traces.assert_nothing_withheld(but=["count"])
    with pytest.raises(AssertionError, match=r"count \(1\): it is not declared; tracing_lib\.declare"):
        traces.assert_nothing_withheld()
    assert RecordedTraces(private=False).withheld == []


@pytest.mark.parametrize("asked", ["true", "false"])
def test_the_fixture_fails_a_test_where_the_project_asks_for_it(asked: str, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\ntracing_all_attributes_leave = {asked}\n")
    (tmp_path / "test_service.py").write_text(
        "def test_a_span(traces):\n    traces.provider.get_tracer('t').start_span('s', attributes={'count': 3}).end()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode == 0, "count (1): it is not declared" in done.stdout) == (asked == "false", asked == "true")


def test_two_declarations_of_a_key_are_refused_as_before() -> None:
    registry = Registry(library_registry())
    registry.declare(Attribute("order.id", "One."))
    with pytest.raises(PrivacyError):
        registry.declare(Attribute("order.id", "Another."))
