"""What spans have in common is one object for all of them, and private."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from tests.tracing_lib.samples_of_spans import SECRET, Source, policy
from tracing_lib.export.groups import _MOST_REMEMBERED, ScopeGroups


def test_spans_of_one_tracer_have_one_group_and_of_another_another() -> None:
    one, other, groups = Source(), Source(), ScopeGroups(None)
    first, second, third = groups.of(one.span("a")), groups.of(one.span("b")), groups.of(other.span("a"))
    assert first is second
    assert first is not third
    span = one.span("c")
    assert (first.resource, first.scope) == (span.resource, span.instrumentation_scope)


def test_a_span_of_the_sdks_own_has_the_group_of_its_resource_and_scope() -> None:
    resource, scope, groups = Resource({"a": 1}), InstrumentationScope("t"), ScopeGroups(None)
    found = [groups.of(ReadableSpan("s", resource=resource, instrumentation_scope=scope)) for _ in range(2)]
    assert found[0] is found[1]
    elsewhere = groups.of(ReadableSpan("s", resource=Resource({"a": 1}), instrumentation_scope=scope))
    assert elsewhere is not found[0], "told apart by identity"
    assert groups.of(ReadableSpan("s", resource=resource)).scope is None


def test_resource_and_scope_are_redacted() -> None:
    groups = ScopeGroups(policy())
    resource, scope = Resource({"service.name": "portal", "customer": SECRET}), InstrumentationScope("t", attributes={"customer": SECRET})
    found = groups.of(ReadableSpan("s", resource=resource, instrumentation_scope=scope))
    assert "hunter2" not in repr((found.resource.attributes, found.scope))
    assert found.resource.attributes["service.name"] == "portal"


def test_memory_is_bounded_where_scopes_are_ever_new() -> None:
    groups, resource = ScopeGroups(None), Resource({})
    kept = groups.of(ReadableSpan("s", resource=resource))
    for number in range(_MOST_REMEMBERED + 50):
        groups.of(ReadableSpan("s", resource=resource, instrumentation_scope=InstrumentationScope(f"t{number}")))
        assert len(groups._known) <= _MOST_REMEMBERED
    assert groups.of(ReadableSpan("s", resource=resource)) is not kept, "all were forgotten"
