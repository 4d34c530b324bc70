"""The instances of a plan's workloads on this machine, each a process on an address of its own, and the file that lists them."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from components.local.errors import NotRunningError, UnsupportedPlanError
from components.local.files import LOCK, holder_of, lives, write_atomically
from components.local.order import start_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from components.local.runnable import Runnable
    from components.workload import Job, Plan, Workload

LOOPBACK = "127.0.0.1"
LISTING = "instances.json"


@dataclass(frozen=True, slots=True)
class Instance:
    """A process of a workload. ``address`` is the IP address that its documents bind.

    ``variables`` are environment variables beside those of the workload: the values of its secrets and the name of its node.
    """

    name: str
    workload: Runnable
    address: str = LOOPBACK
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """An instance as another process finds it. ``pid`` is None while it does not run; ``volumes`` maps names to folders."""

    workload: str
    instance: str
    pid: int | None
    address: str
    ports: Mapping[str, int]
    health: str
    log: str
    volumes: Mapping[str, str]
    grace_seconds: int


def one_each(plan: Plan) -> tuple[Instance, ...]:
    """Return an instance of each workload on 127.0.0.1, in the order of their start.

    Raises UnsupportedPlanError for a plan with secrets, for which one host has no values.
    """
    _refuse_secrets(plan)
    return tuple(Instance(name, plan.workload(name)) for name in start_order(plan))


def write_listing(instances: Iterable[Instance], folder: Path) -> None:
    """Write the file by which other processes find the instances of the environment in ``folder``."""
    listed = [asdict(_listed(instance, folder)) for instance in instances]
    write_atomically(folder / LISTING, json.dumps(listed, indent=2) + "\n")


def read_listing(folder: Path) -> tuple[Listed, ...]:
    """The instances of the environment in ``folder``, with their process ids of this moment.

    Raises NotRunningError when no environment runs there.
    """
    try:
        listed = [Listed(**entry) for entry in json.loads((folder / LISTING).read_text(encoding="utf-8"))]
    except (FileNotFoundError, NotADirectoryError):
        listed = []
    # A supervisor that was killed leaves its files behind, and the process ids in them may be those of strangers by now.
    if not listed or not _runs(folder):
        raise NotRunningError(f"{folder}: no environment runs here; start it with: {command_for('run', folder)}")
    return tuple(Listed(**asdict(entry) | {"pid": _pid(folder, entry.instance)}) for entry in listed)


def command_for(verb: str, folder: Path, environment: str | None = None) -> str:
    """The command that a hint names, for the environment in ``folder``, which ``environment`` is another name of."""
    state = "" if folder.parent.parts[-2:] == (".state", "local") else f" --state {shlex.quote(str(folder.parent))}"
    return f"python -m stacks {verb} {shlex.quote(environment or folder.name)}{state}"


def log_path(folder: Path, instance: str) -> Path:
    """The file that holds the output of an instance over all starts."""
    return folder / "logs" / f"{instance}.log"


def pid_path(folder: Path, instance: str) -> Path:
    """The file that holds the process id of an instance while it runs."""
    return folder / "pids" / f"{instance}.pid"


def held_path(folder: Path, instance: str) -> Path:
    """The file whose presence keeps a dead instance from being started again."""
    return folder / "held" / instance


def _listed(instance: Instance, folder: Path) -> Listed:
    workload = instance.workload
    health = f"http://{instance.address}:{workload.port(workload.health.port).number}{workload.health.path}"
    return Listed(
        workload=workload.name,
        instance=instance.name,
        pid=None,
        address=instance.address,
        ports={port.name: port.number for port in workload.ports},
        health=health,
        log=str(log_path(folder, instance.name)),
        volumes={volume.name: volume.path for volume in workload.volumes},
        grace_seconds=workload.grace_in_place,
    )


def _pid(folder: Path, instance: str) -> int | None:
    with suppress(OSError, ValueError):
        return int(pid_path(folder, instance).read_text(encoding="utf-8"))
    return None


def _runs(folder: Path) -> bool:
    """Whether the process that holds the folder lives."""
    holder = holder_of(folder / LOCK)
    return holder is not None and lives(holder)


def _refuse_secrets(plan: Plan) -> None:
    readers: tuple[Workload | Job, ...] = (*plan.workloads, *plan.jobs)
    secrets = [f"{w.name}: file {s.path} from secret {s.secret}/{s.key}" for w in readers for s in w.secret_files]
    secrets += [f"{w.name}: variable {s.variable} from secret {s.secret}/{s.key}" for w in readers for s in w.secret_variables]
    if secrets:
        shown = "\n".join(f"  - {secret}" for secret in secrets)
        raise UnsupportedPlanError(
            f"environment {plan.environment!r}: one host has nowhere to take secrets from, and this plan needs\n{shown}\n"
            "Leave out of the environment file what asks for them, run it with --shape cluster, or use a docker or kubernetes target."
        )


def grouped(instances: Sequence[Instance]) -> list[list[Instance]]:
    """Instances that follow each other and are of one workload, together."""
    groups: list[list[Instance]] = []
    for instance in instances:
        if groups and groups[-1][0].workload.name == instance.workload.name:
            groups[-1].append(instance)
        else:
            groups.append([instance])
    return groups
