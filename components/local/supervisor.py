"""Runs the workloads of a plan as processes, from the first start in order to the last stop."""

from __future__ import annotations

import os
import shlex
import signal
import threading
import time
from typing import TYPE_CHECKING, Self

from components.local.errors import InterruptedStartError, PortsError, StartError, UnsupportedPlanError
from components.local.files import make_private, make_volumes, write_documents
from components.local.health import answers
from components.local.keeper import Event, Keeper, Member
from components.local.order import start_order
from components.local.ports import is_free

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from components.local.files import HeldFolder
    from components.workload import Plan, Workload

INHERITED = ("PATH", "HOME", "TMPDIR", "LANG")
HEALTH_POLL_SECONDS = 0.1
SHOWN_LINES = 15


class Supervisor:
    """A context in which all workloads of a plan run: entered when all are healthy, left when all have ended.

    ``programs`` maps a server's program to its path; the folder, held by this process, gets ``logs/<workload>.log`` and
    ``pids/<workload>.pid``. ``say`` gets one line for what the user should know, also from another thread. While servers come up,
    setting ``stopping`` ends the wait. Replicas and nodes count for nothing here: each workload is one process.

    Raises UnsupportedPlanError for a plan with secrets, which only container targets fill.
    """

    def __init__(
        self,
        plan: Plan,
        programs: Mapping[str, Path],
        folder: HeldFolder,
        say: Callable[[str], None],
        stopping: threading.Event | None = None,
    ) -> None:
        _refuse_secrets(plan)
        self._plan = plan
        self._programs = programs
        self._folder = folder.path
        self._say = say
        self._stopping = stopping or threading.Event()
        self._order = start_order(plan)
        self._keeper: Keeper | None = None

    def __enter__(self) -> Self:
        """Write the documents and start everything, what is called before what calls it.

        Raises StartError or PortsError when a server does not come up, InterruptedStartError when ``stopping`` is set before all
        have; then all are stopped again.
        """
        make_volumes(self._plan)
        write_documents(self._plan)
        for name in ("logs", "pids"):
            make_private(self._folder / name)
        self._keeper = Keeper([self._member(workload) for workload in self._plan.workloads], self._say)
        try:
            for name in self._order:
                self.start(name)
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
        keeper, self._keeper = self._keeper, None
        try:
            for name in reversed(self._order):
                keeper.stop(name)
        finally:
            keeper.close()

    @property
    def events(self) -> tuple[Event, ...]:
        """The last thousand things that happened to the processes, oldest first."""
        return tuple(self._running_keeper.events)

    def log(self, name: str) -> Path:
        """The file that holds what the workload's processes have written to stdout and stderr, over all starts."""
        return self._folder / "logs" / f"{self._plan.workload(name).name}.log"

    def pid(self, name: str) -> int:
        """The workload's process id. Raises StartError when it does not run."""
        return self._running_keeper.pid(self._plan.workload(name).name)

    def start(self, name: str) -> None:
        """Start the workload unless it runs, and wait until it is healthy. Raises as entering does; it is then stopped."""
        workload = self._plan.workload(name)
        keeper = self._running_keeper
        if keeper.ending(name) is not None:
            _refuse_taken_ports(workload)
        since = time.monotonic()
        keeper.start(name)
        try:
            self.wait_healthy(name)
            self._supervise(workload)
        except BaseException:
            keeper.stop(name)
            raise
        self._say(f"{name} is up ({time.monotonic() - since:.1f} s)")

    def stop(self, name: str) -> None:
        """Stop the workload alone: SIGTERM, SIGKILL after its grace period. It stays stopped until ``start``."""
        self._running_keeper.stop(self._plan.workload(name).name)

    def restart(self, name: str) -> None:
        """Stop the workload and start it again, as after a document that is read at start has changed. Raises as ``start``."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the workload's process; if it dies of it, it is started again. Raises StartError when it does not run."""
        self._running_keeper.signal(self._plan.workload(name).name, number)

    def hold(self, name: str) -> None:
        """Do not start the workload again when it dies, until ``release``."""
        self._running_keeper.hold(self._plan.workload(name).name, held=True)

    def release(self, name: str) -> None:
        """Start the workload again when it dies, and at once if it is dead. Returns before it is healthy."""
        self._running_keeper.hold(self._plan.workload(name).name, held=False)

    def wait_healthy(self, name: str) -> None:
        """Wait until the workload answers on its health path.

        Raises StartError when it ends or has not answered within ``health.start_seconds``, InterruptedStartError when ``stopping``
        is set meanwhile.
        """
        workload = self._plan.workload(name)
        port, path = workload.port(workload.health.port).number, workload.health.path
        deadline = time.monotonic() + workload.health.start_seconds
        while not answers(port, path):
            ending = self._running_keeper.ending(name)
            if ending is not None:
                raise self._failure(workload, f"ended ({ending}) before it was healthy")
            if time.monotonic() >= deadline:
                seconds = workload.health.start_seconds
                raise self._failure(workload, f"did not answer GET http://127.0.0.1:{port}{path} with 2xx within {seconds} s")
            if self._stopping.wait(HEALTH_POLL_SECONDS):
                raise InterruptedStartError(f"stopped while {name} was starting")

    @property
    def _running_keeper(self) -> Keeper:
        if self._keeper is None:
            raise StartError("the servers are stopped; enter a new Supervisor to start them")
        return self._keeper

    def _supervise(self, workload: Workload) -> None:
        if not self._running_keeper.supervise(workload.name):
            raise self._failure(workload, f"ended ({self._running_keeper.ending(workload.name)}) as soon as it was healthy")

    def _member(self, workload: Workload) -> Member:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return Member(
            name=workload.name,
            command=(str(self._programs[workload.server.program]), *workload.arguments),
            environment={**inherited, **workload.environment},
            log=self.log(workload.name),
            pid_file=self._folder / "pids" / f"{workload.name}.pid",
            grace_seconds=workload.grace_seconds,
        )

    def _failure(self, workload: Workload, what: str) -> StartError:
        lines = self._running_keeper.last_lines(workload.name, SHOWN_LINES)
        shown = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
        command = shlex.join([str(self._programs[workload.server.program]), *workload.arguments])
        return StartError(
            f"{workload.name} {what}. It was started with:\n    {command}\n"
            f"and the end of its log is:\n{shown}\n"
            f"Its documents are in {workload.documents_path}. See all of the log with: less {self.log(workload.name)}"
        )


def _refuse_taken_ports(workload: Workload) -> None:
    taken = [port for port in workload.ports if not is_free(port.number)]
    if taken:
        named = ", ".join(f"{port.number} ({port.name})" for port in taken)
        raise PortsError(
            f"{workload.name}: something else listens on port {named} of 127.0.0.1; see what with: ss -tlnp 'sport = :{taken[0].number}', "
            "stop it, then run the same command again"
        )


def _refuse_secrets(plan: Plan) -> None:
    secrets = [f"{w.name}: file {s.path} from secret {s.secret}/{s.key}" for w in plan.workloads for s in w.secret_files]
    secrets += [f"{w.name}: variable {s.variable} from secret {s.secret}/{s.key}" for w in plan.workloads for s in w.secret_variables]
    if secrets:
        shown = "\n".join(f"  - {secret}" for secret in secrets)
        raise UnsupportedPlanError(
            f"environment {plan.environment!r}: the local target has nowhere to take secrets from, and this plan needs\n{shown}\n"
            "Leave out of the environment file what asks for them, or use a docker or kubernetes target."
        )
