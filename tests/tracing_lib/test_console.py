"""Traces on the console: trees in the form that would be exported, whole when their first span of the process ends."""

from __future__ import annotations

import io

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from tracing_lib import TracingSettings, configure
from tracing_lib.console import _MOST_WAITING, ConsoleTraces
from tracing_lib.privacy.policy import PrivacyPolicy


def on_the_console(stream: io.StringIO) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(ConsoleTraces(PrivacyPolicy(), stream))
    return provider


def test_a_trace_is_written_when_its_first_span_here_ends() -> None:
    stream = io.StringIO()
    tracer = on_the_console(stream).get_tracer("t")
    above = set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))))
    with tracer.start_as_current_span("order for Jane Doe", above):
        with tracer.start_as_current_span("pay", attributes={"virtengine.bid.id": "bid-1", "count": 3}):
            pass
        assert stream.getvalue() == ""
    lines = stream.getvalue().splitlines()
    assert lines[0] == f"trace {1:032x}"
    assert lines[1].startswith("order for * * ")
    assert lines[2].startswith("  pay ")
    assert lines[2].endswith(" ms virtengine.bid.id=bid-1")
    assert "the attribute count stays" in lines[3]


def test_what_waits_is_bounded_and_written_at_the_end() -> None:
    stream = io.StringIO()
    provider = on_the_console(stream)
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("above"):
        for _ in range(_MOST_WAITING):
            tracer.start_span("below").end()
        assert stream.getvalue().count("below") == _MOST_WAITING
        tracer.start_span("last").end()
        provider.shutdown()
    assert "last" in stream.getvalue()


@pytest.mark.parametrize("asked", ["argument", "variable"])
def test_console_is_asked_for_by_argument_or_variable(
    asked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if asked == "variable":
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
        tracing = configure(TracingSettings.from_environment(service_name="portal"), set_global=False)
    else:
        tracing = configure(console=True, set_global=False)
        assert tracing.settings.service_name.startswith("unknown_service:")
    with tracing.tracer("t").start_as_current_span("hello world"):
        pass
    told = capsys.readouterr().err
    assert "\nhello world " in told
    tracing.shutdown()
