"""Queue files that are set aside, so that the successor of a collector that could not read one starts."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.damage import COUNT, FOLDER, MOST_DOUBTED, QUEUE_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Aside:
    """Queue files that were set aside: where they are now, and their bytes. ``put_back`` is one of before that proved to be whole."""

    files: tuple[Path, ...]
    size_bytes: int
    put_back: Path | None


@dataclass(slots=True)
class Queues:
    """The queues of an instance in ``folders``, and which of their files are in doubt.

    The rules are those of the script in ``components.damage``.
    """

    folders: Sequence[Path]
    _doubted: tuple[Path, Path] | None = None
    """A file that may be whole, and where it is now."""
    _whole: list[Path] = field(default_factory=list)

    def variables(self) -> Mapping[str, str]:
        """The variable that tells a collector how many of its queue files were set aside so far; none where it has no queue."""
        return {COUNT: str(sum(1 for folder in self.folders for _ in (folder / FOLDER).glob("*")))} if self.folders else {}

    def blame(self, named: str | None, *, since: int) -> Aside | None:
        """Set aside what a collector that was started at ``since`` could not read; None where there is no file.

        ``named`` is the name of the file where the collector told it, ``since`` in nanoseconds since 1970. Raises OSError when a file
        cannot be moved.
        """
        back = self._settle()
        files = [path for folder in self.folders for path in sorted(folder.glob(QUEUE_FILES))]
        if not files:
            return None
        told = [path for path in files if path.name == named]
        suspects = [path for path in files if path.stat().st_mtime_ns <= since and path not in self._whole]
        doubtful = not told and len(suspects) > 1 and len(self._whole) < MOST_DOUBTED
        chosen = told or (suspects[:1] if doubtful else suspects) or files
        moved = _move(chosen)
        if doubtful:
            self._doubted = chosen[0], moved[0]
        return Aside(moved, sum(path.stat().st_size for path in moved), back)

    def _settle(self) -> Path | None:
        """Put the file in doubt back, and return it, where the collector has ended before it came to make it anew."""
        doubted, self._doubted = self._doubted, None
        if doubted is None or doubted[0].exists():
            self._whole.clear()
            return None
        self._whole.append(doubted[1].rename(doubted[0]))
        return doubted[0]


def _move(files: Sequence[Path]) -> tuple[Path, ...]:
    """Move files into the folder beside them; the bytes of those that are there already are deleted."""
    for aside in {path.parent / FOLDER for path in files}:
        aside.mkdir(mode=0o700, exist_ok=True)
        for earlier in aside.iterdir():
            if earlier.is_dir():
                shutil.rmtree(earlier)
            earlier.write_bytes(b"")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    moved: list[Path] = []
    for path in files:
        name = f"{path.name}.{stamp}"
        while (path.parent / FOLDER / name).exists():  # two in one second: an earlier one is kept, because their number is told
            name += "."
        moved.append(path.rename(path.parent / FOLDER / name))
    return tuple(moved)
