"""A program gets exactly what it was given, and lives no longer than the thread that started it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.local.process import Process, describe_exit
from tests.components.local.stage import lives
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("foreground_signals")
SLEEP = shutil.which("sleep") or "/bin/sleep"


def sleeper() -> Process:
    return Process([SLEEP, "600"], environment={"ONLY": "this"}, output=2)


def is_asleep(process: Process) -> bool:
    return Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[:2] == [SLEEP.encode(), b"600"]


@pytest.fixture
def asleep() -> Iterator[Process]:
    """A running program that is no Python, so that it shows what it was given unchanged."""
    process = sleeper()
    until(lambda: is_asleep(process))
    yield process
    process.kill()


def test_a_program_gets_the_given_environment_and_no_ignored_signals(asleep: Process) -> None:
    assert Path(f"/proc/{asleep.pid}/environ").read_bytes() == b"ONLY=this\0"
    ignored = next(
        line for line in Path(f"/proc/{asleep.pid}/status").read_text(encoding="utf-8").splitlines() if line.startswith("SigIgn")
    )
    # Of the signals that Python knows: what started the tests may ignore one of libc's own.
    assert [number for number in signal.valid_signals() if int(ignored.split()[1], 16) >> (number - 1) & 1] == []


def test_a_program_has_a_session_of_its_own(asleep: Process) -> None:
    assert os.getsid(asleep.pid) == asleep.pid != os.getsid(0)


def test_a_program_that_is_killed_is_gone(asleep: Process) -> None:
    assert not asleep.is_gone()
    asleep.kill()
    assert asleep.is_gone()
    assert asleep.exit_status() == -signal.SIGKILL
    asleep.signal(signal.SIGTERM)  # nobody is there any more


def test_a_program_ends_with_the_thread_that_started_it() -> None:
    started: list[Process] = []

    def start() -> None:
        started.append(sleeper())
        until(lambda: is_asleep(started[0]))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    until(lambda: not lives(started[0].pid))
    started[0].kill()


def test_an_end_is_described_by_its_signal_or_its_status() -> None:
    assert [describe_exit(status) for status in (0, 3, -9, -250)] == ["exit status 0", "exit status 3", "SIGKILL", "signal 250"]
