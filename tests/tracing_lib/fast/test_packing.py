"""The short way to what leaves of a span gives the same bytes as the long one, and forgets what it must not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits
from opentelemetry.trace import SpanContext, SpanKind

from tests.tracing_lib.samples_of_spans import SECRET, SPANS, Source, policy
from tracing_lib.export.encoder import encode_span
from tracing_lib.fast.packing import _MOST_REMEMBERED, FastSpanEncoder
from tracing_lib.privacy.attribute import Attribute, Privacy, Shape

if TYPE_CHECKING:
    from tracing_lib.privacy.policy import PrivacyPolicy


def long_way(span: ReadableSpan, redactor: PrivacyPolicy | None) -> bytes:
    """What leaves of a span, made of all of it at once."""
    return encode_span(span if redactor is None else redactor.span(span))


@pytest.mark.parametrize("redacted", [True, False])
@pytest.mark.parametrize("limits", [None, SpanLimits(max_links=1), SpanLimits(max_span_attributes=1)])
def test_the_short_way_gives_what_the_long_way_gives(redacted: bool, limits: SpanLimits | None) -> None:  # noqa: FBT001
    source, redactor = Source(limits), policy() if redacted else None
    encoder = FastSpanEncoder(redactor)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(SPANS, min_size=1, max_size=4), st.sampled_from(SpanKind))
    def one_after_another(made: list[tuple[str, SpanContext | None, dict[str, Any], str]], kind: SpanKind) -> None:
        for name, above, attributes, more in made:
            span = source.span(name, above, attributes, more, kind)
            packed = encoder.encode(span)[1]
            # Dropped links are counted where the links are the span's own, and not in a redacted copy.
            if more != "plain links" or limits is None:
                assert packed == long_way(span, redactor)

    one_after_another()


def test_plain_spans_go_the_short_way_and_others_the_long_one() -> None:
    source, parts = Source(), FastSpanEncoder(policy())._parts
    for more in ("", "plain link"):
        assert parts.pack(source.span("s", attributes={"virtengine.order.id": "order-1"}, more=more)) is not None
    for more in ("event", "failed", "ok", "link", "unbound"):
        assert parts.pack(source.span("s", more=more)) is None
    assert parts.pack(ReadableSpan("s")) is None


def remembered(encoder: FastSpanEncoder) -> str:
    """Everything that is remembered, as text."""
    parts: Any = encoder._parts
    return repr((parts._names, parts._texts, parts._integers, parts._floats))


def test_what_stays_in_the_process_is_not_remembered_and_memory_is_bounded() -> None:
    source, encoder = Source(), FastSpanEncoder(policy())
    for key in ("virtengine.text", "virtengine.order.id", "undeclared"):
        encoder.encode(source.span("s", attributes={key: SECRET}))
    assert "hunter2" not in remembered(encoder)
    for number in range(_MOST_REMEMBERED + 50):
        encoder.encode(source.span("s", attributes={"virtengine.number": number, "virtengine.order.id": f"order-{number}"}))
    parts: Any = encoder._parts
    assert sum(map(len, (*parts._texts.values(), *parts._integers.values(), parts._names))) <= _MOST_REMEMBERED


def test_a_declaration_counts_for_the_next_span() -> None:
    source, redactor = Source(), policy()
    encoder = FastSpanEncoder(redactor)
    before = encoder.encode(source.span("s", attributes={"virtengine.late": "word"}))[1]
    redactor.registry.declare(Attribute("virtengine.late", "For this test.", Shape.CODE))
    assert b"virtengine.late" not in before
    assert b"virtengine.late" in encoder.encode(source.span("s", attributes={"virtengine.late": "word"}))[1]


def test_a_digest_leaves_the_same_each_time_and_never_the_value() -> None:
    source, redactor = Source(), policy()
    encoder = FastSpanEncoder(redactor)
    for _ in range(3):
        packed = encoder.encode(source.span("s", attributes={"virtengine.account": "a1b2c3"}))[1]
        assert redactor.hashed("a1b2c3").encode() in packed
        assert b"a1b2c3" not in packed
    assert redactor.registry.get("virtengine.account").privacy is Privacy.HASH  # type: ignore[union-attr]
