"""Folders, atomic writes and locks: everything of the local placement that another process can see or be in the way of."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from components.local.errors import FolderInUseError, InterruptedStartError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

    from components.local.runnable import Runnable

LOCK = "lock"
"""Name of the file in the folder of an environment that is locked while it runs, with the id of the process that holds it."""

LOCK_POLL_SECONDS = 0.05


def cache_folder() -> Path:
    """Folder of built programs and port reservations, for all environments of this user.

    ``$VIRTENGINE_TRACING_CACHE``, else ``$XDG_CACHE_HOME``, else ``~/.cache``; ``virtengine-tracing`` below it. Made when missing.
    """
    base = os.environ.get("VIRTENGINE_TRACING_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return make_private(Path(base).absolute() / "virtengine-tracing")


def make_private(folder: Path) -> Path:
    """Make the folder and its parents when missing, readable by this user only, and return it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_atomically(path: Path, text: str) -> None:
    """Replace the file by one of mode 0600 holding the text; a reader sees the old one or the new one, never a part.

    Its folder is made with mode 0700 when missing.
    """
    descriptor, part = tempfile.mkstemp(dir=make_private(path.parent), prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def write_documents(workloads: Iterable[Runnable]) -> None:
    """Write each workload's documents into its ``documents_path``, in place and atomically, so that a watching server can reload."""
    for workload in workloads:
        for document in workload.documents:
            write_atomically(Path(workload.documents_path) / document.name, document.text)


def make_volumes(workloads: Iterable[Runnable]) -> None:
    """Make the folder of each volume when missing; what is in it stays."""
    for workload in workloads:
        for volume in workload.volumes:
            make_private(Path(volume.path))


@dataclass(frozen=True, slots=True)
class HeldFolder:
    """The folder of an environment that this process holds alone. Only ``hold_folder`` makes one."""

    path: Path


@contextmanager
def hold_folder(path: Path) -> Iterator[HeldFolder]:
    """Hold the folder of an environment alone, from before its ports are chosen until its servers are stopped.

    Raises FolderInUseError when another process holds it. The lock is the kernel's (flock), so it ends with the process.
    """
    lock = make_private(path.absolute()) / LOCK
    file = _try_lock(lock)
    if file is None:
        holder = holder_of(lock)
        stop = f"stop it with Ctrl-C where it runs, or with: kill {holder}" if holder else "stop it with Ctrl-C where it runs"
        raise FolderInUseError(f"{path}: this environment is already running (process {holder or 'unknown'}); {stop}")
    with file:
        yield HeldFolder(path.absolute())


@contextmanager
def locked(path: Path, on_wait: Callable[[int | None, float], None], stopping: threading.Event | None = None) -> Iterator[None]:
    """Hold the lock file, waiting for it as long as it takes.

    ``on_wait`` is called with the holder's process id and the seconds waited so far, some times a second. Raises
    InterruptedStartError when ``stopping`` is set meanwhile.
    """
    since = time.monotonic()
    while (file := _try_lock(path)) is None:
        on_wait(holder_of(path), time.monotonic() - since)
        if stopping is not None and stopping.is_set():
            raise InterruptedStartError(f"stopped while waiting for {path}; start again when ready")
        time.sleep(LOCK_POLL_SECONDS)
    with file:
        yield


def holder_of(lock: Path) -> int | None:
    """The id of the process that holds the lock file, or None when it has not written it yet."""
    with suppress(OSError, ValueError):
        return int(lock.read_text(encoding="utf-8"))
    return None


def lives(pid: int) -> bool:
    """Whether there is a process of that id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _try_lock(path: Path) -> IO[str] | None:
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
