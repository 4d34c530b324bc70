"""Faults of an environment that runs on this machine, each one call: by process, by file and by disk, from any process.

An instance is named as ``ps`` lists it, such as ``gateway-1``.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from components.local.disks import resize, used
from components.local.errors import FaultError
from components.local.health import answers_url
from components.local.instances import command_for, held_path, read_listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from components.local.instances import Listed

Damage = Literal["header", "pages", "cut", "garbage", "empty"]
"""Damages of what is written of a file: first pages zeroed, some pages overwritten, cut to half, overwritten, emptied."""

PAGE = 4096
ANSWER_SECONDS = 2.0
POLL_SECONDS = 0.05
SLICE_SECONDS = 0.1
"""Length of one turn of a slowed process: it runs for its share of it and is stopped for the rest."""


class Faults:
    """Faults of the environment whose state is in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def instances(self, workload: str | None = None) -> tuple[Listed, ...]:
        """The instances as they are now, or those of one workload. Raises NotRunningError when nothing runs."""
        return tuple(listed for listed in read_listing(self._folder) if workload in {None, listed.workload})

    def find(self, name: str) -> Listed:
        """The instance of that name. Raises FaultError when there is none, NotRunningError when nothing runs."""
        listed = self.instances()
        for instance in listed:
            if instance.instance == name:
                return instance
        raise FaultError(f"no instance {name!r} here; there are {', '.join(one.instance for one in listed)}")

    def kill(self, name: str) -> int:
        """End an instance by SIGKILL, and return its process id. It is started again with back-off, as the kubelet would."""
        return self._signal(name, signal.SIGKILL)

    def refuse(self, name: str) -> None:
        """End an instance by SIGKILL and keep it down: whoever calls it is refused the connection, until ``release``."""
        self.find(name)
        held_path(self._folder, name).touch()
        with suppress(FaultError):
            self._signal(name, signal.SIGKILL)
        self._wait(lambda: self.find(name).pid is None)

    def release(self, name: str) -> None:
        """Undo ``refuse`` and ``hang``: the instance goes on, or is started again."""
        held_path(self._folder, self.find(name).instance).unlink(missing_ok=True)
        with suppress(FaultError):
            self._signal(name, signal.SIGCONT)

    def hang(self, name: str) -> None:
        """Stop an instance without ending it (SIGSTOP): connections are taken, and nothing is answered, until ``release``.

        Returns when every thread has stopped, because on a loaded machine the others serve on until the one that takes the signal runs.
        """
        pid = self._signal(name, signal.SIGSTOP)
        self._wait(lambda: _is_stopped(pid))

    @contextmanager
    def slowed(self, name: str, share: float) -> Iterator[None]:
        """Let an instance run for ``share`` of the time alone, 0 to 1, while the context lasts."""
        ended = threading.Event()

        def take_turns() -> None:
            while not ended.is_set():
                with suppress(FaultError):
                    self._signal(name, signal.SIGSTOP)
                    ended.wait(SLICE_SECONDS * (1 - share))
                    self._signal(name, signal.SIGCONT)
                ended.wait(SLICE_SECONDS * share)

        thread = threading.Thread(target=take_turns, name=f"slow {name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with suppress(FaultError):
                self._signal(name, signal.SIGCONT)

    @contextmanager
    def full_disk(self, name: str, volume: str, *, left: int = 0) -> Iterator[None]:
        """Leave ``left`` bytes free on a volume of an instance while the context lasts.

        Raises FaultError when it has no such volume, DiskError when the environment does not run with ``--disks``.
        """
        folder = self._volume(name, volume)
        before = resize(folder, used(folder) + max(left, PAGE))
        try:
            yield
        finally:
            resize(folder, before)

    def damage(self, name: str, volume: str, how: Damage, *, seed: int = 0) -> Path:
        """Damage the largest file on a volume while the instance is down, start it again, and return the file.

        Raises FaultError when there is no such volume, or no file on it.
        """
        folder = self._volume(name, volume)
        running = self.find(name).pid is not None
        self.refuse(name)
        try:
            largest = largest_file(folder)
            damage_file(largest, how, seed=seed)
        finally:
            if running:
                self.release(name)
        return largest

    def restart(self, name: str, *, seconds: float = 120.0) -> float:
        """Stop an instance by SIGTERM, let it be started again, and return the seconds until it was healthy.

        It is killed when its grace period is over, as the kubelet would. Raises FaultError when all of it takes longer than ``seconds``.
        """
        since, before = time.monotonic(), self._signal(name, signal.SIGTERM)
        grace = self.find(name).grace_seconds
        with suppress(FaultError):
            self._wait(lambda: self.find(name).pid != before, grace)
        if self.find(name).pid == before:
            with suppress(FaultError):
                self.kill(name)
        self.wait_successor(name, before, seconds=seconds)
        return time.monotonic() - since

    def restart_each(self, workload: str) -> float:
        """Restart the instances of a workload, one when the one before is healthy.

        Returns the longest time that one took, in seconds. Raises as ``restart``.
        """
        return max(self.restart(instance.instance) for instance in self.instances(workload))

    def is_healthy(self, name: str) -> bool:
        """Whether an instance answers on its health path."""
        return answers_url(self.find(name).health, seconds=ANSWER_SECONDS)

    def wait_healthy(self, name: str, *, seconds: float = 120.0) -> float:
        """Wait until an instance is healthy, and return the seconds that it took. Raises FaultError when it takes longer."""
        since = time.monotonic()
        self._wait(lambda: self.is_healthy(name), seconds)
        return time.monotonic() - since

    def wait_successor(self, name: str, before: int, *, seconds: float = 120.0) -> float:
        """Wait until an instance is healthy as another process than ``before``, and return the seconds that it took.

        Raises FaultError when it takes longer.
        """
        since = time.monotonic()
        self._wait(lambda: self.find(name).pid not in {None, before} and self.is_healthy(name), seconds)
        return time.monotonic() - since

    def _volume(self, name: str, volume: str) -> Path:
        volumes = self.find(name).volumes
        if volume not in volumes:
            raise FaultError(f"{name} has no volume {volume!r}; it has {', '.join(volumes) or 'none'}")
        return Path(volumes[volume])

    def _signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to an instance, and return its process id. Raises FaultError when it does not run."""
        pid = self.find(name).pid
        if pid is None:
            raise FaultError(f"{name} does not run; see: {command_for('ps', self._folder)}")
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            raise FaultError(f"{name} has just ended; see: {command_for('ps', self._folder)}") from None
        return pid

    def _wait(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise FaultError(f"{self._folder.name}: not as expected after {seconds:g} s; see: {command_for('ps', self._folder)}")
            time.sleep(POLL_SECONDS)


def _is_stopped(pid: int) -> bool:
    """Whether no thread of a process runs: each is stopped, or has ended with it."""
    try:
        states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):  # a thread has ended between the listing and the look
        return False
    return all(state in "TtZX" for state in states)


def largest_file(folder: Path) -> Path:
    """The file below a folder that takes most room on the disk. Raises FaultError when there is none.

    Its length says little: Badger makes a file of 2 GiB before it writes the first byte of it.
    """
    files = [(path.stat(), path) for path in folder.rglob("*") if path.is_file()]
    if not files:
        raise FaultError(f"{folder}: holds no file that could be damaged")
    return max(files, key=lambda file: (file[0].st_blocks, file[0].st_size))[1]


def damage_file(path: Path, how: Damage, *, seed: int = 0) -> None:
    """Damage what is written of a file, in place; its holes stay. The same ``seed`` gives the same damage."""
    chance = random.Random(seed)  # noqa: S311 - damage, no secret
    with path.open("r+b", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        pages = list(_written_pages(file.fileno(), size))
        match how:
            case "header":
                file.seek(0)
                file.write(bytes(min(size, 2 * PAGE)))
            case "pages":
                for _ in range(max(1, len(pages) // 4)):
                    file.seek(PAGE * (chance.choice(pages) if pages else 0))
                    file.write(chance.randbytes(PAGE))
            case "cut":
                file.truncate(min(size, PAGE * (pages[-1] + 1)) // 2 if pages else 0)
            case "garbage":
                for page in pages:
                    file.seek(PAGE * page)
                    file.write(chance.randbytes(min(PAGE, size - PAGE * page)))
            case "empty":
                file.truncate(0)


def _written_pages(file: int, size: int) -> Iterator[int]:
    """The numbers of the pages of an open file that have room on the disk."""
    end = 0
    while end < size:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                return
            raise
        end = os.lseek(file, start, os.SEEK_HOLE)
        yield from range(start // PAGE, -(-end // PAGE))


DAMAGES: tuple[Damage, ...] = get_args(Damage)
