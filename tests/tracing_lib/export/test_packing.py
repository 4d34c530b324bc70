"""The short way to what leaves of a span gives the same bytes as the long one, and forgets what it must not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
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

from tracing_lib.export.encoder import Encoder
from tracing_lib.export.packing import _MOST_REMEMBERED, EncodedPacking
from tracing_lib.fast.native import NATIVE
from tracing_lib.fast.tracer import ShortTracerProvider
from tracing_lib.privacy.attribute import Attribute, Privacy, Shape
from tracing_lib.privacy.policy import PrivacyPolicy
from tracing_lib.privacy.registry import Registry, library_registry
from tracing_lib.propagation.ids import ContextIdGenerator
from tracing_lib.sampling.links import FollowsLinks
from tracing_lib.sampling.sampler import TargetSampler
from tracing_lib.sampling.strategies import ratio_strategy

if TYPE_CHECKING:
    from tracing_lib.fast.tracer import ShortTracer

SECRET = "password=hunter2hunter2"
KEYS = ["virtengine.order.id", "virtengine.account", "virtengine.success", "virtengine.text", "virtengine.number", "undeclared", "é"]
TEXTS = ["order-1", "order-0a1b2c3d4e5f", SECRET, "x" * 200, "x" * 9000, "", "é\ud800", "AB12" * 16, "jane.roe@example.org"]
NUMBERS = [0, 1, -1, True, False, 1.0, 0.0, -0.0, float("nan"), 2**62, 2**64, -(2**63)]
ATTRIBUTES = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([*TEXTS, *NUMBERS, ("a", "b"), [1, 2]]), max_size=5)
STATES = [TraceState(), TraceState([("ot", "th:8")]), TraceState([("ve", "p:1"), ("other", "x")])]
ABOVE = st.none() | st.builds(
    SpanContext, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans(), st.just(TraceFlags(1)), st.sampled_from(STATES)
)
MORE = st.sampled_from(["", "", "", "event", "failed", "ok", "link", "later", "laters", "unbound"])
SPANS = st.tuples(st.sampled_from(["GET /orders/{id}", "jane roe", "market.keeper.CreateOrder", SECRET, ""]), ABOVE, ATTRIBUTES, MORE)
LINK = Link(SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(1), trace_state=STATES[2]), {"undeclared": "x"})


def policy() -> PrivacyPolicy:
    """The wall, with declarations of each kind."""
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
        sampler = FollowsLinks(TargetSampler(ratio_strategy(1.0)))
        provider = ShortTracerProvider(
            sampler=sampler, id_generator=ContextIdGenerator(), span_limits=limits or SpanLimits(), shutdown_on_exit=False
        )
        self._ended = _Ended()
        provider.add_span_processor(self._ended)
        self.tracer: ShortTracer = provider.get_tracer("t")  # type: ignore[assignment]

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
            case "later" | "laters":
                for _ in range(1 if more == "later" else 3):
                    span.add_link_later(lambda: LINK)
            case "unbound":
                span.set_attribute("virtengine.text", ["a"])
        span.end()
        return self._ended.spans.pop()


def long_way(span: ReadableSpan, wall: PrivacyPolicy | None) -> bytes:
    """What leaves of a span, made of all of it at once."""
    return Encoder().span(span if wall is None else wall.leaving(span))


@pytest.mark.parametrize("walled", [True, False])
@pytest.mark.parametrize("limits", [None, SpanLimits(max_links=1), SpanLimits(max_span_attributes=1)])
def test_the_short_way_gives_what_the_long_way_gives(walled: bool, limits: SpanLimits | None) -> None:  # noqa: FBT001
    source, wall = Source(limits), policy() if walled else None
    packing = EncodedPacking(wall)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(SPANS, min_size=1, max_size=4), st.sampled_from(SpanKind))
    def one_after_another(made: list[tuple[str, SpanContext | None, dict[str, Any], str]], kind: SpanKind) -> None:
        for name, above, attributes, more in made:
            span = source.span(name, above, attributes, more, kind)
            packed = packing.pack(span)
            # Dropped links are counted where the links are the span's own, and not in a copy.
            if more != "laters" or limits is None:
                assert packed == long_way(span, wall)
            assert packing.size_of(packed) == len(packed)

    one_after_another()


@pytest.mark.skipif(not NATIVE, reason="tracing_lib/fast/_native.c was not built")
def test_plain_spans_go_the_short_way_and_others_the_long_one() -> None:
    source, parts = Source(), EncodedPacking(policy())._parts
    for more in ("", "later"):
        assert parts.pack(source.span("s", attributes={"virtengine.order.id": "order-1"}, more=more)) is not None
    for more in ("event", "failed", "ok", "link", "unbound"):
        assert parts.pack(source.span("s", more=more)) is None
    assert parts.pack(ReadableSpan("s")) is None


def remembered(packing: EncodedPacking) -> str:
    """Everything that is remembered, as text."""
    parts: Any = packing._parts
    return repr((parts._names, parts._texts, parts._integers, parts._floats))


def test_what_stays_in_the_process_is_not_remembered_and_memory_is_bounded() -> None:
    source, packing = Source(), EncodedPacking(policy())
    for key in ("virtengine.text", "virtengine.order.id", "undeclared"):
        packing.pack(source.span("s", attributes={key: SECRET}))
    assert "hunter2" not in remembered(packing)
    for number in range(_MOST_REMEMBERED + 50):
        packing.pack(source.span("s", attributes={"virtengine.number": number, "virtengine.order.id": f"order-{number}"}))
    parts: Any = packing._parts
    assert sum(map(len, (*parts._texts.values(), *parts._integers.values(), parts._names))) <= _MOST_REMEMBERED


def test_a_declaration_counts_for_the_next_span() -> None:
    source, wall = Source(), policy()
    packing = EncodedPacking(wall)
    before = packing.pack(source.span("s", attributes={"virtengine.late": "word"}))
    wall.registry.declare(Attribute("virtengine.late", "For this test.", Shape.CODE))
    assert b"virtengine.late" not in before
    assert b"virtengine.late" in packing.pack(source.span("s", attributes={"virtengine.late": "word"}))


def test_a_digest_leaves_the_same_each_time_and_never_the_value() -> None:
    source, wall = Source(), policy()
    packing = EncodedPacking(wall)
    for _ in range(3):
        packed = packing.pack(source.span("s", attributes={"virtengine.account": "a1b2c3"}))
        assert wall.hashed("a1b2c3").encode() in packed
        assert b"a1b2c3" not in packed
    assert wall.registry.get("virtengine.account").privacy is Privacy.HASH  # type: ignore[union-attr]
