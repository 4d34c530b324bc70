"""Environments that would write to one keyspace or to indices of one prefix."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.environment.parse import BadEnvironmentError, Problem
from stacks.environment.source import ROOT, name_of, read
from stacks.environment.units import shown
from stacks.plan.remote import place_in_store, remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stacks.environment.source import Named


def read_alone(wanted: str) -> Named:
    """The environment that ``wanted`` names, which shares its place in a store with no other stack file of its folder.

    Files that hold no environment, or one that cannot be used, are passed over. Raises ``BadEnvironmentError``, also as ``read`` does.
    """
    named = read(wanted)
    if remote(named.environment) is not None:
        path = Path(wanted)
        folder = path.parent if path.suffix in {".yaml", ".yml"} else ROOT
        others = _others(named, folder.glob("Pulumi.*.yaml"))
        if problems := [problem for other in others for problem in _shared(named, other)]:
            raise BadEnvironmentError(named.source, problems, f"python -m stacks check {shlex.quote(wanted)}")
    return named


def _others(named: Named, files: Iterable[Path]) -> Iterator[Named]:
    for path in sorted(files):
        if name_of(str(path)) != named.name:
            try:
                yield read(str(path))
            except BadEnvironmentError:
                continue


def _shared(named: Named, other: Named) -> Iterator[Problem]:
    storage, theirs = remote(named.environment), remote(other.environment)
    if storage is None or theirs is None or not set(storage.servers) & set(theirs.servers):
        return
    key = "keyspace" if storage.kind == "cassandra" else "index_prefix"
    place = place_in_store(storage, named.name)
    alike = (storage.kind == "cassandra") is (theirs.kind == "cassandra")
    if alike and place == place_in_store(theirs, other.name):
        yield Problem(
            f"environment.backend.storage.{key}",
            f"{shown(place)} is that of {other.name} ({other.source}) on the same servers, whose traces would be shown, and deleted, as "
            "those of this one; write another, or leave it out in both",
        )
