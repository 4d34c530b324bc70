"""Deploying an environment with Pulumi: preview, up, destroy, and the outputs of what is deployed."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from stacks.changes.diff import difference, slow_starts
from stacks.deploy import leftovers
from stacks.deploy.early import probed, sent_early
from stacks.deploy.engine import OUTPUTS, Engine, EngineError, EngineInterruptedError, EngineStoppedError
from stacks.deploy.hints import interrupted, stopped
from stacks.deploy.workspace import open_engine
from stacks.environment.parse import BadEnvironmentError
from stacks.environment.source import Named, named
from stacks.placement.outputs import parse_deployed
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from components.workload import Plan, Workload
    from stacks.changes.diff import Difference
    from stacks.deploy.engine import Event, Watch
    from stacks.environment.model import Environment
    from stacks.placement.outputs import Outputs

YES = "YES"
"""The environment variable that answers every question when it is 1."""

_ROTATED = frozenset({"kubernetes:core/v1:Secret"})
_CONTAINER = "docker:index/container:Container"
_CONTROLLERS = frozenset(f"kubernetes:apps/v1:{kind}" for kind in ("DaemonSet", "Deployment", "StatefulSet"))
_LOST = frozenset({"delete", "replace", "delete-replaced", "discard-replaced"})
_STORES = frozenset({"docker:index/volume:Volume", "kubernetes:core/v1:PersistentVolumeClaim"})
QUIET = ("--suppress-outputs", "--suppress-permalink=true")
"""Options of every operation of the engine: this program prints the outputs, and the file backend has no page."""


class RefusedError(Exception):
    """Error of a command that did nothing: the user refused, the user could not be asked, or the environment is not deployed."""


def say(line: str) -> None:
    """Write a line to the terminal."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class Deployment:
    """An environment and the engine on its stack; what was last deployed there, if anything, is ``before``.

    ``gone`` are the workloads of that which are not in the state any more, and ``begun`` what was being made when the engine was killed.
    """

    named: Named
    engine: Engine
    before: Named | None
    gone: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the environment, which is that of the stack."""
        return self.named.name


def open_deployment(environment: Named, *, state: Path | None = None, leaving: bool = False) -> Deployment:
    """Look whether the target can be used, and what is deployed there; ``leaving`` says that it is to be deleted, which needs less.

    Raises what the target's or the engine's errors say.
    """
    kind = environment.environment.target.kind
    if kind == "local":
        raise RefusedError(
            f"{environment.source}: environment.target.kind: local is not deployed but run\nthen: python -m stacks run {environment.name}"
        )
    engine = open_engine(environment, say=say, state=state)
    deployed = engine.state()
    _usable(environment, new=not (deployed.get("resources") or deployed.get("pending_operations")), leaving=leaving)
    before = _before(environment.name, leftovers.outputs(deployed))
    gone = () if before is None else tuple(leftovers.gone(_plan(before), deployed))
    return Deployment(environment, engine, before, gone, tuple(map(leftovers.called, leftovers.begun(deployed))))


def _usable(environment: Named, *, new: bool, leaving: bool) -> None:
    target = environment.environment.target
    if target.kind == "docker":
        from stacks.deploy.docker_api import ping

        ping(target.host)
    elif target.kind == "kubernetes":
        from stacks.deploy import preflight

        if leaving:
            preflight.reachable(target.context)
        else:
            for line in preflight.check(target.context, _plan(environment), new=new):
                say(f"{environment.name}: {line}")


def _before(name: str, outputs: Mapping[str, Any]) -> Named | None:
    """The environment that is deployed, as the outputs tell it."""
    if "settings" not in outputs:
        return None
    try:
        return named(json.loads(outputs["settings"]), source=f"{name} as deployed", name=name)
    except BadEnvironmentError as error:
        say(f"what is deployed was made by another version of this project and cannot be compared:\n{error}")
        return None


def show_difference(deployment: Deployment) -> Difference | None:
    """Print what changes in the words of the pipeline; None when nothing is deployed yet, or what is cannot be compared."""
    from stacks.show.tables import print_difference

    if deployment.before is None:
        say(f"{deployment.name}: nothing that could be compared is deployed yet")
        return None
    found = difference(deployment.before, deployment.named)
    if deployment.gone:
        # The outputs outlive what they tell of.
        say(f"{deployment.name}: not whole after what was interrupted: {', '.join(deployment.gone)} will be made again")
    if found or not deployment.gone:
        print_difference(found, f"{deployment.name} as deployed", deployment.named.source)
    return found


def preview(deployment: Deployment) -> list[Event]:
    """Show what would change, and what that does to stored traces. Raises ``EngineError``."""
    found = show_difference(deployment)
    events = deployment.engine.operate("preview", *QUIET)
    for line in (*rotations(deployment, events), *renewals(deployment, events, found), *losses(deployment, events)):
        say(line)
    return events


def rotations(deployment: Deployment, events: Iterable[Event]) -> list[str]:
    """A sentence for each Secret with other values: which workloads read it, and restart. The values are not looked at."""
    readers = _readers(deployment, events)
    return [f"Secret {name} has other values: {', '.join(those)} will restart" for name, those in readers.items() if those]


def _readers(deployment: Deployment, events: Iterable[Event]) -> dict[str, list[str]]:
    """The workloads that read each Secret with other values."""
    updated = [event for event in events if event.kind in _ROTATED and event.operation == "update"]
    # Labels of a Secret restart nobody.
    changed = sorted({_physical(event) for event in updated if event.differing != {"metadata"}})
    wanted = _plan(deployment.named)
    # Pods of a job read their Secrets at each run.
    return {name: [one.name for one in wanted.workloads if name in _read_secrets(one)] for name in changed}


def renewals(deployment: Deployment, events: Sequence[Event], found: Difference | None) -> list[str]:
    """A sentence of the workloads that restart though no setting and no Secret is another: another version of this project made them."""
    if found is None:
        return []
    told = {change.workload for change in found.workloads if change.effect in {"restarts", "created"}}
    told |= {name for readers in _readers(deployment, events).values() for name in readers}
    names = {_physical(event).removeprefix(f"{deployment.named.environment.namespace}-") for event in events if _restarts(event)}
    wanted = [one.name for one in _plan(deployment.named).workloads if one.name in names - told]
    if not wanted:
        return []
    slow = [start for name, start in slow_starts(deployment.named.environment).items() if name in wanted]
    return [f"this version of the project makes other documents or objects: {', '.join(wanted)} will restart", *slow]


def _restarts(event: Event) -> bool:
    """Whether a step gives a workload other pods, or another container."""
    if event.kind in _CONTROLLERS:
        templates = [inputs.get("spec", {}).get("template") for inputs in (event.old, event.new)]
        return event.operation in _LOST or (event.operation == "update" and templates[0] != templates[1])
    return event.kind == _CONTAINER and event.operation in _LOST


def _read_secrets(workload: Workload) -> set[str]:
    return {file.secret for file in workload.secret_files} | {variable.secret for variable in workload.secret_variables}


def losses(deployment: Deployment, events: Iterable[Event]) -> list[str]:
    """A warning for each volume of stored traces that the engine is about to delete."""
    held = set(_trace_stores(_plan(deployment.before or deployment.named)))
    gone = {_physical(e) for e in events if e.kind in _STORES and e.operation in _LOST} & held
    return [f"WARNING: this deletes the stored traces of {deployment.name}: volume {name}" for name in sorted(gone)]


def _physical(event: Event) -> str:
    """The name on the target of what a step changes or deletes."""
    return str(event.old.get("name") or event.old.get("metadata", {}).get("name"))


def _plan(environment: Named) -> Plan:
    return plan(environment.environment, addresses_of(environment), name=environment.name)


def _trace_stores(wanted: Plan) -> Iterator[str]:
    """The names that volumes of stored traces have on the target."""
    for workload in wanted.workloads:
        for volume in workload.volumes:
            if volume.holds == "traces":
                yield from _names(wanted, workload.name, volume.name)


def _names(wanted: Plan, workload: str, volume: str) -> Iterator[str]:
    if wanted.target == "docker":
        from components.docker.containers import physical_name

        yield physical_name(wanted, workload, volume)
    else:
        from components.kubernetes.names import claim_name

        placed = wanted.workload(workload)
        yield from (claim_name(placed, volume, ordinal) for ordinal in range(placed.replicas))


def up(deployment: Deployment) -> Outputs:
    """Preview, ask, deploy, probe. Raises ``EngineError``, ``RefusedError``, or ``ProbeError`` when nothing comes through."""
    if deployment.begun:
        raise RefusedError(
            f"{deployment.name}: {', '.join(deployment.begun)}: being made by another `up`, or was when that was killed\n"
            f"then: if none is running: python -m stacks recover {deployment.name}"
        )
    with sent_early(_whole(deployment), partial(deployed_outputs, deployment.engine, show_secrets=True)) as early:
        events = preview(deployment)
        changing = [event for event in events if event.operation not in {"same", OUTPUTS}]
        if changing:
            _ask(f"deploy this to {deployment.name}?")
        since = time.monotonic()
        if changing or any(event.operation == OUTPUTS for event in events):
            _deploy(deployment)
    say(f"deployed in {time.monotonic() - since:.0f} s" if changing else "nothing that runs has changed")
    sent = None if changing else early.result()
    contract = deployed_outputs(deployment.engine, show_secrets=True)
    trace = probed(deployment.named.environment, contract, sent, say=say)
    if trace is not None:
        say(f"trace {trace.trace_id} came out: the backbone works")
    return contract


def _whole(deployment: Deployment) -> Environment | None:
    """The environment that is deployed and can be probed; None where nothing is, or not all of it."""
    return None if deployment.before is None or deployment.gone else deployment.before.environment


def _deploy(deployment: Deployment) -> None:
    engine = deployment.engine
    try:
        engine.operate("up", "--yes", "--skip-preview", *QUIET, watch=_watch(deployment))
    except (EngineInterruptedError, EngineStoppedError) as error:
        # What was asked of the target and not answered any more may be there, and the engine drops its note that it had begun it.
        made = [event.record for event in error.events if event.operation in leftovers.MAKING]
        unknown = [leftovers.called(record) for record in leftovers.unknown(engine.state(), made)]
        if isinstance(error, EngineInterruptedError):
            raise EngineError(interrupted("up", engine.name, unknown, at_once=error.at_once), error.events) from None
        raise EngineError(stopped(str(error), engine.name, unknown), error.events) from None


def _watch(deployment: Deployment) -> Watch | None:
    """A look at the pods while they start. A container on a host is waited for by the engine no longer than it may take."""
    place = deployment.engine.place
    if place.context is None:
        return None
    from stacks.deploy.watch import ClusterWatch

    return ClusterWatch(place, place.context, say)


def destroy(deployment: Deployment) -> None:
    """Delete everything, after a question that says whether traces go with it. Raises ``EngineError`` and ``RefusedError``."""
    if deployment.before is not None:
        there = _plan(deployment.before)
        if not any(volume.protect for workload in there.workloads for volume in workload.volumes):
            say(f"WARNING: this deletes the stored traces of {deployment.name}: volume {', '.join(sorted(_trace_stores(there)))}")
    # Else the engine would delete all that is not protected before it comes to what is.
    deployment.engine.operate("destroy", "--preview-only", *QUIET)
    _ask(f"destroy {deployment.name}?")
    deployment.engine.operate("destroy", "--yes", "--skip-preview", *QUIET)
    say(f"{deployment.name} is gone")


def deployed_outputs(engine: Engine, *, show_secrets: bool = False) -> Outputs:
    """The contract of what is deployed. Without ``show_secrets`` the token is left out. Raises ``EngineError`` when nothing is."""
    found = engine.outputs(show_secrets=show_secrets)
    if not found:
        raise EngineError(f"{engine.name}: nothing is deployed\nthen: python -m stacks up {engine.name}")
    if not show_secrets:
        found.pop("otlp_token", None)
    return parse_deployed(found, place=f"outputs of {engine.name}")


def _ask(question: str) -> None:
    if os.environ.get(YES) == "1":
        return
    if not sys.stdin.isatty():
        raise RefusedError(f"{question} There is no terminal to ask at\nthen: {YES}=1 answers it")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise RefusedError("nothing was done")
