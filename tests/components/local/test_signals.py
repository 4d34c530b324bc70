"""However the supervisor ends, its servers end too."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from components.local.errors import FolderInUseError
from components.local.files import hold_folder
from tests.components.local.stage import Stage, lives
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("foreground_signals")


@contextmanager
def supervising(stage: Stage, **behaviour: object) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own; killed at the end of the test if it still runs."""
    command = [sys.executable, "-m", "tests.components.local.run_stage", str(stage.folder), json.dumps(behaviour)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def server_of(process: subprocess.Popen[str]) -> int:
    """The process id of the server, as soon as it is up."""
    for line in output(process):
        if line.startswith("pid "):
            return int(line.split()[1])
    pytest.fail("it ended before its server was up")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_everything_in_order(stage: Stage, number: signal.Signals) -> None:
    with supervising(stage, drain_seconds=0.3) as process:
        server = server_of(process)
        process.send_signal(number)
        process.send_signal(number)  # a wrapper that passes on what the terminal sent as well
        said = output(process).read().splitlines()
        assert process.wait() == 0
    assert said == [f"{number.name}: stopping; again to kill at once", "all stopped"]
    assert stage.journal == ["start backend", "stop backend"]
    assert not lives(server)


def test_the_second_ctrl_c_ends_everything_at_once(stage: Stage) -> None:
    with supervising(stage, ignores_sigterm=True, grace_seconds=600) as process:
        server = server_of(process)
        process.send_signal(signal.SIGINT)
        assert "stopping" in output(process).readline()
        time.sleep(0.7)  # longer than what counts as the same keypress
        assert lives(server)
        process.send_signal(signal.SIGINT)
        assert process.wait(STALL_SECONDS) == -signal.SIGINT
        until(lambda: not lives(server))


def test_a_signal_while_a_server_comes_up_stops_it(stage: Stage) -> None:
    with supervising(stage, start_seconds=600, never_healthy=True) as process:
        until(lambda: stage.journal == ["start backend"])
        process.send_signal(signal.SIGTERM)
        said = output(process).read()
        assert process.wait() == 1
    assert "stopped while backend was starting" in said
    assert stage.journal == ["start backend", "stop backend"]


def test_a_killed_supervisor_leaves_nothing_not_even_what_it_had_restarted(stage: Stage) -> None:
    with supervising(stage) as process:
        first = server_of(process)
        subprocess.run(["kill", "-KILL", str(first)], check=True)
        assert "died (SIGKILL)" in output(process).readline()
        pid_file = stage.folder / "state" / "pids" / "backend.pid"
        until(lambda: pid_file.exists() and pid_file.read_text(encoding="utf-8").strip() not in {"", str(first)})
        again = int(pid_file.read_text(encoding="utf-8"))
        until(lambda: stage.journal.count("start backend") == 2)
        assert lives(again)
        process.kill()
        process.wait()
        until(lambda: not lives(again))


def test_an_environment_in_use_is_refused_and_free_when_its_process_is_killed(stage: Stage) -> None:
    with supervising(stage) as process:
        server_of(process)
        with pytest.raises(FolderInUseError, match=f"kill {process.pid}"), hold_folder(stage.folder / "state"):
            pytest.fail("held twice")
        process.kill()
        process.wait()
        with hold_folder(stage.folder / "state"):
            pass
