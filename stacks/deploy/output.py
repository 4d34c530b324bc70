"""The output of the engine, passed on as it comes, without the tracebacks of its Python.

The engine prints the traceback of its program indented, among other lines. Its user can do nothing with one: the exception at its end
is shown, and the whole is kept in a file for whoever mends the program.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_BEGINS = re.compile(r"^(?P<indent>[ |+-]*)(Exception Group )?Traceback \(most recent call last\):\s*$")
_CHAINED = re.compile(r"^\s*(During handling of the above exception|The above exception was the direct cause)")
_ENDED_FROM_OUTSIDE = re.compile(r"^\s*(KeyboardInterrupt|SystemExit|([\w.]+\.)?CancelledError)\b")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class WithoutTracebacks:
    """A filter of lines. ``kept`` are the tracebacks that it took out, without those of a program that was interrupted."""

    kept: list[str] = field(default_factory=list)
    _block: list[str] = field(default_factory=list)
    _indent: int | None = None
    _ended: bool = False

    def __call__(self, line: str) -> str | None:
        """The line, or None where it belongs to a traceback. An interrupted program leaves nothing, because its user knows of it."""
        plain = _COLOUR.sub("", line).rstrip("\n")
        if begins := _BEGINS.match(plain):
            self._indent = len(begins["indent"])
            self._block.append(line)
            return None
        if self._indent is None:
            return self._between(line, plain)
        self._block.append(line)
        if not plain.strip() or len(plain) - len(plain.lstrip()) > self._indent:
            return None
        # The exception is as far to the left as the first line, and ends the traceback.
        self._indent, self._ended = None, True
        outside, block = _ENDED_FROM_OUTSIDE.match(plain), self._block
        self._block = []
        if outside:
            return None
        self.kept += block
        return line

    def _between(self, line: str, plain: str) -> str | None:
        """A line outside of tracebacks; one that joins two of them belongs to both."""
        if self._ended and (_CHAINED.match(plain) or not plain.strip()):
            return None
        self._ended = False
        return line


@contextmanager
def passed_on(streams: Mapping[IO[str], Callable[[str], object]], tracebacks: Path) -> Iterator[Mapping[IO[str], list[str]]]:
    """Pass each stream on, line by line, to its writer until it ends; what was passed is given by stream.

    Tracebacks are written to the file ``tracebacks``, which the last writer is told.
    """
    said: dict[IO[str], list[str]] = {stream: [] for stream in streams}
    filters = {stream: WithoutTracebacks() for stream in streams}

    def read(stream: IO[str], write: Callable[[str], object]) -> None:
        for line in stream:
            if (shown := filters[stream](line)) is not None:
                said[stream].append(shown)
                write(shown)

    readers = [threading.Thread(target=read, args=one) for one in streams.items()]
    for reader in readers:
        reader.start()
    try:
        yield said
    finally:
        for reader in readers:
            reader.join()
        if found := "".join(line for stream in streams for line in filters[stream].kept):
            tracebacks.write_text(found)
            list(streams.values())[-1](f"a traceback of the engine's program is in {tracebacks}\n")
