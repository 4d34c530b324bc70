"""The script that starts collectors in containers, run with busybox on the real collector: what it sets aside, and what it leaves alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from components.damage import COUNT, FOLDER, guarded
from components.documents import collector, ports, queues
from components.local.addresses import hold_block
from stacks.trial.traces import Template, new_trace
from tests.servers.damages import DAMAGES, counted
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = "Everything is ready"
BUSYBOX = shutil.which("busybox")

pytestmark = pytest.mark.skipif(
    BUSYBOX is None and not (os.environ.get("CI") == "true" and os.geteuid() == 0),
    reason="no busybox on PATH; as root on Debian: make debian",
)


class Started:
    """A collector under the script: its queue's folder, its log, and its address."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, log: Path, host: str) -> None:
        self.process, self.folder, self.log, self.host = process, folder, log, host
        self.before = log.read_text().count(READY) if log.exists() else 0
        self._url = f"http://{host}:{ports.TELEMETRY.number}/metrics"

    def metrics(self) -> str:
        """Its own metrics, empty while it does not answer."""
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self._url) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            return ""

    def ready(self, aside: int) -> bool:
        """Whether it takes spans, so many queue files having been set aside so far."""
        # Its metrics answer before it opens its queues.
        return counted(self.metrics()) == str(aside) and self.log.read_text().count(READY) > self.before

    def kill(self) -> None:
        """End the script, the collector and all else that the script has started."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def send(self, traces: int) -> None:
        """Send so many traces, of which each gateway gets a share."""
        body = Template("portal", range(2), spans=2).encode([new_trace(time.time_ns()) for _ in range(traces)])
        url = f"http://{self.host}:{ports.OTLP_HTTP.number}/v1/traces"
        request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            assert answer.status == 200

    def lines(self) -> list[dict[str, object]]:
        """The lines of its log that are JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def shell(folder: Path, *command: str) -> list[str]:
    assert BUSYBOX is not None
    return guarded(command, folders=[str(folder)], busybox=BUSYBOX)


GATEWAYS = 3


@contextmanager
def started(program: Path, place: Path, gateways: tuple[str, ...] = ()) -> Iterator[Started]:
    """An agent on queues in a folder of the place, whose gateways are away, or at these addresses."""
    with hold_block(place) as block:
        host = block[1]
        yield from running(program, place, host, gateways or tuple(f"{host}:{number + 1}" for number in range(GATEWAYS)))


def running(program: Path, place: Path, host: str, endpoints: tuple[str, ...]) -> Iterator[Started]:
    metrics = collector.TraceMetrics(f"{host}:{ports.SPAN_METRICS.number}", 1000, (), (100,), 100, 60_000, (), (100,), 1000, 100)
    text = collector.agent(
        collector.Intake(f"{host}:{ports.OTLP_GRPC.number}", f"{host}:{ports.OTLP_HTTP.number}"),
        collector.Operation(f"{host}:{ports.HEALTH.number}", host, ports.TELEMETRY.number, 256 * 2**20),
        queues.Queue(str(place / "queue"), 2**26, sync_writes=False),
        metrics,
        upstream=queues.Gateways(endpoints, 10, 5, 2**24, 2**16),
        enriched=False,
    )
    document, log = place / "collector.yaml", place / "log"
    document.write_text(text)
    (place / "queue").mkdir(exist_ok=True)
    command = shell(place / "queue", str(program), f"--config={document}")
    with log.open("ab") as output, subprocess.Popen(command, stderr=output, start_new_session=True) as process:
        try:
            yield Started(process, place / "queue", log, host)
        finally:
            process.terminate()
            # Its metrics answer before it listens to signals.
            assert process.wait(STALL_SECONDS) in {0, 128 + signal.SIGTERM, -signal.SIGKILL}


def queue_files(folder: Path) -> dict[str, int]:
    """The queue files in a folder by name, each with its inode, which another file of that name would not have."""
    return {path.name: path.stat().st_ino for path in folder.glob("exporter_*")}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_damaged_file_alone_is_set_aside_said_and_counted(programs: dict[str, Path], tmp_path: Path, damage: str) -> None:
    program = programs["otelcol-contrib"]
    with started(program, tmp_path) as first:
        until(lambda: first.ready(0), first.log.read_text)
    before = queue_files(first.folder)
    assert len(before) == GATEWAYS
    file = first.folder / "exporter_otlp_http_gateway-1_traces"
    damaged = DAMAGES[damage](file.read_bytes())
    for times in (1, 2):
        file.write_bytes(damaged)
        with started(program, tmp_path) as again:
            until(lambda times=times: again.ready(times), again.log.read_text)  # type: ignore[misc]
        kept = sorted((again.folder / FOLDER).iterdir())
        told = [line for line in again.lines() if "set aside, with" in str(line["msg"])]
        assert [len(path.read_bytes()) for path in kept] == [*[0] * (times - 1), len(damaged)]
        assert kept[-1].read_bytes() == damaged
        assert (told[-1]["file"], told[-1]["bytes"]) == (str(kept[-1]), len(damaged))
        after = queue_files(again.folder)
        assert {name for name in before if after.get(name) != before[name]} == {file.name}


def test_a_folder_in_the_place_of_a_file_is_set_aside_with_what_is_in_it(programs: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "queue" / "exporter_otlp_http_gateway-1_traces"
    (place / "of").mkdir(parents=True)
    with started(programs["otelcol-contrib"], tmp_path) as first:
        until(lambda: first.ready(1), first.log.read_text)
    (kept,) = (first.folder / FOLDER).iterdir()
    assert [path.name for path in kept.iterdir()] == ["of"]
    assert place.is_file()


def test_an_agent_with_a_damaged_file_waits_for_no_answer_to_its_other_queues(programs: dict[str, Path], tmp_path: Path) -> None:
    program = programs["otelcol-contrib"]
    with socket.create_server(("127.0.0.1", 0)) as hung:  # takes connections and answers nothing
        gateways = tuple([f"127.0.0.1:{hung.getsockname()[1]}"] * GATEWAYS)
        with started(program, tmp_path, gateways) as first:
            until(lambda: first.ready(0), first.log.read_text)
            first.send(30)
            first.kill()
        (first.folder / "exporter_otlp_http_gateway-1_traces").write_bytes(b"no database\n")
        since = time.monotonic()
        with started(program, tmp_path, gateways) as again:
            until(lambda: again.ready(1), again.log.read_text)
            # A request is waited for until its time is up, after two minutes and more.
            assert time.monotonic() - since < 60
            again.kill()


WORDS = "Error: Failed to start component: invalid database"


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ("sys.exit(0)", 0),
        ("sys.exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("print('x\\n' * 3000, file=sys.stderr); sys.exit(1)", 1),
    ],
)
def test_a_whole_file_stays_whatever_ended_the_server(tmp_path: Path, ends: str, status: int) -> None:
    (tmp_path / "exporter_otlp").write_bytes(b"whole")
    program = f"import os, signal, sys; print({WORDS!r}, file=sys.stderr, flush=True); {ends}"
    done = subprocess.run(shell(tmp_path, sys.executable, "-c", program), capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert WORDS in done.stderr
    assert (tmp_path / "exporter_otlp").read_bytes() == b"whole"


def test_a_server_that_fails_without_a_file_to_blame_ends_with_its_own_status(tmp_path: Path) -> None:
    program = f"import sys; print({WORDS!r}, file=sys.stderr); sys.exit(1)"
    done = subprocess.run(shell(tmp_path, sys.executable, "-c", program), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, WORDS + "\n")


def test_sigterm_reaches_the_server_which_may_take_its_time(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time, os\n"
        "def end(*_):\n time.sleep(1); print('ended', file=sys.stderr, flush=True); sys.exit(7)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"print('begun', os.environ[{COUNT!r}], file=sys.stderr, flush=True)\nwhile True: time.sleep(10)"
    )
    log = tmp_path / "log"
    with log.open("wb") as output, subprocess.Popen(shell(tmp_path, sys.executable, "-c", program), stderr=output) as process:
        until(lambda: log.read_text() == "begun 0\n", log.read_text)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STALL_SECONDS) == 7
    assert log.read_text() == "begun 0\nended\n"
