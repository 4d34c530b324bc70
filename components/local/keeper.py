"""The thread that owns the child processes: it starts them, notices their end, starts them again, and enforces their grace.

Everybody else changes what is wanted and waits for it to come true. One thread does all the starting because the kernel ties the
children's lives to the thread that made them (see ``Process``), so it must live as long as any of them.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from components.damage import LAST_WORDS, named_file, tells_of_damage
from components.local.aside import Queues
from components.local.errors import StartError
from components.local.last_words import last_words
from components.local.process import Process, describe_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 60.0
TICK_SECONDS = 0.05
KEPT_EVENTS = 1000
_UNTOLD = (0, -signal.SIGTERM, -signal.SIGKILL)
"""Exit statuses of a process that was ended from outside, of which its log tells nothing."""


What = Literal["started", "healthy", "died", "stopped", "killed", "set aside"]


@dataclass(frozen=True, slots=True)
class Event:
    """Event of a workload's process, ``at`` in seconds of the monotonic clock; ``detail`` is how it ended, if it did.

    ``died`` is an end that nobody asked for, ``stopped`` one that was asked for, ``killed`` the SIGKILL after the grace period,
    ``set aside`` that its queue files were damaged.
    """

    at: float
    workload: str
    what: What
    pid: int
    detail: str = ""


@dataclass(slots=True)
class Member:
    """An instance as a process: how to run it, what is wanted of it, and how it is.

    ``supervised`` tells whether its death is answered with a restart; while ``held_file`` exists, the restart waits. ``due`` is when
    it is to be started, ``deadline`` when it is killed because it has not stopped: seconds of the monotonic clock. ``begun`` is when it
    was started, in nanoseconds since 1970. ``unread`` is the name of the queue file that it says it could not read. ``died_at`` is when
    it died, in seconds of the monotonic clock, until it is back.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    pid_file: Path
    grace_seconds: float
    held_file: Path | None = None
    queues: Queues = field(default_factory=lambda: Queues(()))
    wanted: bool = False
    supervised: bool = False
    process: Process | None = None
    log_start: int = 0
    log_read: int = 0
    started_at: float = 0.0
    begun: int = 0
    unread: str | None = None
    due: float | None = None
    deadline: float | None = None
    died_at: float | None = None
    restarts: int = 0
    delay: float = 0.0
    ending: str = field(default="never started")

    @property
    def held(self) -> bool:
        """Whether the process is not to be started again. A file tells, so that other processes can hold and release it."""
        return self.held_file is not None and self.held_file.exists()


def next_delay(previous: float, lived: float) -> float:
    """Seconds to wait before a restart, given the wait before and how long the process lived.

    0.5 s at first, doubled at each death up to 30 s, and 0.5 s again after a life of a minute.
    """
    if previous == 0.0 or lived >= STEADY_SECONDS:
        return FIRST_DELAY_SECONDS
    return min(2 * previous, LONGEST_DELAY_SECONDS)


class Keeper:
    """Keeps the members as they are wanted, until ``close``. All methods may be called from any thread."""

    def __init__(self, members: Iterable[Member], say: Callable[[str], None]) -> None:
        self._members = {member.name: member for member in members}
        self._say = say
        self._changed = threading.Condition()
        self._closing = False
        self.events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def start(self, name: str) -> None:
        """Start the process now, unless it runs, and wait until it is started; its death is not answered until ``supervise``."""
        with self._changed:
            member = self._members[name]
            if member.process is None:
                self._set_held(member, held=False)
                member.wanted, member.supervised, member.delay, member.due = True, False, 0.0, time.monotonic()
                member.died_at = None
                self._changed.notify_all()
                self._changed.wait_for(lambda: member.due is None)

    def supervise(self, name: str) -> bool:
        """From now on, start the process again when it dies. False when it is already dead."""
        with self._changed:
            member = self._members[name]
            if member.process is None:
                return False
            member.supervised = True
            self._note(member, "healthy")
            return True

    def stop(self, *names: str) -> None:
        """SIGTERM, then SIGKILL after the grace period; returns when the processes and all that they started have ended."""
        with self._changed:
            members = [self._members[name] for name in names]
            for member in members:
                member.wanted, member.due = False, None
                self._terminate(member)
            self._changed.wait_for(lambda: all(member.process is None for member in members))

    def renew(self, name: str) -> None:
        """SIGTERM, then SIGKILL after the grace period, and a start as after a death. Returns at once."""
        with self._changed:
            self._terminate(self._members[name])

    def hold(self, name: str, *, held: bool) -> None:
        """Whether the death of the process is to be answered with a restart only after it is no longer held."""
        with self._changed:
            self._set_held(self._members[name], held=held)
            self._changed.notify_all()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process. Raises StartError when it does not run."""
        with self._changed:
            self._running(name).signal(number)

    def pid(self, name: str) -> int:
        """The process id. Raises StartError when it does not run."""
        with self._changed:
            return self._running(name).pid

    def is_watched(self, name: str) -> bool:
        """Whether the process runs and its death would be answered with a restart now."""
        with self._changed:
            member = self._members[name]
            return member.process is not None and member.supervised and member.wanted and not member.held

    def returning(self) -> tuple[str, ...]:
        """The names of the processes that died and run again, each until ``is_back``."""
        with self._changed:
            return tuple(member.name for member in self._members.values() if member.process is not None and member.died_at is not None)

    def is_back(self, name: str) -> None:
        """Tell that a process which died is healthy again."""
        with self._changed:
            member = self._members[name]
            if member.process is not None and member.died_at is not None:
                self._tell(f"{name} is up again, {time.monotonic() - member.died_at:.1f} s after it died")
                member.died_at = None

    def ending(self, name: str) -> str | None:
        """End of the process in words, or None while it runs or is about to be started again."""
        with self._changed:
            member = self._members[name]
            expected = member.due is not None and not member.held
            return None if member.process is not None or expected else member.ending

    def last_lines(self, name: str, count: int) -> list[str]:
        """The last lines that the process has written since it was last started."""
        member = self._members[name]
        with member.log.open("rb") as log:
            log.seek(member.log_start)
            return log.read().decode(errors="replace").splitlines()[-count:]

    def close(self) -> None:
        """End the thread; a process that still runs is killed."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _set_held(self, member: Member, *, held: bool) -> None:
        if member.held_file is not None:
            if held:
                member.held_file.touch()
            else:
                member.held_file.unlink(missing_ok=True)

    def _terminate(self, member: Member) -> None:
        if member.process is not None and member.deadline is None:
            member.deadline = time.monotonic() + member.grace_seconds
            member.process.signal(signal.SIGTERM)

    def _running(self, name: str) -> Process:
        member = self._members[name]
        if member.process is None:
            raise StartError(f"{name} does not run ({member.ending}); start it first")
        return member.process

    def _run(self) -> None:
        with self._changed:
            try:
                while not self._closing:
                    for member in self._members.values():
                        self._look_after(member, time.monotonic())
                    self._changed.wait(TICK_SECONDS)
            finally:
                # Also after an error in here: no process is left, and nobody waits for this thread in vain.
                for member in self._members.values():
                    member.due = None
                    if member.process is not None:
                        member.process.kill()
                        self._bury(member, member.process, "stopped")
                self._changed.notify_all()

    def _look_after(self, member: Member, now: float) -> None:
        process = member.process
        if process is None:
            if member.due is not None and now >= member.due and not member.held:
                self._spawn(member, now)
        elif not member.wanted and process.is_gone():
            self._bury(member, process, "stopped")
        elif member.wanted and (status := process.exit_status()) is not None:
            process.kill()  # what it has started must not be in the way of its successor
            aside = self._set_aside(member, status)
            self._bury(member, process, "died")
            member.died_at = member.died_at or now
            if aside:
                member.due = now
            else:
                self._plan_restart(member, now, self._last_words(member, status))
        elif member.deadline is not None and now >= member.deadline:
            member.deadline = None
            self._tell(f"{member.name} did not stop within {member.grace_seconds:g} s of SIGTERM: killed")
            self._note(member, "killed")
            process.signal(signal.SIGKILL)
        elif self._cannot_read(member):
            # It would wait for the answers to its other queues before it ends, and take no spans meanwhile.
            process.signal(signal.SIGKILL)

    def _spawn(self, member: Member, now: float) -> None:
        member.due, member.started_at, member.begun, member.unread = None, now, time.time_ns(), None
        try:
            with member.log.open("ab") as log:
                member.log_start = member.log_read = log.tell()
                variables = {**member.environment, **member.queues.variables()}
                member.process = Process(member.command, environment=variables, output=log.fileno())
        except OSError as error:
            member.ending = str(error)
            self._plan_restart(member, now, "")
        else:
            self._note(member, "started")
            with suppress(OSError):
                member.pid_file.write_text(f"{member.process.pid}\n", encoding="utf-8")
        self._changed.notify_all()

    def _bury(self, member: Member, process: Process, what: Literal["died", "stopped"]) -> None:
        member.ending = describe_exit(process.exit_status() or 0)
        self._note(member, what, member.ending)
        member.process, member.deadline = None, None
        member.pid_file.unlink(missing_ok=True)
        self._changed.notify_all()

    def _cannot_read(self, member: Member) -> bool:
        """Whether the process says that it could not read the file of a queue, by the lines that it has written since the last look."""
        if not member.queues.folders or member.unread or time.monotonic() - member.started_at > STEADY_SECONDS:
            return False
        with member.log.open("rb") as log:
            log.seek(member.log_read)
            whole, end, _ = log.read().rpartition(b"\n")
        member.log_read += len(whole + end)
        member.unread = named_file(whole.decode(errors="replace").splitlines())
        return member.unread is not None

    def _set_aside(self, member: Member, status: int) -> bool:
        """Whether the process ended of a damaged queue file, which its successor will not find.

        An end by a signal that is not the keeper's own says nothing of the files, whatever the log says.
        """
        self._cannot_read(member)
        if not member.queues.folders or not (member.unread or (status > 0 and tells_of_damage(self.last_lines(member.name, LAST_WORDS)))):
            return False
        try:
            aside = member.queues.blame(member.unread, since=member.begun)
        except OSError as error:
            self._tell(f"{member.name}: its queue is damaged and cannot be set aside: {error}")
            return False
        if aside is None:
            return False
        if aside.put_back:
            self._tell(f"{member.name}: {aside.put_back} is whole and is put back")
        detail = f"{aside.size_bytes:,} bytes in {', '.join(str(path) for path in aside.files)}"
        self._tell(f"{member.name}: its queue could not be read and is set aside, with what was in it: {detail}; started again without it")
        self._note(member, "set aside", detail)
        return True

    def _last_words(self, member: Member, status: int) -> str:
        """The reason for an end as the log has it, and the path of the log; empty where the log cannot tell of the end."""
        if status in _UNTOLD:
            return ""
        words = last_words(self.last_lines(member.name, LAST_WORDS))
        return f": {words or 'its log says nothing'}; see {member.log}"

    def _plan_restart(self, member: Member, now: float, why: str) -> None:
        if not member.supervised:
            member.wanted = False
            return
        member.restarts += 1
        member.delay = next_delay(member.delay, now - member.started_at)
        # A release is answered at once.
        member.due = now if member.held else now + member.delay
        again = "held, so started again only when released" if member.held else f"started again in {member.delay:g} s"
        self._tell(f"{member.name} died ({member.ending}); {again} (restart {member.restarts}){why}")

    def _note(self, member: Member, what: What, detail: str = "") -> None:
        if member.process is not None:
            self.events.append(Event(time.monotonic(), member.name, what, member.process.pid, detail))

    def _tell(self, line: str) -> None:
        # The terminal may be gone (EPIPE, a closed stdout); the servers are not to go with it.
        with suppress(OSError, ValueError):
            self._say(line)
