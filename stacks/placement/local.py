"""The local placement: a plan as child processes of one supervisor, on loopback, with its state in one folder."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.local.files import hold_folder, write_atomically
from components.local.instances import one_each
from components.local.jobs import repeated
from components.local.ports import choose_ports
from components.local.programs import find_programs
from components.local.supervisor import Supervisor
from stacks.environment.source import ROOT
from stacks.placement.outputs import Outputs, outputs
from stacks.plan.addresses import OnThisMachine
from stacks.plan.plan import plan
from stacks.plan.targets import LOCAL_STATE

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from components.workload import Plan
    from stacks.environment.source import Named

STATE = ROOT / LOCAL_STATE


@dataclass(frozen=True, slots=True)
class Running:
    """A backbone that runs on this machine: its plan, its outputs, the file that holds them, and the supervisor of its processes.

    ``places`` are URLs and files that a person may want to know beside the outputs, by a phrase for each.
    """

    plan: Plan
    outputs: Outputs
    outputs_file: Path
    supervisor: Supervisor
    places: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def deploy(
    named: Named, *, say: Callable[[str], None], stopping: threading.Event | None = None, state: Path | None = None
) -> Iterator[Running]:
    """Run an environment on this machine for as long as the context lasts; its traces, queues and ports outlive it in ``state``.

    Raises ``LocalError``, with what to do, when it cannot: another process runs this environment, a program is missing, a server
    does not come up.
    """
    with hold_folder((state or STATE) / named.name) as folder:
        there = outputs_path(named.name, state=state)
        # What an earlier run has left would send services to ports that nobody listens on yet.
        there.unlink(missing_ok=True)
        usual = OnThisMachine(str(folder.path))
        wanted = plan(named.environment, usual, name=named.name)
        servers = [*(workload.server for workload in wanted.workloads), *(job.server for job in wanted.jobs)]
        programs = find_programs(servers, toolchain=ROOT / "toolchain", say=say, stopping=stopping)
        numbers = choose_ports([(w.name, port) for w in wanted.workloads for port in usual.ports(w.name)], folder.path / "ports.json")
        placed = plan(named.environment, OnThisMachine(str(folder.path), numbers), name=named.name)
        with (
            Supervisor(one_each(placed), programs, folder, say, stopping) as supervisor,
            repeated(placed.jobs, programs, folder.path, {}, say),
        ):
            contract = outputs(placed)
            write_atomically(there, contract.to_json())
            try:
                yield Running(placed, contract, there, supervisor)
            finally:
                there.unlink(missing_ok=True)


def outputs_path(name: str, *, state: Path | None = None) -> Path:
    """The file that holds the outputs of an environment while it runs on this machine."""
    return (state or STATE) / name / "outputs.json"
