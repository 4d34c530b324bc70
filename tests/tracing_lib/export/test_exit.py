"""However a process ends, what it holds is delivered or counted; a forked child sends what is its own."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.tracing_lib.scripted import Collector
from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = """
import os, signal, sys, time, threading
from tracing_lib import TracingSettings, configure
stated = {"endpoint": sys.argv[1], "protocol": sys.argv[2], "export_interval_seconds": 600, "shutdown_seconds": SHUTDOWN}
tracing = configure(TracingSettings(service_name="portal", **stated))
tracer = tracing.tracer("t")
def ends(name):
    tracer.start_span(name).end()
"""
WAIT = """
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


def start(program: str, *arguments: str, shutdown_seconds: float = STALL_SECONDS) -> subprocess.Popen[str]:
    head = HEAD.replace("SHUTDOWN", str(shutdown_seconds))
    # Python 3.12 and later warn of every fork of a process that has threads.
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", head + textwrap.dedent(program), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, said = process.communicate(timeout=STALL_SECONDS)
    return process.returncode, out, said


@pytest.fixture(params=["http/protobuf", "grpc"])
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    with Collector(request.param) as running:
        yield running


@pytest.fixture
def http_collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def test_sigterm_delivers_and_then_ends_the_process_as_it_would_have(collector: Collector) -> None:
    process = start("ends('held')" + WAIT, collector.url, collector.protocol)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    code, _, said = finish(process)
    assert (code, said) == (-signal.SIGTERM, "")
    assert collector.names == ["held"]


def test_sigterm_that_comes_in_the_middle_of_ending_spans_does_not_hang(http_collector: Collector) -> None:
    program = """
    for _ in range(200):
        ends("busy")
    print("ready", flush=True)
    while True:
        ends("busy")
    """
    process = start(program, http_collector.url, "http/protobuf")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    code, _, _ = finish(process)
    assert code == -signal.SIGTERM
    assert len(http_collector.ids) > 100


CONSOLE = """
import signal, sys, time
from opentelemetry.sdk.trace import SpanProcessor
from tracing_lib import TracingSettings, configure
class Own(SpanProcessor):
    def shutdown(self):
        print("own processor ended", flush=True)
class Faulty(SpanProcessor):
    def shutdown(self):
        raise OSError
tracing = configure(TracingSettings(service_name="a", shutdown_seconds=STALL), console=True)
for each in (Faulty(), Own()):
    tracing.provider.add_span_processor(each)
with tracing.tracer("t").start_as_current_span("above"):
    tracing.tracer("t").start_span("below").end()
    print("ready", flush=True)
    END
"""


@pytest.mark.parametrize(("end", "code"), [("time.sleep(600)", -signal.SIGTERM), ("sys.exit(3)", 3)])
def test_with_the_console_alone_every_processor_is_shut_down_at_the_end(end: str, code: int) -> None:
    command = [sys.executable, "-c", CONSOLE.replace("END", end).replace("STALL", str(STALL_SECONDS))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    begun = ""
    if code < 0:
        # Of a program that ends by itself a line may come with all that follows it, which the rest of the output would then lack.
        begun = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
    ended, out, said = finish(process)
    assert (ended, begun + out) == (code, "ready\nown processor ended\n")
    assert [line.split()[0] for line in said.splitlines() if line.startswith(("below ", "  below "))] == ["below"]
    assert "a span processor failed" in said


def test_a_sigterm_handler_of_the_programs_own_is_left_in_place(http_collector: Collector) -> None:
    program = """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    ends("held")
    """
    process = start(textwrap.dedent(program) + WAIT, http_collector.url, "http/protobuf")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 7
    assert http_collector.names == ["held"]


def test_a_handler_that_was_there_before_stays() -> None:
    program = (
        "import signal; signal.signal(signal.SIGTERM, h := lambda *_: None)\n"
        "from tracing_lib import TracingSettings, configure\n"
        "for on in (True, False):\n"
        "    with configure(TracingSettings(service_name='a', end_on_sigterm=on), set_global=False):\n"
        "        assert signal.getsignal(signal.SIGTERM) is h\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "with configure(TracingSettings(service_name='a'), set_global=False):\n"
        "    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("ending", "code"),
    [("", 0), ("sys.exit(3)", 3), ("raise SystemError", 1), ("os.kill(os.getpid(), signal.SIGINT); time.sleep(600)", -signal.SIGINT)],
)
@pytest.mark.usefixtures("foreground_signals")
def test_every_normal_end_delivers(http_collector: Collector, ending: str, code: int) -> None:
    process = start(f"ends('held')\n{ending}", http_collector.url, "http/protobuf")
    assert finish(process)[0] == code
    assert http_collector.names == ["held"]


def test_sigterm_with_nobody_listening_ends_in_time_and_says_once_what_was_lost(http_collector: Collector) -> None:
    http_collector.stop()
    process = start("ends('a'); ends('b')" + WAIT, http_collector.url, "http/protobuf", shutdown_seconds=1.0)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    code, _, said = finish(process)
    http_collector.start()
    assert time.monotonic() - started < 1.0 + 10, "the second is a loaded machine's"
    assert code == -signal.SIGTERM
    assert said.count("2 of 2 spans were not delivered") == 1
    assert "shutdown: 2" in said


OPEN_AT_EXIT = """
ends("done")
open_ = [tracer.start_span(name) for name in ("GET /orders/{order_id}", "mail to jane@example.com", "GET /orders/{order_id}")]
"""


def test_spans_that_are_open_when_the_process_ends_are_told_in_one_line(collector: Collector) -> None:
    code, _, said = finish(start(OPEN_AT_EXIT, collector.url, collector.protocol))
    assert (code, collector.names) == (0, ["done"])
    lines = [line for line in said.splitlines() if "had not ended" in line]
    assert lines == ["portal: 3 spans had not ended and are not sent: GET /orders/{order_id}, mail to *"]


OPEN_AT_FORK = """
with tracer.start_as_current_span("order"):
    child = os.fork()
    if child == 0:
        ends("of the child")
        sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_span_that_is_open_at_a_fork_is_sent_once_by_the_process_that_began_it(collector: Collector) -> None:
    code, _, said = finish(start(OPEN_AT_FORK, collector.url, collector.protocol))
    assert (code, [line for line in said.splitlines() if "spans" in line and "more cost" not in line]) == (0, [])
    assert collector.names == ["of the child", "order"]


TIMES_AT_FORK = """
with tracer.start_as_current_span("parent's"):
    pass
open_ = [tracer.start_span(f"parent's {days} days", start_time=time.time_ns() + days * 86_400 * 10**9) for days in (-1, 0, 1)]
child = os.fork()
if child == 0:
    for days in (-1, 0, 1):
        tracer.start_span(f"child's {days} days", start_time=time.time_ns() + days * 86_400 * 10**9).end()
    tracing.tracer("new").start_span("child's new").end()
    below = os.fork()
    if below == 0:
        tracer.start_span("grandchild's", start_time=1).end()
        [each.end() for each in open_]
        sys.exit(0)
    [each.end() for each in open_]
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(below, 0)[1]))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
[each.end() for each in open_]
"""


@pytest.mark.parametrize("fast", ["on", "off"])
@pytest.mark.parametrize("processors", ["", "class Other(SpanProcessor): pass\ntracing.provider.add_span_processor(Other())"])
def test_a_span_is_sent_once_by_who_began_it_whatever_its_start_time(
    fast: str, processors: str, http_collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTENGINE_TRACING_FAST", fast)
    program = f"from opentelemetry.sdk.trace import SpanProcessor\n{processors}\n{TIMES_AT_FORK}"
    code, _, said = finish(start(program, http_collector.url, "http/protobuf"))
    assert (code, [line for line in said.splitlines() if "spans" in line and "more cost" not in line]) == (0, [])
    named = ("-1 days", "0 days", "1 days")
    assert http_collector.names == sorted(
        ["parent's", *(f"{who} {days}" for who in ("parent's", "child's") for days in named), "child's new", "grandchild's"]
    )


FORKS = {
    "os.fork": """
    child = os.fork()
    if child == 0:
        ends("child"); sys.exit(0)
    os.waitpid(child, 0)
    """,
    "multiprocessing": """
    import multiprocessing
    child = multiprocessing.get_context("fork").Process(target=ends, args=("child",))
    child.start(); child.join()
    assert child.exitcode == 0
    """,
    "multiprocessing.Pool": """
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pool.map(ends, ["child"])
        pool.close(); pool.join()
    """,
    "a child ended by SIGTERM": """
    ended, end = os.pipe()
    child = os.fork()
    if child == 0:
        ends("child"); os.write(end, b"1"); time.sleep(600)
    os.read(ended, 1); os.kill(child, signal.SIGTERM); os.waitpid(child, 0)
    """,
}


@pytest.mark.parametrize("way", FORKS)
@pytest.mark.parametrize("busy", [False, True])
def test_a_forked_child_delivers_its_own_spans_and_not_its_parents(http_collector: Collector, way: str, *, busy: bool) -> None:
    before = "ends('flushed'); tracing.flush()" if busy else "pass"
    program = f"{before}\nends('parent')\n{textwrap.dedent(FORKS[way])}\naccounts = tracing.accounts()\nprint(accounts.started)"
    code, out, said = finish(start(program, http_collector.url, "http/protobuf"))
    assert (code, said) == (0, "")
    assert int(out) == 1 + busy, "the parent's accounts know nothing of the child's"
    assert http_collector.names == sorted(["child", "parent", *(["flushed"] if busy else [])])


def test_the_workers_of_gunicorn_deliver_what_they_hold_when_the_master_is_stopped(http_collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import os\n"
        "from tracing_lib import TracingSettings, configure\n"
        f"tracing = configure(TracingSettings(service_name='portal', endpoint='{http_collector.url}', export_interval_seconds=30))\n"
        "def app(environ, start):\n"
        "    told = {'virtengine.job.attempt': int(environ['PATH_INFO'][1:]), 'process.pid': os.getpid()}\n"
        "    with tracing.tracer('t').start_as_current_span('GET', attributes=told):\n"
        "        start('200 OK', [('Content-Length', '2')])\n"
        "    return [b'ok']\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003  the standard library's
        command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", f"fd://{listener.fileno()}", "app:app"]
        process = subprocess.Popen(command, cwd=tmp_path, pass_fds=[listener.fileno()], stderr=subprocess.PIPE, text=True)
        for index in range(20):
            with urllib.request.urlopen(f"http://127.0.0.1:{listener.getsockname()[1]}/{index}", timeout=STALL_SECONDS) as answer:
                assert answer.read() == b"ok"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=STALL_SECONDS)
    assert process.returncode == 0, said
    told = [{pair.key: pair.value.int_value for pair in span.attributes} for span in http_collector.taken]
    assert sorted(each["virtengine.job.attempt"] for each in told) == list(range(20)), said
    assert process.pid not in {each["process.pid"] for each in told}


LOAD = """
import json, random
made, going = random.Random(int(sys.argv[3])), True
def load():
    with open(sys.argv[4], "w", buffering=1) as ids:
        while going:
            for _ in range(made.randrange(1, 20)):
                span = tracer.start_span("load", attributes={"text": "x" * made.randrange(200)})
                ids.write(f"{span.get_span_context().span_id:016x}\\n")
                span.end()
            time.sleep(made.random() * 0.01)
loading = threading.Thread(target=load, daemon=True)
loading.start()
deliver = tracing._exit_handlers.shutdown
def shutdown():
    global going
    going = False
    loading.join()
    deliver()
    found = tracing.accounts()
    print(json.dumps([found.started, found.live, found.queued, found.exported, found.dropped]), flush=True)
tracing._exit_handlers.shutdown = shutdown
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""
"""A service that writes down the id of each span that it makes, stops its work when it is ended, and prints its accounts last."""


def one_turn(turn: int, ids: Path) -> None:
    """A service under load whose collector goes away and comes back, or does not, before SIGTERM."""
    chance = random.Random(20261123 + turn)  # noqa: S311 - a load, not a secret
    away_at_the_end = turn % 3 == 2
    with Collector() as collector:
        process = start(
            LOAD, collector.url, "http/protobuf", str(turn), str(ids), shutdown_seconds=2.0 if away_at_the_end else STALL_SECONDS
        )
        assert process.stdout
        process.stdout.readline()
        time.sleep(chance.uniform(0.05, 0.3))
        collector.stop()
        time.sleep(chance.uniform(0.05, 0.5))
        if not away_at_the_end:
            collector.start()
            time.sleep(chance.uniform(0.0, 0.2))
        process.send_signal(signal.SIGTERM)
        code, out, said = finish(process)
        if away_at_the_end:
            collector.start()
    assert code == -signal.SIGTERM, said
    started, live, queued, exported, dropped = json.loads(out)
    made = {bytes.fromhex(line) for line in ids.read_text().split()}
    lacking = made - collector.ids
    assert (started, live, queued) == (len(made), 0, 0)
    assert len(lacking) == sum(dropped.values()), (turn, dropped)
    assert exported == len(made) - len(lacking)
    assert away_at_the_end or not lacking, "an outage shorter than the queue loses nothing"
    assert ("were not delivered" in said) is bool(lacking)


def test_accounts_hold_when_the_collector_restarts_and_sigterm_ends_the_service(tmp_path: Path) -> None:
    with ThreadPoolExecutor(5) as pool:
        turns = [pool.submit(one_turn, turn, tmp_path / f"{turn}.txt") for turn in range(10)]
    for turn in turns:
        turn.result()
