"""A file of traces: OTLP JSON, one trace a line, compressed; written piece by piece so that a broken run goes on where it ended.

A line is an ``ExportTraceServiceRequest`` in OTLP's JSON, which the collector's ``otlpjsonfile`` receiver reads as well. Each piece is
whole gzip members, because the file up to the last whole member can always be read.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import shlex
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LEVEL: Final = 6
_ENCODING: Final = "utf-8-sig"
UNREADABLE: Final = (OSError, EOFError, UnicodeDecodeError, zlib.error)
"""Errors of reading a file that is damaged, lacks its end, or is no text."""
_MOST: Final = 2**63
_MEMBER_BYTES: Final = 4 * 2**20
"""Bytes of lines that are compressed together, at most; fewer compress worse."""


class CopyError(Exception):
    """A copy could not be made; the text says why, and what to do."""


class NoTracesError(CopyError):
    """A file was read to its end, and has no trace."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a copy: ``wanted`` tells what is copied, ``at`` the place in it up to which all is done."""

    wanted: dict[str, Any]
    at: float
    bytes: int = 0
    traces: int = 0
    spans: int = 0


def is_number(value: object) -> bool:
    """Whether a value of a note is a number that a copy can have: none below 0, and none too large for a date or the size of a file."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST


@dataclass(frozen=True, slots=True)
class Note:
    """The progress of a copy beside its file, replaced as a whole so that a kill leaves the one before.

    ``part`` is the file that the copy is written to, if it is written to one.
    """

    path: Path
    part: Path | None = None

    def read(self) -> Progress | None:
        """Return the progress of a copy that was broken off, or None. Raises ``CopyError`` for a file that is none."""
        try:
            found: Any = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            raise self.foreign() from None
        if not (isinstance(found, dict) and found.keys() == set(Progress.__slots__) and isinstance(found["wanted"], dict)):
            raise self.foreign()
        counts = [found[key] for key in ("bytes", "traces", "spans")]
        if not (is_number(found["at"]) and all(is_number(one) and isinstance(one, int) for one in counts)):
            raise self.foreign()
        return Progress(**found)

    def foreign(self) -> CopyError:
        """The error of a file beside the copy that tells no progress of it."""
        return CopyError(f"{self.path}: is no progress of a copy; look what it is, and begin anew: {self.anew}")

    @property
    def anew(self) -> str:
        """The command after which the copy begins anew."""
        return shlex.join(["rm", "-f", *(str(path) for path in (self.path, self.part) if path is not None)])

    def write(self, progress: Progress) -> None:
        """Keep the progress."""
        beside = self.path.with_name(f"{self.path.name}.new")
        beside.write_text(json.dumps(asdict(progress)), encoding="utf-8")
        beside.replace(self.path)

    def remove(self) -> None:
        """Forget it: the copy is whole."""
        self.path.unlink(missing_ok=True)


class Archive:
    """A file that traces are added to. ``size`` bytes of it are whole; what a broken run wrote behind them is cut off.

    Raises ``CopyError`` while another run adds to it.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._file = path.open("r+b" if path.exists() else "w+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise CopyError(f"{path}: another export writes it just now; wait until it has ended, or name another file") from None
        self._file.truncate(size)
        self._file.seek(size)
        self._waiting = bytearray()

    def add(self, lines: Sequence[str]) -> None:
        """Add lines to the piece."""
        self._waiting += "".join(f"{line}\n" for line in lines).encode()
        if len(self._waiting) >= _MEMBER_BYTES:
            self._compress()

    def flush(self) -> int:
        """End the piece, which is on the disk when this returns; return the size of the file."""
        self._compress()
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def _compress(self) -> None:
        if self._waiting:
            self._file.write(gzip.compress(bytes(self._waiting), _LEVEL))
            self._waiting.clear()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_text(path: Path) -> TextIO:
    """Open a file of text, compressed or not, with or without a mark of its encoding. Raises ``OSError``; reading raises ``UNREADABLE``."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding=_ENCODING) if compressed else path.open(encoding=_ENCODING)


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a file of traces, compressed or not. Raises ``CopyError`` for a file that cannot be read to its end."""
    number = 0
    try:
        with open_text(path) as lines:
            for line in lines:
                number += 1
                if line.strip():
                    yield line
    except OSError as error:
        raise CopyError(f"{path}: {error.strerror or error}; name a file that `export` wrote") from None
    except UNREADABLE:
        raise CopyError(f"{path}: ends or is damaged behind line {number}; export it again") from None
