"""Ending: within the deadline, with a true account."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.tracing_lib import receivers
from tracing_lib import TracingSettings, configure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tracing_lib.receivers import Received
    from tracing_lib import Tracing
    from tracing_lib.contract.outputs import Protocol
    from tracing_lib.export.transport import ExportResult

_SLACK_SECONDS = 10.0
"""What a loaded test machine may add. The stock processor takes 26 to 30 s."""


@contextlib.contextmanager
def _nobody() -> Iterator[str]:
    """Yield an address where nobody listens; the port stays taken so that nobody else does meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


@contextlib.contextmanager
def _black_hole() -> Iterator[str]:
    """Yield an address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _tracing(endpoint: str, protocol: Protocol = "http/protobuf", spans: int = 1200, **values: object) -> Tracing:
    settings = TracingSettings(service_name="portal", endpoint=endpoint, protocol=protocol, **values)  # type: ignore[arg-type]
    tracing = configure(settings, set_global=False)
    for _ in range(spans):
        tracing.tracer("t").start_span("s").end()
    return tracing


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("collector", [_nobody, _black_hole])
def test_shutdown_ends_within_its_deadline_whatever_the_collector_does(
    protocol: Protocol,
    collector: contextlib.AbstractContextManager[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with collector() as endpoint:  # type: ignore[operator]  # a factory of context managers
        tracing = _tracing(endpoint, protocol)
        time.sleep(0.2)  # the first batch is on its way, or waits to be tried again
        started = time.monotonic()
        with caplog.at_level(logging.WARNING, logger="tracing_lib"):
            report = tracing.shutdown(1.0)
        took = time.monotonic() - started
    assert took < 1.0 + _SLACK_SECONDS
    assert (report.ended, report.delivered, report.lost, report.complete) == (1200, 0, 1200, False)
    said = [record.getMessage() for record in caplog.records if "were not delivered" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(f"portal: 1200 of 1200 spans were not delivered to {endpoint}")


def test_the_deadline_of_the_settings_holds_when_none_is_given() -> None:
    with _black_hole() as endpoint:
        tracing = _tracing(endpoint, shutdown_seconds=0.4)
        started = time.monotonic()
        tracing.shutdown()
        assert time.monotonic() - started < 0.4 + _SLACK_SECONDS


def test_a_working_collector_gets_everything_and_the_report_says_so(http_receiver: Received) -> None:
    report = _tracing(http_receiver.url).shutdown(30)
    assert (report.ended, report.delivered, report.complete) == (1200, 1200, True)
    assert report.seconds < _SLACK_SECONDS
    assert len(http_receiver.spans) == 1200


def test_spans_that_the_collector_refused_are_not_called_delivered() -> None:
    with receivers.http_receiver(status=401) as received:
        tracing = _tracing(received.url, spans=5, export_interval_seconds=0.05)
        received.wait_for(5)
        report = tracing.shutdown()
    assert (report.ended, report.delivered, report.accounts.dropped) == (5, 0, {"http_401": 5})


def test_spans_that_fell_out_of_a_full_queue_are_reported_as_lost(http_receiver: Received) -> None:
    with _black_hole() as endpoint:
        report = _tracing(endpoint, spans=300, queue_size=10, batch_size=10, shutdown_seconds=0.2).shutdown()
    assert (report.ended, report.lost) == (300, 300)
    assert _tracing(http_receiver.url, spans=300, queue_size=300, batch_size=300).shutdown().lost == 0


def test_a_second_shutdown_returns_the_first_report_and_later_spans_are_ignored(http_receiver: Received) -> None:
    tracing = _tracing(http_receiver.url, spans=3)
    report = tracing.shutdown()
    tracing.tracer("t").start_span("late").end()
    assert tracing.shutdown() is report
    assert http_receiver.names == ["s", "s", "s"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_program_that_just_ends_is_not_held_up_by_a_black_hole(protocol: str) -> None:
    program = (
        "import sys, time, atexit\n"
        "from tracing_lib import TracingSettings, configure\n"
        "tracing = configure(TracingSettings(service_name='portal', endpoint=sys.argv[1], protocol=sys.argv[2], shutdown_seconds=0.5))\n"
        "tracing.tracer('t').start_span('s').end()\n"
        "print(time.time(), flush=True)"
    )
    with _black_hole() as endpoint:
        command = [sys.executable, "-c", program, endpoint, protocol]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        took = time.time() - float(answer.stdout)
    assert took < 0.5 + _SLACK_SECONDS
    assert "1 of 1 spans were not delivered" in answer.stderr


def test_every_attempt_of_a_shutdown_has_time_for_its_answer() -> None:
    deadline = 1.0
    with receivers.http_receiver(status=503) as received:
        tracing = _tracing(received.url, spans=5, export_interval_seconds=60)
        given: list[float] = []
        assert tracing._processor is not None
        send = tracing._processor._transport.send

        def noted(request: bytes, seconds: float) -> ExportResult:
            given.append(seconds)
            return send(request, seconds)

        tracing._processor._transport.send = noted  # type: ignore[method-assign]
        tracing.shutdown(deadline)
    assert len(given) > 1
    assert min(given) > 0.05 * deadline, "what such an attempt delivers would be counted as lost"
