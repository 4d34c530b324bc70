"""Child processes of the rig: each with a log of its own, stopped in the reverse order of their start."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from tests.waiting import load_per_core

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

STOP_SECONDS = 20.0
POLL_SECONDS = 0.2
SHOWN_LINES = 15


class RigError(Exception):
    """Something the rig needs is missing or did not start; the message says what to do."""


def program(name: str) -> str:
    """Where a program lies.

    Raises RigError when it is not on PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise RigError(f"{name} is not on PATH; tests/cluster/node/README.md says where each program comes from")
    return found


def run(*command: str, check: bool = True, text: str | None = None) -> str:
    """Run a short command and give its output.

    Raises RigError when it fails and ``check`` is set.
    """
    done = subprocess.run([program(command[0]), *command[1:]], check=False, capture_output=True, text=True, input=text)
    if check and done.returncode != 0:
        raise RigError(f"{' '.join(command)} failed with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


class Processes:
    """The processes that this rig started, in the order of their start."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, *command: str) -> None:
        """Start a program in a session of its own, its output in a log named after it."""
        name = command[0]
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen([program(name), *command[1:]], stdout=log, stderr=log, start_new_session=True)
        self._running.append((name, process))

    def wait_for(self, what: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ``ready`` says so, on a loaded machine longer than these seconds.

        Raises RigError when the time is up or when one of the processes has ended meanwhile.
        """
        deadline = time.monotonic() + seconds * load_per_core()
        while not ready():
            for name, process in self._running:
                if process.poll() is not None:
                    raise RigError(f"{name} ended with {process.returncode} while waiting for {what}:\n{self.tail(name)}")
            if time.monotonic() > deadline:
                raise RigError(f"no {what} after {seconds * load_per_core():.0f} s; logs are in {self._logs}")
            time.sleep(POLL_SECONDS)

    def ended(self) -> Sequence[str]:
        """Those that have ended by themselves."""
        return [name for name, process in self._running if process.poll() is not None]

    def tail(self, name: str) -> str:
        """The last lines that a process wrote."""
        lines = (self._logs / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(f"  {line[:400]}" for line in lines[-SHOWN_LINES:])

    def stop(self, name: str) -> None:
        """Stop the process of that name, if it was started."""
        for started, process in self._running:
            if started == name and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._running = [(started, process) for started, process in self._running if started != name]

    def stop_all(self) -> None:
        """Stop what still runs, the youngest first."""
        for name, _ in reversed(list(self._running)):
            self.stop(name)
