"""Damaged queue files: found by the last words of a collector that ended, and set aside so that its successor starts.

A collector opens the file of each queue at its start and reads through all of its pages. Damage there ends the process: by an error, or by
a panic in a thread of its own, which no setting of the collector catches.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FOLDER = "damaged"
"""Folder within that of the queue. It holds the files that were set aside last; earlier ones are deleted, because they take the room that
the queue may need."""

_DAMAGE = re.compile(
    r"^(?=.*Failed to start component).*(invalid database|file size too small|version mismatch|checksum error)|go\.etcd\.io/bbolt"
)
"""Words of the storage's library when it cannot read a file, or its name in the trace of a panic."""

_QUEUE_FILES = "exporter_*"


@dataclass(frozen=True, slots=True)
class Aside:
    """Queue files that were set aside: where they are now, and their bytes."""

    files: tuple[Path, ...]
    size_bytes: int


def tells_of_damage(last_lines: Iterable[str]) -> bool:
    """Whether a process that ended could not read the file of a queue."""
    return any(_DAMAGE.search(line) for line in last_lines)


def set_aside(folders: Sequence[Path]) -> Aside | None:
    """Move all queue files in the folders aside; None where there is none. Raises OSError when one cannot be moved."""
    moved: list[Path] = []
    for folder in folders:
        found = [path for path in sorted(folder.glob(_QUEUE_FILES)) if path.is_file()]
        if not found:
            continue
        aside = folder / FOLDER
        aside.mkdir(mode=0o700, exist_ok=True)
        for earlier in aside.iterdir():
            earlier.unlink()
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        moved += [path.rename(aside / f"{path.name}.{stamp}") for path in found]
    return Aside(tuple(moved), sum(path.stat().st_size for path in moved)) if moved else None
