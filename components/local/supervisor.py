"""Runs instances of workloads as processes, from the first start in order to the last stop."""

from __future__ import annotations

import os
import shlex
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from components.local.aside import Queues
from components.local.errors import InterruptedStartError, PortsError, StartError
from components.local.files import make_private, make_volumes, write_documents
from components.local.health import answers
from components.local.instances import LISTING, grouped, held_path, log_path, pid_path, write_listing
from components.local.keeper import Event, Keeper, Member
from components.local.last_words import without_passwords
from components.local.liveness import Liveness
from components.local.ports import is_free

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from components.local.files import HeldFolder
    from components.local.instances import Instance

INHERITED = ("PATH", "HOME", "TMPDIR", "LANG")
HEALTH_POLL_SECONDS = 0.1
SHOWN_LINES = 15


class Supervisor:
    """A context in which all instances run: entered when all are healthy, left when all have ended.

    ``instances`` stand in the order in which they start; those of one workload start together. ``programs`` maps a server's program to
    its path. The folder, held by this process, gets ``logs/<instance>.log``, ``pids/<instance>.pid`` and the listing of the instances;
    a file ``held/<instance>`` keeps a dead instance from being started again. ``say`` gets one line for what the user should know, also
    from another thread. While servers come up, setting ``stopping`` ends the wait.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        programs: Mapping[str, Path],
        folder: HeldFolder,
        say: Callable[[str], None],
        stopping: threading.Event | None = None,
    ) -> None:
        self._instances = {instance.name: instance for instance in instances}
        self._groups = [[instance.name for instance in group] for group in grouped(instances)]
        self._programs = programs
        self._folder = folder.path
        self._say = say
        self._stopping = stopping or threading.Event()
        self._keeper: Keeper | None = None
        self._liveness: Liveness | None = None

    def __enter__(self) -> Self:
        """Write the documents and start everything, what is called before what calls it.

        Raises StartError or PortsError when a server does not come up, InterruptedStartError when ``stopping`` is set before all
        have; then all are stopped again.
        """
        instances = self._instances.values()
        make_volumes(instance.workload for instance in instances)
        write_documents(instance.workload for instance in instances)
        for name in ("logs", "pids", "held"):
            make_private(self._folder / name)
        keeper = self._keeper = Keeper([self._member(instance) for instance in instances], self._say)
        try:
            for names in self._groups:
                self._start(names)
            self._liveness = Liveness(instances, keeper, self._say)
            write_listing(instances, self._folder)
        except BaseException:
            self.stop_all()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop_all()

    def stop_all(self) -> None:
        """Stop everything, what calls before what is called, so that a collector can hand over what it holds. Again is harmless."""
        if self._keeper is None:
            return
        (self._folder / LISTING).unlink(missing_ok=True)
        keeper, self._keeper = self._keeper, None
        try:
            if self._liveness is not None:
                self._liveness.close()
            for names in reversed(self._groups):
                keeper.stop(*names)
        finally:
            keeper.close()

    @property
    def events(self) -> tuple[Event, ...]:
        """The last thousand things that happened to the processes, oldest first."""
        return tuple(self._running_keeper.events)

    def log(self, name: str) -> Path:
        """The file that holds what the instance's processes have written to stdout and stderr, over all starts."""
        return log_path(self._folder, self._instances[name].name)

    def pid(self, name: str) -> int:
        """The instance's process id. Raises StartError when it does not run."""
        return self._running_keeper.pid(self._instances[name].name)

    def start(self, name: str) -> None:
        """Start the instance unless it runs, and wait until it is healthy. Raises as entering does; it is then stopped."""
        self._start([name])

    def stop(self, name: str) -> None:
        """Stop the instance alone: SIGTERM, SIGKILL after its grace period. It stays stopped until ``start``."""
        self._running_keeper.stop(self._instances[name].name)

    def restart(self, name: str) -> None:
        """Stop the instance and start it again, as after a document that is read at start has changed. Raises as ``start``."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the instance's process; if it dies of it, it is started again. Raises StartError when it does not run."""
        self._running_keeper.signal(self._instances[name].name, number)

    def hold(self, name: str) -> None:
        """Do not start the instance again when it dies, until ``release``."""
        self._running_keeper.hold(self._instances[name].name, held=True)

    def release(self, name: str) -> None:
        """Start the instance again when it dies, and at once if it is dead. Returns before it is healthy."""
        self._running_keeper.hold(self._instances[name].name, held=False)

    def wait_healthy(self, name: str) -> None:
        """Wait until the instance answers on its health path.

        Raises StartError when it ends or has not answered within ``health.start_seconds``, InterruptedStartError when ``stopping``
        is set meanwhile.
        """
        instance = self._instances[name]
        health = instance.workload.health
        port = instance.workload.port(health.port).number
        deadline = time.monotonic() + health.start_seconds
        while not answers(port, health.path, address=instance.address):
            ending = self._running_keeper.ending(name)
            if ending is not None:
                raise self._failure(instance, f"ended ({ending}) before it was healthy")
            if time.monotonic() >= deadline:
                url = f"http://{instance.address}:{port}{health.path}"
                raise self._failure(instance, f"did not answer GET {url} with 2xx within {health.start_seconds} s")
            if self._stopping.wait(HEALTH_POLL_SECONDS):
                raise InterruptedStartError(f"stopped while {name} was starting")

    @property
    def _running_keeper(self) -> Keeper:
        if self._keeper is None:
            raise StartError("the servers are stopped; enter a new Supervisor to start them")
        return self._keeper

    def _start(self, names: Sequence[str]) -> None:
        """Start instances together and wait until all are healthy; where one does not come up, all of them are stopped."""
        keeper = self._running_keeper
        for instance in (self._instances[name] for name in names):
            if keeper.ending(instance.name) is not None:
                _refuse_taken_ports(instance)
        since = time.monotonic()
        try:
            for name in names:
                keeper.start(name)
            for name in names:
                self.wait_healthy(name)
                self._supervise(self._instances[name])
        except BaseException:
            keeper.stop(*names)
            raise
        for name in names:
            self._say(f"{name} is up ({time.monotonic() - since:.1f} s)")

    def _supervise(self, instance: Instance) -> None:
        if not self._running_keeper.supervise(instance.name):
            raise self._failure(instance, f"ended ({self._running_keeper.ending(instance.name)}) as soon as it was healthy")

    def _member(self, instance: Instance) -> Member:
        workload = instance.workload
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return Member(
            name=instance.name,
            command=(str(self._programs[workload.server.program]), *workload.arguments),
            environment={**inherited, **workload.environment, **instance.variables},
            log=self.log(instance.name),
            pid_file=pid_path(self._folder, instance.name),
            held_file=held_path(self._folder, instance.name),
            grace_seconds=workload.grace_in_place,
            queues=Queues([Path(volume.path) for volume in workload.volumes if volume.holds == "queue"]),
        )

    def _failure(self, instance: Instance, what: str) -> StartError:
        workload = instance.workload
        lines = self._running_keeper.last_lines(instance.name, SHOWN_LINES)
        shown = "\n".join(f"    {without_passwords(line)}" for line in lines) or "    (nothing)"
        command = shlex.join([str(self._programs[workload.server.program]), *workload.arguments])
        return StartError(
            f"{instance.name} {what}. It was started with:\n    {command}\n"
            f"and the end of its log is:\n{shown}\n"
            f"Its documents are in {workload.documents_path}. See all of the log with: less {self.log(instance.name)}"
        )


def _refuse_taken_ports(instance: Instance) -> None:
    taken = [port for port in instance.workload.ports if not is_free(port.number, instance.address)]
    if taken:
        named = ", ".join(f"{port.number} ({port.name})" for port in taken)
        raise PortsError(
            f"{instance.name}: something else listens on port {named} of {instance.address}; see what with: "
            f"ss -tlnp 'sport = :{taken[0].number}', stop it, then run the same command again"
        )
