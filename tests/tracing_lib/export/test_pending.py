"""Between its end and the queue a span waits a little: nobody who ends one waits with it, and it is in every account."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.tracing_lib.export.test_delivery import WHOLE, end_spans
from tests.tracing_lib.recorders import said_of_the_recorder
from tests.tracing_lib.scripted import Collector
from tracing_lib import TracingSettings, configure
from tracing_lib.export.processor import _MOST_PENDING, _PENDING, _TOO_MANY_PENDING, ExportProcessor
from tracing_lib.privacy.policy import PrivacyPolicy
from tracing_lib.provider import recorder

if TYPE_CHECKING:
    import pytest
    from opentelemetry.util.types import AnyValue


HASHED = "virtengine.account"
"""An attribute that does not leave as it was recorded: what leaves of it is asked for each time."""


class _Watched(PrivacyPolicy):
    """The policy, noting who makes spans private."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[str] = []

    def attribute(self, key: str, value: object) -> AnyValue:
        if key == HASHED:
            self.threads.append(threading.current_thread().name)
        return super().attribute(key, value)


def test_spans_are_made_private_and_encoded_by_the_delivering_thread() -> None:
    with Collector("http/protobuf") as collector:
        settings = TracingSettings(service_name="portal", endpoint=collector.url, export_interval_seconds=0.05)
        redactor = _Watched()
        make_provider, make_encoder = recorder()
        delivery = ExportProcessor(settings, lambda: make_encoder(redactor))
        provider = make_provider(shutdown_on_exit=False)
        provider.add_span_processor(delivery)
        tracer = provider.get_tracer("t")
        for _ in range(20):
            for _ in range(10):
                tracer.start_span("s", attributes={HASHED: "a1"}).end()
            time.sleep(0.02)
        report = delivery.end(60.0)
    assert (report.ended, report.delivered) == (200, 200)
    assert len(redactor.threads) >= 200
    assert set(redactor.threads) == {"virtengine-tracing-export"}


def test_the_request_that_calls_the_delivering_thread_goes_on_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracing_lib.export.processor._SECONDS_FOR_ANSWERING", 4.0)
    with Collector("http/protobuf") as collector:
        settings = TracingSettings(service_name="portal", endpoint=collector.url, export_interval_seconds=600)
        tracing = configure(settings, set_global=False)
        delivery: Any = tracing._processor
        end_spans(tracing, _PENDING)
        deadline = time.monotonic() + 120
        while delivery._wake.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (delivery._wake.is_set(), len(delivery.pending)) == (False, _PENDING)
        while delivery.pending and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not delivery.pending
        # Not at the end, though: a shutdown waits for nothing but the collector.
        end_spans(tracing, _PENDING)
        began = time.monotonic()
        assert tracing.shutdown().complete
        assert time.monotonic() - began < 4.0


def test_with_a_collector_that_hangs_few_spans_wait_unencoded_and_all_are_queued() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = TracingSettings(service_name="portal", endpoint=endpoint, targets=(WHOLE,), shutdown_seconds=0.3)
        tracing = configure(settings, set_global=False)
        delivery: Any = tracing._processor
        most = 0
        for _ in range(300):
            end_spans(tracing, 10)
            most = max(most, len(delivery.pending))
        assert most <= _TOO_MANY_PENDING
        accounts = tracing.accounts()
        assert (accounts.started, accounts.queued, accounts.live, len(delivery.pending)) == (3000, 3000, 0, 0)
        assert tracing.shutdown().accounts.lost == 3000


def test_threads_that_end_spans_do_not_wait_for_a_thread_that_encodes() -> None:
    settings = TracingSettings(
        service_name="portal", endpoint="http://127.0.0.1:9", targets=(WHOLE,), export_interval_seconds=600, shutdown_seconds=0.3
    )
    tracing = configure(settings, set_global=False)
    delivery: Any = tracing._processor
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with delivery._encoding:
            held.set()
            over.wait(120)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(120)
    # The SDK's own `get_tracer` changes the warnings of the process for a moment, so that of two at once one may warn.
    tracer = tracing.tracer("t")
    enders = [threading.Thread(target=end_spans, args=(tracing, _TOO_MANY_PENDING, "s", tracer)) for _ in range(2)]
    for each in enders:
        each.start()
    for each in enders:
        each.join(120)
    waited = [each.is_alive() for each in enders]
    pending = len(delivery.pending)
    over.set()
    holder.join()
    assert waited == [False, False]
    assert _MOST_PENDING < pending <= _TOO_MANY_PENDING
    accounts = tracing.accounts()
    assert (accounts.started, accounts.queued, accounts.dropped) == (
        2 * _TOO_MANY_PENDING,
        pending,
        {"queue_full": 2 * _TOO_MANY_PENDING - pending},
    )
    tracing.shutdown()


_FORKING = """
import os, sys
from tracing_lib import TracingSettings, configure

settings = TracingSettings(service_name="portal", endpoint=sys.argv[1], export_interval_seconds=60, shutdown_seconds=60)
tracing = configure(settings)
tracer = tracing.tracer("t")
open_ = tracer.start_span("open")
for _ in range(5):
    tracer.start_span("pending").end()
child = os.fork()
if child == 0:
    inherited = tracing.accounts()
    open_.end()
    tracer.start_span("own").end()
    done = tracing.shutdown().accounts
    os._exit(0 if (inherited.started, inherited.live, done.started, done.live, done.exported) == (0, 0, 1, 0, 1) else 1)
assert os.waitpid(child, 0)[1] == 0
accounts = tracing.accounts()
assert (accounts.started, accounts.live, accounts.queued) == (6, 1, 5), accounts
open_.end()
assert tracing.shutdown().delivered == 6
"""


def test_what_was_staged_at_a_fork_is_the_parents_alone() -> None:
    with Collector("http/protobuf") as collector:
        # From Python 3.12 on a fork beside threads is warned of.
        quiet = "ignore:This process:DeprecationWarning"
        answer = subprocess.run([sys.executable, "-W", quiet, "-c", _FORKING, collector.url], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, said_of_the_recorder())
    assert len(collector.taken) == len(collector.ids) == 7, "the span that was open at the fork is the parent's"


def test_spans_that_end_after_the_shutdown_are_counted_and_not_kept() -> None:
    with Collector("http/protobuf") as collector:
        tracing = configure(TracingSettings(service_name="portal", endpoint=collector.url), set_global=False)
        end_spans(tracing, 3)
        assert tracing.shutdown().delivered == 3
        delivery: Any = tracing._processor
        end_spans(tracing, 500)
        assert len(delivery.pending) == 0
        accounts = tracing.accounts()
    assert (accounts.started, accounts.exported, accounts.dropped, accounts.live) == (503, 3, {"already_shutdown": 500}, 0)
