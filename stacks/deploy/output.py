"""The output of the engine, passed on as it comes, without the tracebacks of its Python.

The engine prints the traceback of its program among other lines, indented, or line by line behind the name of its stack. Its user can do
nothing with one: the exception at its end
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

_STEP = r"(?:creat|updat|delet|replac|refresh|import|read|runn)\w*(?: \(\d+s\))? "
_RESOURCE = re.compile(rf"^[ +~@*<>=|-]*(?P<key>[\w.-]+:[\w./-]+:[\w.-]+ \S+) (?:{_STEP})?(?P<rest>.*)$")
"""A line of what a resource is doing; behind its name and step stands one line of what its program wrote."""

_BEGINS = re.compile(r"^(?P<indent>[ |+-]*)(Exception Group )?Traceback \(most recent call last\):\s*$")
_CHAINED = re.compile(r"^\s*(During handling of the above exception|The above exception was the direct cause)")
_ENDED_FROM_OUTSIDE = re.compile(r"^\s*(KeyboardInterrupt|SystemExit|([\w.]+\.)?CancelledError)\b")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class _Told:
    """State of a resource's output: a traceback that began with an ``indent``, or a traceback that just ``ended``."""

    block: list[str] = field(default_factory=list)
    indent: int | None = None
    ended: bool = False


@dataclass
class WithoutTracebacks:
    """A filter of lines. ``kept`` are the tracebacks that it took out, without those of a program that was interrupted."""

    kept: list[str] = field(default_factory=list)
    _by_resource: dict[str, _Told] = field(default_factory=dict)

    def __call__(self, line: str) -> str | None:
        """The line, or None where it belongs to a traceback. An interrupted program leaves nothing, because its user knows of it."""
        plain = _COLOUR.sub("", line).rstrip("\n")
        named = _RESOURCE.match(plain)
        key, rest = (named["key"], named["rest"]) if named else ("", plain)
        told = self._by_resource.setdefault(key, _Told())
        if begins := _BEGINS.match(rest):
            told.indent, told.block = len(begins["indent"]), [line]
            return None
        if told.indent is None:
            # A line that joins two tracebacks belongs to both.
            told.ended = told.ended and bool(_CHAINED.match(rest) or not rest.strip())
            return None if told.ended else line
        told.block.append(line)
        if not rest.strip() or len(rest) - len(rest.lstrip()) > told.indent:
            return None
        # The exception is as far to the left as the first line, and ends the traceback.
        told.indent, told.ended = None, True
        if _ENDED_FROM_OUTSIDE.match(rest):
            return None
        self.kept += told.block
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
