"""Differences between two environments: changed settings in sentences, their consequences, and the effect on each workload."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from components.kubernetes.pods import template
from stacks.changes.consequences import consequence
from stacks.changes.moves import Move
from stacks.environment.schema import Setting, settings
from stacks.environment.starts import slow_start
from stacks.plan.names import of_store
from stacks.plan.plan import plan
from stacks.plan.remote import with_place
from stacks.plan.targets import addresses_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.workload import Plan, Workload
    from stacks.environment.model import Environment
    from stacks.environment.source import Named

Key = tuple[str, ...]
Effect = Literal["created", "removed", "restarts", "reloads", "scales"]


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that differs: its key, both values as a file would have them, and what that means."""

    key: str
    old: object
    new: object
    sentence: str
    consequence: str | None


@dataclass(frozen=True, slots=True)
class WorkloadChange:
    """Effect on a workload, and its causes, which are the documents or properties that differ.

    ``loses`` is what is lost by it, ``waits`` how long its start lasts where that is long; None for neither.
    """

    workload: str
    effect: Effect
    because: tuple[str, ...]
    loses: str | None = None
    waits: str | None = None

    @property
    def means(self) -> str:
        """Meaning of it, as far as its effect does not tell."""
        return "; ".join(filter(None, (self.loses, self.waits)))


@dataclass(frozen=True, slots=True)
class Difference:
    """Differences between two environments."""

    changes: tuple[Change, ...]
    workloads: tuple[WorkloadChange, ...]
    documents: str

    def __bool__(self) -> bool:
        return bool(self.changes or self.workloads)


def difference(old: Named, new: Named) -> Difference:
    """Compare two environments, of which ``new`` is to take the place of ``old``."""
    before, after = (plan(side.environment, addresses_of(side), name=new.name) for side in (old, new))
    moved = old.environment.place != new.environment.place
    slow = slow_starts(old.environment)
    effects = [
        replace(one, waits=slow.get(one.workload)) if one.effect == "restarts" else one for one in _workloads(before, after, moved=moved)
    ]
    return Difference(tuple(_changes(old, new)), (*effects, *_jobs(before, after)), _documents(before, after))


def leaves(value: object, path: Key = ()) -> Iterator[tuple[Key, object]]:
    """Every leaf of a dumped environment with its path; an empty mapping has none."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from leaves(child, (*path, name))
    else:
        yield path, value


@cache
def _by_pattern() -> Mapping[Key, Setting]:
    return {setting.path: setting for setting in settings()}


def setting_at(path: Key) -> Setting | None:
    """The setting that a path of a dumped environment belongs to."""
    for pattern, setting in _by_pattern().items():
        if len(pattern) == len(path) and all(want in {"*", part} for want, part in zip(pattern, path, strict=True)):
            return setting
    return None


def _changes(old: Named, new: Named) -> Iterator[Change]:
    before, after = (dict(leaves(side.environment.model_dump(mode="json"))) for side in (old, new))
    move = Move(*(with_place(side.environment, new.name) for side in (old, new)))
    if move.is_one:
        before = move.relocated(before)
        was_there, is_there = move.titles()
        if was_there != is_there:
            yield Change(
                "backend.also", was_there, is_there, f"stores {' and '.join(was_there)} → {' and '.join(is_there)}", move.sentence()
            )
    for path in dict.fromkeys([*after, *before]):
        was, becomes = before.get(path), after.get(path)
        # A section that is absent is dumped as null; its settings tell what it becomes.
        if was == becomes or (setting := setting_at(path)) is None:
            continue
        text = f"{_noun(setting, path)} {_transition(setting, was, becomes)}"
        told = [consequence(key, was, becomes, *sides) for key, *sides in move.meant(setting.key)]
        yield Change(".".join(path), was, becomes, text, "; ".join(filter(None, told)) or None)


def _noun(setting: Setting, path: Key) -> str:
    """Name of a setting in a sentence, with the names that the user chose."""
    names = [part for want, part in zip(setting.path, path, strict=True) if want == "*"]
    return " of ".join([setting.title, *(f'"{name}"' for name in reversed(names))])


def _transition(setting: Setting, was: object, becomes: object) -> str:
    if isinstance(was, list) and isinstance(becomes, list) and set(was) != set(becomes):
        gone, come = ([item for item in side if item not in other] for side, other in ((was, becomes), (becomes, was)))
        return ", ".join([*(f"+ {item}" for item in come), *(f"- {item}" for item in gone)])  # a sign before each name
    return f"{_value(setting, was)} → {_value(setting, becomes)}"


def _value(setting: Setting, value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    number = f"{value:,g}" if isinstance(value, int | float) and abs(value) < 10**6 else str(value)
    return f"{number} {setting.unit}" if setting.unit else number


_QUEUE_OF_POD = "a queue goes with its pod: what a gateway that is away has not taken is lost"


def _workloads(before: Plan, after: Plan, *, moved: bool) -> Iterator[WorkloadChange]:
    """Effects on workloads; where the backbone has ``moved``, all are removed there and created here."""
    old, new = ({w.name: w for w in side.workloads} for side in (before, after))
    for name in dict.fromkeys([*old, *new]):
        if name not in new or (moved and name in old):
            yield WorkloadChange(name, "removed", ("target",) if name in new else ("plan",))
        if name not in old or (moved and name in new):
            yield WorkloadChange(name, "created", ("target",) if name in old else ("plan",))
        elif name in new and (change := _same_place(old[name], new[name], _pods(before, old[name], after, new[name]))):
            queued = after.target == "kubernetes" and any(v.holds == "queue" and v.survives == "instance" for v in old[name].volumes)
            yield replace(change, loses=_QUEUE_OF_POD) if queued and change.effect == "restarts" else change


def slow_starts(environment: Environment) -> Mapping[str, str]:
    """Meaning of the start of each store that reads what it has, by the name of its workload."""
    starts = {of_store(each.backend.kind, each): slow_start(each) for each in environment.stores}
    return {name: start for name, start in starts.items() if start is not None}


def _jobs(before: Plan, after: Plan) -> Iterator[WorkloadChange]:
    """Effects on jobs: a changed one runs so from its next time on."""
    old, new = ({job.name: job for job in side.jobs} for side in (before, after))
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            effect: Effect = "reloads" if name in old and name in new else "created" if name in new else "removed"
            yield WorkloadChange(name, effect, ("arguments",) if effect == "reloads" else ("plan",))


_AT_START = (
    "server",
    "arguments",
    "resources",
    "environment",
    "secret_files",
    "secret_variables",
    "node_variable",
    "instance_variable",
    "grace_seconds",
    "restart_grace_seconds",
    "scheduling",
)


def _pods(before: Plan, old: Workload, after: Plan, new: Workload) -> tuple[str, ...] | None:
    """The parts in which pods of a workload differ, for which the API server replaces them; None on a host, which has no pods."""
    if not before.target == after.target == "kubernetes":
        return None
    was, becomes = template(before, old), template(after, new)
    return tuple(
        part for kind in ("metadata", "spec") for part in {**was[kind], **becomes[kind]} if was[kind].get(part) != becomes[kind].get(part)
    )


def _same_place(old: Workload, new: Workload, pods: tuple[str, ...] | None) -> WorkloadChange | None:
    """Effect on a workload that stays where it is; ``pods`` are the parts in which its pods differ, None on a host."""
    texts = {document.name: document for document in old.documents}
    changed = [d for d in new.documents if texts.get(d.name) != d]
    properties = [name for name in _AT_START if getattr(old, name) != getattr(new, name)]
    if _identity(old) != _identity(new):
        properties.append("identity")
    restarting = [d.name for d in changed if d.on_change == "restart"] + properties
    if pods is not None:
        # Not each property is in the pods of each workload, and pods have some of the whole plan's.
        restarting = (restarting or list(pods)) if pods else []
    if [v.storage_class for v in old.volumes] != [v.storage_class for v in new.volumes]:
        restarting.append("volume")  # a larger one grows in place, one of another class is another volume
    if restarting:
        return WorkloadChange(new.name, "restarts", tuple(restarting))
    if changed:
        return WorkloadChange(new.name, "reloads", tuple(d.name for d in changed))
    if old.replicas != new.replicas:
        return WorkloadChange(new.name, "scales", (f"replicas {old.replicas} → {new.replicas}",))
    return None


def _identity(workload: Workload) -> tuple[object, ...]:
    """The part of an identity that a pod has from its start."""
    return workload.identity.user_id, bool(workload.identity.reads), workload.identity.labels


def _documents(before: Plan, after: Plan) -> str:
    """A unified diff of all documents."""
    old, new = ({f"{w.name}/{d.name}": d.text for w in side.workloads for d in w.documents} for side in (before, after))
    parts: list[str] = []
    for name in dict.fromkeys([*old, *new]):
        lines = [side.get(name, "").splitlines(keepends=True) for side in (old, new)]
        parts += difflib.unified_diff(lines[0], lines[1], f"a/{name}", f"b/{name}")
    return "".join(parts)


def as_json(found: Difference) -> dict[str, Any]:
    """A difference for programs."""
    return {
        "changes": [
            {"key": c.key, "old": c.old, "new": c.new, "sentence": c.sentence, "consequence": c.consequence} for c in found.changes
        ],
        "workloads": [
            {"workload": w.workload, "effect": w.effect, "because": list(w.because), "loses": w.loses, "waits": w.waits}
            for w in found.workloads
        ],
    }
