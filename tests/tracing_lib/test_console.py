"""Traces on the console: trees in the form that would be exported, whole when their first span of the process ends."""

from __future__ import annotations

import io
from typing import TextIO

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from tests.tracing_lib.receivers import http_receiver
from tests.tracing_lib.samples import MAPPING
from tracing_lib import Outputs, TracingSettings, configure
from tracing_lib.console import _MOST_WAITING, ConsoleTraces
from tracing_lib.privacy.policy import PrivacyPolicy


def on_the_console(stream: TextIO) -> TracerProvider:
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


def test_a_span_that_outlives_its_parent_is_written_when_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with configure(console=True, set_global=False) as tracing:
        tracer = tracing.tracer("t")
        with tracer.start_as_current_span("request"):
            task = tracer.start_span("task")
        assert "task" not in capsys.readouterr().err
        tracer.start_span("step", set_span_in_context(task)).end()
        assert capsys.readouterr().err == "", "the span above it is open"
        task.end()
        assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["trace", "task", "step"]


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


def test_beside_otlp_the_console_has_the_address_of_each_trace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "OTLP, console")
    with http_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        settings = TracingSettings.from_environment(service_name="portal").model_copy(update={"trace_url": "http://ui/trace/TRACE_ID"})
        with configure(settings, set_global=False) as tracing, tracing.tracer("t").start_as_current_span("hello") as span:
            span.set_attribute("order.id", "order-1")
    assert received.names == ["hello"]
    trace_id = format(span.get_span_context().trace_id, "032x")
    told = capsys.readouterr().err
    assert f"trace {trace_id} http://ui/trace/{trace_id}\nhello " in told
    assert tracing.withheld()[0].count == 1, "what the console withholds is not counted again"


def test_the_outputs_of_a_stack_bring_the_address_of_its_traces() -> None:
    jaeger = TracingSettings.from_outputs(MAPPING, service_name="portal").trace_url
    assert jaeger == f"{MAPPING['ui_url']}/trace/TRACE_ID"
    tempo = Outputs.parse({**MAPPING, "backend": "tempo"}).trace_url("abc")
    assert tempo.startswith(f"{MAPPING['ui_url']}/explore?schemaVersion=1&panes=%7B")
    assert "abc" in tempo


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


class Closed(io.StringIO):
    """A console that is gone."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_console_that_cannot_be_written_to_fails_no_service(caplog: pytest.LogCaptureFixture) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    closed = io.StringIO()
    closed.close()
    for stream in (Closed(), closed, ascii_only):
        provider = on_the_console(stream)
        provider.get_tracer("t").start_span("café").end()
        provider.get_tracer("t").start_span("s", start_time="now").end()  # type: ignore[arg-type]  # a fault of the service's
        provider.shutdown()
    assert "caf\\xe9 " in ascii_only.buffer.getvalue().decode()
    told = "a span could not be redacted and written to the console (TypeError)"
    assert [record.getMessage() for record in caplog.records] == [told] * 3
