"""Each way in which a fast span differs from the SDK's on purpose: the rows of the table in docs/architecture.md, in its order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, set_span_in_context

from stacks.environment.source import ROOT
from tests.tracing_lib.instrument.recorder import Recorder, own_provider
from tracing_lib.sampling.sampler import TargetSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOT_SAMPLED = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0)))


@pytest.fixture
def recorded() -> Iterator[Recorder]:
    with Recorder(provider=own_provider()) as kept:
        yield kept


def unsampled_child(recorded: Recorder, _monkeypatch: pytest.MonkeyPatch) -> None:
    tracer: Any = recorded.provider.get_tracer("t")
    context = set_span_in_context(NOT_SAMPLED, Context())
    assert tracer.start_span("s", context) is NOT_SAMPLED
    assert tracer.stock.start_span("s", context).get_span_context().span_id not in (0, 2)


def unsampled_current(recorded: Recorder, _monkeypatch: pytest.MonkeyPatch) -> None:
    tracer: Any = recorded.provider.get_tracer("t")
    with tracer.start_as_current_span("root"):
        pass
    before = get_current()
    context = set_span_in_context(NOT_SAMPLED, before)
    from opentelemetry.context import attach

    attach(context)
    try:
        with tracer.start_as_current_span("s") as span:
            assert (get_current() is context, span is NOT_SAMPLED) == (True, True)
        with tracer.stock.start_as_current_span("s"):
            assert get_current() is not context
    finally:
        attach(before)


def asked_once(recorded: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    whole = TargetSampler.should_sample

    def noted(self: TargetSampler, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  the sampler's
        asked.append("asked")
        return whole(self, *arguments, **named)

    monkeypatch.setattr(TargetSampler, "should_sample", noted)
    tracer: Any = recorded.provider.get_tracer("t")
    for maker, times in ((tracer, 0), (tracer.stock, 2)):
        asked.clear()
        root = maker.start_span("root")
        maker.start_span("child", set_span_in_context(root, Context()))
        assert len(asked) == times


def given_itself(recorded: Recorder, _monkeypatch: pytest.MonkeyPatch) -> None:
    tracer: Any = recorded.provider.get_tracer("t")
    spans = [maker.start_span("s") for maker in (tracer, tracer.stock)]
    for span in spans:
        span.end()
    assert [ended is span for ended, span in zip(recorded.spans, spans, strict=True)] == [True, False]
    assert all(isinstance(span, Span) and isinstance(span, ReadableSpan) for span in spans)


def shown_as(recorded: Recorder, _monkeypatch: pytest.MonkeyPatch) -> None:
    tracer: Any = recorded.provider.get_tracer("t")
    assert repr(tracer.start_span("s")).startswith('FastSpan(name="s"')
    assert repr(tracer.stock.start_span("s")).startswith('_Span(name="s"')
    assert get_current_span() is not None


ROWS: list[Callable[[Recorder, pytest.MonkeyPatch], None]] = [unsampled_child, unsampled_current, asked_once, given_itself, shown_as]


@pytest.mark.parametrize("row", ROWS)
def test_a_fast_span_differs_as_the_table_says(
    row: Callable[[Recorder, pytest.MonkeyPatch], None], recorded: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    row(recorded, monkeypatch)


def test_the_table_has_a_row_for_each_difference() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("## Differences from the SDK's spans")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\| [^-|]", section, re.MULTILINE)) - 1 == len(ROWS)
