"""Jobs of a plan on this machine: each is run once a day for as long as its environment runs."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.local.instances import log_path
from components.local.process import Process, describe_exit
from components.local.supervisor import INHERITED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from components.workload import Job

DAY_SECONDS = 86_400.0
POLL_SECONDS = 0.2


@contextmanager
def repeated(
    jobs: Sequence[Job], programs: Mapping[str, Path], folder: Path, variables: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[None]:
    """Run each job at once and then every day until the context is left; what is under way then is ended.

    ``programs`` maps a server's program to its path, ``variables`` are the values of secret variables by their names. The output is in
    ``logs/<job>.log`` below ``folder``; ``say`` gets a line for a run that failed.
    """
    stopping = threading.Event()

    def repeat(job: Job) -> None:
        while True:
            status = run_once(job, programs[job.server.program], folder, variables, stopping)
            if status and not stopping.is_set():
                say(f"{job.name} ended with {describe_exit(status)}; what it said: less {log_path(folder, job.name)}")
            if stopping.wait(DAY_SECONDS):
                return

    threads = [threading.Thread(target=repeat, args=(job,), name=job.name) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def run_once(job: Job, program: Path, folder: Path, variables: Mapping[str, str], stopping: threading.Event) -> int:
    """Run a job to its end, or until ``stopping`` is set, and return its exit status; negative for the signal that ended it."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    wanted = {entry.variable: variables[entry.variable] for entry in job.secret_variables if entry.variable in variables}
    log = log_path(folder, job.name)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = Process([str(program), *job.arguments], environment=inherited | dict(job.environment) | wanted, output=output.fileno())
        try:
            while (status := process.exit_status()) is None:
                if stopping.wait(POLL_SECONDS):
                    break
        finally:
            process.kill()
    return status if status is not None else process.exit_status() or 0
