"""The end of a process delivers its last spans under every usual server, without a line in the service (docs/library/processes.md)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest

from components.local.ports import free_ports
from tests.tracing_lib.scripted import Collector
from tests.waiting import STALL_SECONDS, until

REQUESTS = 40
SERVICE = """
from tracing_lib import TracingSettings, configure
tracing = configure(TracingSettings(service_name="portal", endpoint={url!r}, export_interval_seconds=600, shutdown_seconds=20))
tracer = tracing.tracer("t")
async def app(scope, receive, send):
    if scope["type"] != "http":
        return await lifespan(receive, send)
    with tracer.start_as_current_span("request"):
        await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2"), (b"connection", b"close")]}})
        await send({{"type": "http.response.body", "body": b"ok"}})
async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({{"type": message["type"] + ".complete"}})
        if message["type"] == "lifespan.shutdown":
            return
def wsgi(environ, start):
    with tracer.start_as_current_span("request"):
        start("200 OK", [("Content-Length", "2"), ("Connection", "close")])
    return [b"ok"]
"""

SERVERS = {
    "uvicorn": "uvicorn service:app --port {port}",
    "uvicorn --workers": "uvicorn service:app --workers 2 --port {port}",
    "uvicorn --reload": "uvicorn service:app --reload --port {port}",
    "gunicorn, sync": "gunicorn service:wsgi --workers 2 --bind 127.0.0.1:{port}",
    "gunicorn, gthread": "gunicorn service:wsgi --worker-class gthread --threads 4 --workers 2 --bind 127.0.0.1:{port}",
    "gunicorn, uvicorn workers": "gunicorn service:app --worker-class uvicorn_worker.UvicornWorker --workers 2 --bind 127.0.0.1:{port}",
    "gunicorn --preload, sync": "gunicorn service:wsgi --preload --workers 2 --bind 127.0.0.1:{port}",
    "gunicorn --preload, gthread": "gunicorn service:wsgi --preload --worker-class gthread --threads 4 --bind 127.0.0.1:{port}",
    "gunicorn --preload, uvicorn workers": (
        "gunicorn service:app --preload --worker-class uvicorn_worker.UvicornWorker --workers 2 --bind 127.0.0.1:{port}"
    ),
    "gunicorn, gevent": "gunicorn service:wsgi --worker-class gevent --workers 2 --bind 127.0.0.1:{port}",
    "granian": "granian --interface asgi service:app --port {port}",
    "hypercorn": "hypercorn service:app --bind 127.0.0.1:{port}",
    "hypercorn --workers": "hypercorn service:app --workers 2 --bind 127.0.0.1:{port}",
}
"""Command lines of servers, by their rows in the documentation."""

PROGRAMS = {
    "asyncio": """
    import asyncio, os, signal
    async def main():
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        for _ in range(40):
            tracer.start_span("request").end()
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
    asyncio.run(main())
    """,
    "asyncio, no handler": """
    import asyncio, os, signal
    async def main():
        for _ in range(40):
            tracer.start_span("request").end()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(600)
    asyncio.run(main())
    """,
    "threads": """
    import threading
    def work():
        for _ in range(10):
            tracer.start_span("request").end()
    for thread in [threading.Thread(target=work) for _ in range(4)]:
        thread.start()
    """,
    **{
        f"multiprocessing, {way}": f"""
    import multiprocessing
    import service
    if __name__ == "__main__":
        context = multiprocessing.get_context("{way}")
        children = [context.Process(target=service.work) for _ in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join()
    """
        for way in ("fork", "spawn", "forkserver")
    },
}
"""Programs of 40 spans, by their rows in the documentation."""


@pytest.mark.server
@pytest.mark.parametrize("row", SERVERS)
def test_a_server_that_is_stopped_delivers_every_span_of_its_workers(row: str, tmp_path: Path) -> None:
    with Collector() as collector:
        (tmp_path / "service.py").write_text(SERVICE.format(url=collector.url))
        (port,) = free_ports(1)
        log = tmp_path / "log"
        command = [sys.executable, "-m", *SERVERS[row].format(port=port).split()]
        with log.open("w") as out:
            process = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out, start_new_session=True)
            try:
                until(lambda: _answers(port), log.read_text, progress=log.read_text)
                answered = 1 + sum(_answers(port) for _ in range(REQUESTS))
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=STALL_SECONDS)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        until(
            lambda: len(collector.ids) >= answered,
            lambda: f"{len(collector.ids)} of {answered}: {log.read_text()}",
            progress=lambda: len(collector.ids),
        )
        assert answered == len(collector.ids) == 1 + REQUESTS


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=STALL_SECONDS) as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False


@pytest.mark.parametrize("row", PROGRAMS)
def test_a_program_that_ends_delivers_every_span_of_its_processes(row: str, tmp_path: Path) -> None:
    with Collector() as collector:
        service = SERVICE.format(url=collector.url) + "def work():\n    for _ in range(10):\n        tracer.start_span('request').end()\n"
        (tmp_path / "service.py").write_text(service)
        (tmp_path / "program.py").write_text("from service import tracer\n" + textwrap.dedent(PROGRAMS[row]))
        ended = subprocess.run(
            [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=STALL_SECONDS
        )
        assert (ended.returncode, ended.stderr) == (-signal.SIGTERM if row == "asyncio, no handler" else 0, "")
        assert len(collector.ids) == REQUESTS


def test_every_row_of_the_table_in_the_documentation_is_tested() -> None:
    page = (Path(__file__).parents[3] / "docs" / "library" / "processes.md").read_text()
    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) == {*SERVERS, *PROGRAMS, "celery, prefork"}


CELERY = """
import os
from celery import Celery
from celery.signals import worker_ready
from service import tracer
folders = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), os.getcwd())
app = Celery("jobs", broker="filesystem://", broker_transport_options=folders)
@app.task
def work(number):
    for _ in range(10):
        tracer.start_span("request").end()
    open(f"done.{number}", "w").close()
@worker_ready.connect
def begin(**_):
    for number in range(4):
        work.delay(number)
"""


def test_the_children_of_a_pool_of_celery_deliver_every_span_when_it_is_stopped(tmp_path: Path) -> None:
    with Collector() as collector:
        (tmp_path / "service.py").write_text(SERVICE.format(url=collector.url))
        (tmp_path / "jobs.py").write_text(CELERY)
        command = [sys.executable, "-m", "celery", "-A", "jobs", "worker", "--pool", "prefork", "--concurrency", "2", "--without-mingle"]
        log = tmp_path / "log"
        with log.open("w") as out:
            process = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out, start_new_session=True)
            try:
                until(lambda: len(list(tmp_path.glob("done.*"))) == 4, log.read_text, progress=log.read_text)
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=STALL_SECONDS)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        assert len(collector.ids) == REQUESTS, log.read_text()


LARGE = """
import os, signal, time, threading
from tracing_lib import TracingSettings, configure
import sys
tracing = configure(TracingSettings(service_name="a", endpoint=sys.argv[1], shutdown_seconds=2, export_interval_seconds=600))
tracer = tracing.tracer("t")
attributes = {f"virtengine.key.{number}": "text of some length " * 20 for number in range(100)}
for _ in range(50):
    tracer.start_span("first").end()
print("ready", flush=True)
while True:
    tracer.start_span("large", attributes=attributes).end()
"""


def test_sigterm_while_the_main_thread_makes_large_spans_ends_within_the_deadline() -> None:
    with Collector() as collector:
        process = subprocess.Popen([sys.executable, "-c", LARGE, collector.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout
        process.stdout.readline()
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=STALL_SECONDS)
        assert process.returncode == -signal.SIGTERM, said
        assert collector.ids, said
        assert re.findall(r"shutdown took ([01]\.\d|2\.0) s", said) or time.monotonic() - started < 3, said
