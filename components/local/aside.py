"""Queue files that are set aside, so that the successor of a collector that could not read one starts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.damage import FOLDER, QUEUE_FILES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Aside:
    """Queue files that were set aside: where they are now, and their bytes."""

    files: tuple[Path, ...]
    size_bytes: int


def set_aside(folders: Sequence[Path]) -> Aside | None:
    """Move all queue files in the folders aside; None where there is none. Raises OSError when one cannot be moved."""
    moved: list[Path] = []
    for folder in folders:
        found = [path for path in sorted(folder.glob(QUEUE_FILES)) if path.is_file()]
        if not found:
            continue
        aside = folder / FOLDER
        aside.mkdir(mode=0o700, exist_ok=True)
        for earlier in aside.iterdir():
            earlier.write_bytes(b"")
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for path in found:
            name = f"{path.name}.{stamp}"
            while (aside / name).exists():  # two in one second: an earlier one is kept, because their number is told
                name += "."
            moved.append(path.rename(aside / name))
    return Aside(tuple(moved), sum(path.stat().st_size for path in moved)) if moved else None


def count(folders: Sequence[Path]) -> int:
    """Number of queue files in the folders that were set aside so far."""
    return sum(path.is_file() for folder in folders for path in (folder / FOLDER).glob("*"))
