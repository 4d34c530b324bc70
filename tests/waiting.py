"""Wait for progress: a wait ends when its condition holds and fails when nothing has advanced for a long time.

How long a step takes depends on the load of the machine, so no test guesses it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

STALL_SECONDS: Final = 120.0
"""Seconds without progress after which a wait fails; also the limit of one blocking call, such as an answer or a message.

Two minutes, because a step of the tests takes a second of CPU at most, and at a load of 30 on two cores a second of CPU takes 15 to 20.
Only a test that fails spends them.
"""


def until(
    condition: Callable[[], _T],
    awaited: str | Callable[[], object] = "the condition",
    *,
    progress: Callable[[], object] | None = None,
    every: float = 0.02,
) -> _T:
    """Wait until ``condition`` is true and return what it returned.

    ``progress`` is what advances meanwhile, such as the number of spans that have arrived: whenever it differs from before, the wait
    starts anew. ``awaited`` goes into the AssertionError that is raised after ``STALL_SECONDS`` without progress. ``every`` is the
    pause between two looks, in seconds.
    """
    seen, since = progress() if progress else None, time.monotonic()
    while not (found := condition()):
        if progress and (now := progress()) != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() - since > STALL_SECONDS:
            described = awaited if isinstance(awaited, str) else awaited()
            raise AssertionError(f"no progress for {STALL_SECONDS:g} s while waiting for: {described}")
        time.sleep(every)
    return found


def load_per_core() -> float:
    """Return how many processes want each core at present, at least 1: what a time is to be multiplied by on a loaded machine."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def cpu_ticks(pid: int) -> int:
    """Return the CPU time that a process has used, in clock ticks; 0 once it has ended. A process that starts or ends uses some."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[11]) + int(fields[12])
