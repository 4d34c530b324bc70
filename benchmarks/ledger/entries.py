"""A line of the ledger: a figure that a command prints, and its measurement; and the files that keep them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parent / "kept"
"""Part of the repository, because some runs need what few machines have, and their last figures stay."""

Unit = Literal["bytes", "spans/s", "traces", "spans", "series", "workloads", "services", "seconds", "µs", "share"]
Bound = Literal["", "at least", "at most"]
DISK, MEMORY, RATE, EXACT = 0.15, 0.25, 0.05, 0.0
"""Differences that are allowed, as shares of the figure."""
CPU = 0.35
"""Difference that is allowed of processor time, which the caches of a machine change more than any arithmetic knows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A figure that ``command`` prints, in words, and what was measured.

    ``key`` is its place in what the command prints with ``--json``, as in the table of figures. ``foreseen`` is None where the command
    says nothing. ``allowed`` is the share by which it may differ. A ``bound`` tells that the figure is a limit: "at least" is not broken
    by more than was foreseen, "at most" not by less.
    """

    command: str
    key: str
    figure: str
    unit: Unit
    foreseen: float | None
    measured: float
    allowed: float
    bound: Bound = ""

    @property
    def off(self) -> float:
        """Difference of the measurement from the figure, as a share of the measurement."""
        if self.foreseen is None or self.foreseen == self.measured:
            return 0.0
        return self.foreseen / self.measured - 1 if self.measured else float("inf")

    @property
    def right(self) -> bool:
        """Whether the figure is as near as it must be."""
        if self.foreseen is None or abs(self.off) <= self.allowed:
            return True
        return self.measured > self.foreseen if self.bound == "at least" else self.measured < self.foreseen and self.bound == "at most"


@dataclass(frozen=True, slots=True)
class Kept:
    """The entries of a run, how they were made, its day (UTC), and the load average of the machine at its end (5 minutes)."""

    run: str
    how: str
    day: str
    load_average: float
    entries: tuple[Entry, ...]


def write(kept: Kept) -> None:
    """Keep the entries of a run, in place of earlier ones."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _path(kept.run).write_text(json.dumps(asdict(kept), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read(run: str) -> Kept | None:
    """The kept entries of a run, if there are any."""
    if not _path(run).exists():
        return None
    kept = json.loads(_path(run).read_text(encoding="utf-8"))
    return Kept(**kept | {"entries": tuple(Entry(**entry) for entry in kept["entries"])})


def _path(run: str) -> Path:
    return FOLDER / f"{run}.json"
