"""Delivery against real collectors: tried again, counted, said once, lossless where the outage is shorter than the queue."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import StatusCode, Tracer

from tests.tracing_lib.scripted import Answer, Collector
from tests.waiting import STALL_SECONDS, until
from tracing_lib import TracingSettings, configure
from tracing_lib.base.responses import rejected_spans, retry_after
from tracing_lib.contract import OperationTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracing_lib import Tracing
    from tracing_lib.contract.outputs import Protocol

PROTOCOLS: list[Protocol] = ["http/protobuf", "grpc"]
WHOLE = OperationTarget(service="portal", operation="s", traces_per_second=1e9, floor=1.0)
"""Holds the sampling at one, so that pressure does not thin what a test counts."""
UNAVAILABLE = {"http/protobuf": 503, "grpc": 14}
UNAUTHENTICATED = {"http/protobuf": (401, "http_401"), "grpc": (16, "grpc_unauthenticated")}


@pytest.fixture(params=PROTOCOLS)
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    with Collector(request.param) as running:
        yield running


def tracing_to(collector: Collector, **values: object) -> Tracing:
    values = {"export_interval_seconds": 0.05, "shutdown_seconds": STALL_SECONDS, **values}
    settings = TracingSettings(service_name="portal", endpoint=collector.url, protocol=collector.protocol, **values)  # type: ignore[arg-type]
    return configure(settings, set_global=False)


def end_spans(tracing: Tracing, number: int, name: str = "s", tracer: Tracer | None = None) -> set[bytes]:
    made, tracer = set(), tracer or tracing.tracer("t")
    for _ in range(number):
        span = tracer.start_span(name)
        made.add(span.get_span_context().span_id.to_bytes(8))
        span.end()
    return made


def test_an_outage_that_is_shorter_than_the_queue_loses_nothing(collector: Collector) -> None:
    tracing = tracing_to(collector)
    made = end_spans(tracing, 50)
    assert tracing.flush()
    collector.stop()
    made |= end_spans(tracing, 3000)
    time.sleep(0.3)
    assert tracing.accounts().queued == 3000
    collector.start()
    made |= end_spans(tracing, 50)
    report = tracing.shutdown()
    assert report.complete
    assert collector.ids == made
    assert (report.accounts.started, report.accounts.exported, report.accounts.lost) == (3100, 3100, 0)


def test_a_busy_collector_is_asked_again_and_not_sooner_than_it_says(collector: Collector) -> None:
    code = 8 if collector.protocol == "grpc" else 429
    pause = "0.9" if collector.protocol == "grpc" else "1"
    collector.answers += [Answer(UNAVAILABLE[collector.protocol]), Answer(code, retry_after=pause)]
    tracing = tracing_to(collector)
    made = end_spans(tracing, 5)
    until(lambda: collector.requests == 2)
    delivery = tracing._processor
    assert delivery
    until(lambda: delivery.refusing or collector.requests == 3)
    until(lambda: collector.requests == 3)
    assert collector.asked[2] - collector.asked[1] >= 0.85
    assert tracing.flush()
    assert not delivery.refusing
    assert tracing.shutdown().complete
    assert collector.ids == made


def test_what_a_collector_refuses_for_good_is_dropped_under_the_name_of_the_refusal(collector: Collector) -> None:
    code, reason = UNAUTHENTICATED[collector.protocol]
    collector.answers.append(Answer(code))
    tracing = tracing_to(collector)
    end_spans(tracing, 7)
    assert tracing.flush()
    end_spans(tracing, 2)
    report = tracing.shutdown()
    assert (report.delivered, report.accounts.dropped) == (2, {reason: 7})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_request_that_is_too_large_is_split_until_the_collector_takes_it(protocol: Protocol) -> None:
    with Collector(protocol, largest=2_000) as collector:
        tracing = tracing_to(collector)
        made = end_spans(tracing, 300)
        tracing.tracer("t").start_span("too large alone", attributes={"url.template": "/" + "order/" * 400}).end()
        report = tracing.shutdown()
    assert collector.ids == made, "all that fit"
    reason = {"http/protobuf": "http_413", "grpc": "grpc_resource_exhausted"}[protocol]
    assert (report.ended, report.delivered, report.accounts.dropped) == (301, 300, {reason: 1})


def test_grpc_without_a_pause_does_not_try_an_exhausted_collector_again() -> None:
    with Collector("grpc", answers=deque([Answer(8)])) as collector:
        tracing = tracing_to(collector)
        end_spans(tracing, 3)
        assert tracing.shutdown().accounts.dropped == {"grpc_resource_exhausted": 3}


def test_spans_rejected_from_a_request_that_was_taken_are_counted(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    collector.answers.append(Answer(0 if collector.protocol == "grpc" else 200, rejected=3))
    tracing = tracing_to(collector)
    made = end_spans(tracing, 10)
    report = tracing.shutdown()
    assert (report.delivered, report.accounts.dropped) == (7, {"rejected": 3})
    assert len(made - collector.ids) == 3
    assert "rejects spans: too old" in caplog.text


def bytes_on_the_wire(collector: Collector, compression: str) -> int:
    """How much a hundred spans take between the service and the collector."""
    passed = 0

    def copy(source: socket.socket, target: socket.socket) -> None:
        nonlocal passed
        while data := source.recv(65536):
            passed += len(data)
            target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", collector.port))
            with near, far:
                back = threading.Thread(target=copy, args=(far, near))
                back.start()
                copy(near, far)
                back.join()

        serving = threading.Thread(target=serve)
        serving.start()
        values = {"protocol": collector.protocol, "endpoint": f"http://127.0.0.1:{listener.getsockname()[1]}", "compression": compression}
        with configure(TracingSettings(service_name="portal", **values), set_global=False) as tracing:  # type: ignore[arg-type]
            end_spans(tracing, 100)
        serving.join(STALL_SECONDS)
    return passed


def test_requests_are_compressed_on_demand(collector: Collector) -> None:
    plain, compressed = bytes_on_the_wire(collector, "none"), bytes_on_the_wire(collector, "gzip")
    assert compressed < plain / 2
    assert len(collector.ids) == 200


def test_a_span_that_cannot_be_made_private_does_not_leave_and_costs_nobody_else(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    settings = TracingSettings(service_name="portal", endpoint=collector.url, protocol=collector.protocol)  # type: ignore[arg-type]
    tracing = configure(settings, set_global=False)
    delivery = tracing._processor
    assert delivery is not None
    redactor: Any = delivery._encoder.redactor
    whole = redactor.name

    def broken(value: str) -> str:
        if value == "a":
            raise ValueError("jane.roe@example.org")
        return str(whole(value))

    redactor.name = broken
    for name in ("a", "a", "b"):
        tracing.tracer("t").start_span(name).end()
    assert tracing.shutdown().accounts.dropped == {"encoding": 2}
    assert collector.names == ["b"]
    told = [record.getMessage() for record in caplog.records if "could not be redacted" in record.getMessage()]
    assert told == ["portal: a span could not be redacted and encoded (ValueError)"]


@pytest.mark.parametrize("wrong", [datetime.now(UTC), "now", 1.5])
def test_a_span_with_a_time_that_is_none_costs_nobody_else(collector: Collector, wrong: object) -> None:
    tracing = configure(TracingSettings(service_name="portal", endpoint=collector.url, protocol=collector.protocol), set_global=False)  # type: ignore[arg-type]
    tracer = tracing.tracer("t")
    tracer.start_span("a", start_time=wrong).end()  # type: ignore[arg-type]  # a fault of the service's
    assert tracing.flush(STALL_SECONDS)
    tracer.start_span("b").end()
    report = tracing.shutdown()
    assert (collector.names, report.accounts.dropped) == (["b"], {"encoding": 1})


@pytest.mark.parametrize("raw", [b"<html>no OTLP</html>", b"x" * 100_000])
def test_an_answer_that_is_no_otlp_does_not_unsettle_what_was_accepted(raw: bytes) -> None:
    with Collector() as collector:
        collector.answers.append(Answer(200, raw=raw))
        tracing = tracing_to(collector)
        end_spans(tracing, 4)
        assert tracing.shutdown().complete


def test_each_change_of_state_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with Collector() as collector:
        caplog.set_level(logging.INFO, logger="tracing_lib")
        tracing = tracing_to(collector, queue_bytes=64 * 1024)
        end_spans(tracing, 10)
        assert tracing.flush()
        collector.answers += [Answer(503)] * 3
        end_spans(tracing, 10)
        assert tracing.flush()
        collector.stop()
        end_spans(tracing, 5000)
        time.sleep(1.0)
        end_spans(tracing, 5000)
        collector.start()
        until(lambda: tracing.accounts().queued == 0)
        end_spans(tracing, 1)
        report = tracing.shutdown()
    said = [record.getMessage() for record in caplog.records if record.name == "tracing_lib"]
    assert [line.split(": ", 1)[1].replace(collector.url, "it")[:45] for line in said] == [
        "it does not take spans at present (HTTP 503);",
        "it takes spans again (before: HTTP 503)",
        "it does not take spans at present (no answer ",
        "the queue of 65536 bytes is full; spans are d",
        "it takes spans again (before: no answer)",
        f"the queue has room again; dropped so far: {report.lost} "[:45],
        f"{report.lost} of {report.ended} spans were not delivered to it (sh"[:45],
    ]


def test_failed_spans_are_delivered_when_there_was_no_room_for_all() -> None:
    with Collector() as collector:
        collector.stop()
        wholes = tuple(WHOLE.model_copy(update={"operation": name}) for name in ("failed", "fine"))
        tracing = tracing_to(collector, queue_bytes=64 * 1024, targets=wholes)
        for index in range(2000):
            span = tracing.tracer("t").start_span("failed" if index % 20 == 0 else "fine")
            if index % 20 == 0:
                span.set_status(StatusCode.ERROR)
            span.end()
        collector.start()
        report = tracing.shutdown()
    assert collector.names.count("failed") == 100
    assert report.accounts.dropped == {"queue_full": 2000 - len(collector.ids)}
    assert collector.names.count("fine") > 50


def test_the_caller_does_not_wait_for_a_collector_that_hangs() -> None:
    hanging = threading.Event()
    with Collector() as collector:
        collector.answers.append(Answer(wait=hanging))
        tracing = tracing_to(collector, queue_bytes=64 * 1024, shutdown_seconds=0.3, targets=(WHOLE,))
        end_spans(tracing, 600)
        until(lambda: collector.requests == 1)
        end_spans(tracing, 5000)
        assert collector.requests == 1
        found = tracing.accounts()
        assert found.queued_bytes <= 64 * 1024
        assert found.started == 5600 == found.queued + found.lost
        report = tracing.shutdown()
        hanging.set()
    assert report.lost == 5600
    assert set(report.accounts.dropped) == {"queue_full", "shutdown"}


def test_accounts_are_the_collectors_own_when_it_takes_one_request_in_ten(
    collector: Collector,
) -> None:
    refusal = Answer(UNAVAILABLE[collector.protocol], retry_after="0" if collector.protocol != "grpc" else "0.001")
    accepted = Answer(0 if collector.protocol == "grpc" else 200)
    collector.answers += [*[refusal] * 9, accepted] * 200
    tracing = tracing_to(collector, queue_bytes=256 * 1024, targets=(WHOLE,), shutdown_seconds=1.0)
    made, most = set(), 0
    for _ in range(40):
        made |= end_spans(tracing, 500)
        found = tracing.accounts()
        most = max(most, found.queued_bytes)
        assert found.started == found.live + found.queued + found.exported + found.lost
    report = tracing.shutdown()
    assert most <= 256 * 1024
    assert report.accounts.started == len(made) == 20_000
    assert report.delivered == len(collector.taken) == len(collector.ids)
    assert len(made - collector.ids) == report.accounts.lost > 0


def test_a_flush_that_cannot_be_done_in_time_says_so() -> None:
    with Collector() as collector:
        collector.stop()
        tracing = tracing_to(collector, shutdown_seconds=0.2)
        end_spans(tracing, 3)
        started = time.monotonic()
        assert not tracing.flush(0.3)
        assert time.monotonic() - started < 0.3 + 10, "the second is a loaded machine's"
        collector.start()
        assert tracing.flush(STALL_SECONDS)
        assert tracing.shutdown().complete


def test_the_accounts_are_metrics_with_the_names_of_the_conventions() -> None:
    reader = InMemoryMetricReader()
    with Collector() as collector:
        collector.answers.append(Answer(401))
        settings = TracingSettings(service_name="portal", endpoint=collector.url, export_interval_seconds=0.05, queue_size=1000)
        provider = MeterProvider([reader], shutdown_on_exit=False)
        tracing = configure(settings, set_global=False, meter_provider=provider)
        end_spans(tracing, 4)
        assert tracing.flush()
        end_spans(tracing, 6)
        assert tracing.flush()
        live = tracing.tracer("t").start_span("live")
        data = reader.get_metrics_data()
        live.end()
        tracing.shutdown()
        provider.shutdown()
    assert data
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    found = {
        (metric.name, (point.attributes or {}).get("error.type")): point.value  # type: ignore[union-attr]
        for metric in metrics
        for point in metric.data.data_points
    }
    assert found == {
        ("otel.sdk.span.started", None): 11,
        ("otel.sdk.span.live", None): 1,
        ("otel.sdk.processor.span.processed", None): 10,
        ("otel.sdk.exporter.span.exported", None): 6,
        ("otel.sdk.exporter.span.exported", "http_401"): 4,
        ("otel.sdk.exporter.span.inflight", None): 0,
        ("otel.sdk.processor.span.queue.size", None): 0,
        ("otel.sdk.processor.span.queue.capacity", None): 1000,
        ("virtengine.tracing.queue.size", None): 0,
        ("virtengine.tracing.queue.capacity", None): settings.queue_bytes,
    }


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("-1", 0.0), ("soon", None), ("", None), (None, None), ("1.5", None)])
def test_a_retry_after_header_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_a_retry_after_date_is_counted_from_now() -> None:
    from datetime import UTC, datetime, timedelta
    from email.utils import format_datetime

    found = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    assert found is not None
    assert 25 < found <= 30


def test_a_partial_success_without_rejections_is_a_success() -> None:
    assert rejected_spans(b"\x0a\x00") == (0, "")
    assert rejected_spans(b"\x0a\x04\x12\x02ok") == (0, "ok")
