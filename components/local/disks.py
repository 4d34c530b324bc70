"""Volumes as file systems of their own size, in memory, so that a disk can be full without filling this machine's.

Linux and root only, because mounting asks for both. A guard process unmounts what a killed supervisor has left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from components.local.errors import DiskError
from components.local.files import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GUARD = Path(__file__).with_name("unmount.py")


def can_mount() -> str | None:
    """None where volumes can be file systems of their own, else the reason why not."""
    if sys.platform != "linux":
        return "file systems in memory are Linux's"
    if os.geteuid() != 0:
        return "only root may mount a file system"
    return None


@contextmanager
def mounted(sizes: Mapping[Path, int]) -> Iterator[None]:
    """Make each folder a file system in memory of that many bytes for as long as the context lasts. Its content goes with it.

    Raises DiskError where none can be mounted.
    """
    if (reason := can_mount()) is not None:
        raise DiskError(f"volumes cannot have their size here: {reason}; leave out --disks")
    for folder in sizes:
        make_private(folder)
        if folder.is_mount():  # left by a run whose guard was killed as well
            _run("umount", "--lazy", str(folder))
    guard = subprocess.Popen([sys.executable, "-I", "-S", str(GUARD), *map(str, sizes)], stdin=subprocess.PIPE, start_new_session=True)
    try:
        for folder, size in sizes.items():
            _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "virtengine-tracing", str(folder))
        yield
    finally:
        guard.send_signal(signal.SIGTERM)
        guard.communicate()


def resize(folder: Path, size: int) -> int:
    """Give a mounted folder another size in bytes, and return the one before.

    Raises DiskError where the folder is no file system of its own.
    """
    if not folder.is_mount():
        raise DiskError(f"{folder}: is no disk of its own; run the environment with --disks")
    state = os.statvfs(folder)
    _run("mount", "-o", f"remount,size={size}", str(folder))
    return state.f_blocks * state.f_frsize


def used(folder: Path) -> int:
    """Bytes in use on the file system of a folder."""
    state = os.statvfs(folder)
    return (state.f_blocks - state.f_bfree) * state.f_frsize


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DiskError(f"`{' '.join(command)}` failed: {done.stderr.strip()}; run as root, in a container with the capability SYS_ADMIN")
