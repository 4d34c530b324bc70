"""Ended spans as services make them, for the tests of their export."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor
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

from tracing_lib.privacy.attribute import Attribute, Shape
from tracing_lib.privacy.policy import PrivacyPolicy
from tracing_lib.privacy.registry import Registry, library_registry
from tracing_lib.propagation.ids import ContextIdGenerator
from tracing_lib.provider import recorder
from tracing_lib.sampling.links import FollowsLinks
from tracing_lib.sampling.sampler import TargetSampler
from tracing_lib.sampling.strategies import ratio_strategy

SECRET = "password=hunter2hunter2"
KEYS = ["virtengine.order.id", "virtengine.account", "virtengine.success", "virtengine.text", "virtengine.number", "undeclared", "é"]
TEXTS = ["order-1", "order-0a1b2c3d4e5f", SECRET, "x" * 200, "x" * 9000, "", "é\ud800", "AB12" * 16, "jane.roe@example.org"]
NUMBERS = [0, 1, -1, True, False, 1.0, 0.0, -0.0, float("nan"), 2**62, 2**64, -(2**63)]
ATTRIBUTES = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([*TEXTS, *NUMBERS, ("a", "b"), [1, 2]]), max_size=5)
STATES = [TraceState(), TraceState([("ot", "th:8")]), TraceState([("ve", "p:1"), ("other", "x")])]
ABOVE = st.none() | st.builds(
    SpanContext, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans(), st.just(TraceFlags(1)), st.sampled_from(STATES)
)
MORE = st.sampled_from(["", "", "", "event", "failed", "ok", "link", "plain link", "plain links", "unbound"])
SPANS = st.tuples(st.sampled_from(["GET /orders/{id}", "jane roe", "market.keeper.CreateOrder", SECRET, ""]), ABOVE, ATTRIBUTES, MORE)
LINK = Link(SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(1), trace_state=STATES[2]), {"undeclared": "x"})


def policy() -> PrivacyPolicy:
    """A policy with declarations of each kind."""
    registry = Registry(library_registry())
    registry.declare(
        Attribute("virtengine.text", "For this test.", Shape.TEXT),
        Attribute("virtengine.number", "For this test.", Shape.NUMBER),
    )
    return PrivacyPolicy(registry)


class _Ended(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class Source:
    """Makes spans as services do."""

    def __init__(self, limits: SpanLimits | None = None) -> None:
        make_provider, _ = recorder()
        sampler = FollowsLinks(TargetSampler(ratio_strategy(1.0)))
        provider = make_provider(
            sampler=sampler, id_generator=ContextIdGenerator(), span_limits=limits or SpanLimits(), shutdown_on_exit=False
        )
        self._ended = _Ended()
        provider.add_span_processor(self._ended)
        self.tracer = provider.get_tracer("t")

    def span(
        self,
        name: str,
        above: SpanContext | None = None,
        attributes: dict[str, Any] | None = None,
        more: str = "",
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Any:  # noqa: ANN401  one of ours
        """Return an ended span."""
        context = set_span_in_context(NonRecordingSpan(above)) if above else None
        span: Any = self.tracer.start_span(name, context, kind, attributes, [LINK] if more == "link" else ())
        match more:
            case "event":
                span.add_event("e", {"virtengine.number": 1})
            case "failed":
                span.set_status(Status(StatusCode.ERROR, "ValueError: no"))
            case "ok":
                span.set_status(StatusCode.OK)
            case "plain link" | "plain links":
                for _ in range(1 if more == "plain link" else 3):
                    span.add_link(LINK.context)
            case "unbound":
                span.set_attribute("virtengine.text", ["a"])
        span.end()
        return self._ended.spans.pop()
