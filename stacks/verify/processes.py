"""A process of this machine as the kernel tells of it: arguments, start, listening sockets, and the version of its program. Linux."""

from __future__ import annotations

import ipaddress
import os
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.verify.findings import CannotTellError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTENS = "0A"
"""State of a listening socket in /proc/net/tcp."""

_ASKED = {"jaeger": "version", "tempo": "-version", "grafana": "-v"}
"""Argument by which a program prints its version, where it is not ``--version``."""

_VERSION = re.compile(r"\bv?\d+\.\d+\.\d+\b")
_VERSION_SECONDS = 20.0
_GROUP = 8
"""Hexadecimal digits of four bytes, which /proc/net has in the order of the processor."""


def arguments(pid: int) -> tuple[str, ...]:
    """The arguments that a process was started with, its program excepted."""
    return tuple(_read(pid, "cmdline").split("\0")[1:-1])


def started(pid: int) -> float:
    """Time of a process's start, in seconds since 1970."""
    ticks = int(_read(pid, "stat").rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of each TCP socket on which a process listens."""
    try:
        inodes = set(_targets(pid))
    except PermissionError:
        raise CannotTellError(f"process {pid} is another user's; run this as root, or as the user who started it") from None
    found = set()
    for table in ("net/tcp", "net/tcp6"):
        for line in _read(pid, table).splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS and f"socket:[{fields[9]}]" in inodes:
                host, port = fields[1].split(":")
                found.add((_address(host), int(port, 16)))
    return found


def version(pid: int, program: str) -> str:
    """The version that the program of a process, the very file that runs, prints."""
    path = Path(f"/proc/{pid}/exe")
    try:
        file = path.stat()
        return _printed(path, program, (file.st_dev, file.st_ino, file.st_mtime_ns))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotTellError(f"{program} of process {pid} does not tell its version: {error}") from None


_known: dict[tuple[int, ...], str] = {}
"""Versions by the file that printed them, since several processes run one."""


def _printed(path: Path, program: str, file: tuple[int, ...]) -> str:
    if file not in _known:
        command = [str(path), _ASKED.get(program, "--version")]
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_VERSION_SECONDS, env={})
        found = _VERSION.search(said.stdout + said.stderr)
        if found is None:
            raise CannotTellError(f"{program} prints no version")
        _known[file] = found[0]
    return _known[file]


def _targets(pid: int) -> Iterator[str]:
    """Targets of the open files of a process."""
    try:
        links = list(Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        raise CannotTellError(f"process {pid} has ended, or this is no Linux") from None
    for link in links:
        with suppress(FileNotFoundError):  # closed since
            yield str(link.readlink())


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CannotTellError(f"process {pid}: {error.strerror}; it has ended, or this is no Linux") from None


def _address(text: str) -> str:
    """The address that /proc/net has as groups of four bytes in the processor's order."""
    groups = [bytes.fromhex(text[at : at + _GROUP])[::-1] for at in range(0, len(text), _GROUP)]
    address = ipaddress.ip_address(b"".join(groups))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
