"""The most memory that instances on this machine occupy, over all of their processes."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from components.local.errors import NotRunningError
from components.local.instances import read_listing

if TYPE_CHECKING:
    from collections.abc import Iterable

PERIOD_SECONDS = 0.5
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident(pid: int) -> int:
    """Bytes of memory that a process holds now. Raises ``OSError`` where it has ended."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES


class Memory:
    """Reads the resident bytes of instances of the environment in ``folder`` twice a second, from ``start`` until ``stop``."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.most = dict.fromkeys(names, 0)
        self._folder = folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def start(self) -> Memory:
        """Begin to read, and return at once."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Read no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_SECONDS):
            # An instance that has just ended is read in the next period.
            with suppress(OSError, ValueError, NotRunningError):
                self._read()

    def _read(self) -> None:
        for listed in read_listing(self._folder):
            if listed.instance in self.most and listed.pid is not None:
                self.most[listed.instance] = max(self.most[listed.instance], resident(listed.pid))
