"""A child process in its own session: Ctrl-C in the terminal does not reach it, and signals reach all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KILL_SECONDS = 5.0
"""Only a process stuck in the kernel takes longer to die of SIGKILL; it is not waited for."""

LAUNCHER = Path(__file__).with_name("launch.py")


class Process:
    """A running program and the processes that it started.

    On Linux the kernel kills it (SIGKILL) when the *thread* that called this constructor ends, so call it from one that lives as long
    as the program should. Elsewhere it outlives a supervisor that is killed. Raises OSError when it cannot be started.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], output: int, folder: Path | None = None) -> None:
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid())] if sys.platform == "linux" else []
        self._leader = subprocess.Popen(
            [*launcher, *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
        )
        self.pid = self._leader.pid

    def exit_status(self) -> int | None:
        """None while the program runs, else its exit status, negative for the signal that ended it."""
        return self._leader.poll()

    def is_gone(self) -> bool:
        """Whether the program and all that it started have ended."""
        if self._leader.poll() is None:
            return False
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # macOS says this of a group that holds nothing but zombies
            return True
        return not _runs_in_group(self.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send the signal to the program and all that it started; nothing happens when they have ended."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """End the program and all that it started at once, and wait until they are gone."""
        self.signal(signal.SIGKILL)
        self._leader.wait()
        deadline = time.monotonic() + KILL_SECONDS
        while not self.is_gone() and time.monotonic() < deadline:
            time.sleep(0.01)


def _runs_in_group(group: int) -> bool:
    """Whether the process group holds more than zombies: in a container, process 1 may reap orphans late or never."""
    if sys.platform != "linux":
        return True
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _parent, its_group = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False


def describe_exit(status: int) -> str:
    """``SIGKILL`` for -9, ``exit status 1`` for 1."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
