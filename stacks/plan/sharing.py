"""Stores of environments that would write to one keyspace or to indices of one prefix."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.environment.move_rules import SECOND
from stacks.environment.parse import BadEnvironmentError, Problem
from stacks.environment.source import ROOT, name_of, read
from stacks.environment.units import shown
from stacks.plan.remote import place_in_store, place_key, remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stacks.environment.source import Named


def read_alone(wanted: str) -> Named:
    """The environment that ``wanted`` names, of whose places in stores none is that of its other store or of a stack file beside it.

    Files that hold no environment, or one that cannot be used, are passed over. Raises ``BadEnvironmentError``, also as ``read`` does.
    """
    named = read(wanted)
    if own := list(_places(named)):
        path = Path(wanted)
        folder = path.parent if path.suffix in {".yaml", ".yml"} else ROOT
        others = [place for other in _others(named, folder.glob("Pulumi.*.yaml")) for place in _places(other)]
        pairs = [*product(own, others), *((second, first) for first, second in combinations(own, 2))]
        if problems := [place.problem(other) for place, other in pairs if place.is_that_of(other)]:
            raise BadEnvironmentError(named.source, problems, f"python -m stacks check {shlex.quote(wanted)}")
    return named


def _others(named: Named, files: Iterable[Path]) -> Iterator[Named]:
    for path in sorted(files):
        if name_of(str(path)) != named.name:
            try:
                yield read(str(path))
            except BadEnvironmentError:
                continue


@dataclass(frozen=True, slots=True)
class _Place:
    """A keyspace or an index prefix: the key of the setting, the servers, and whose it is."""

    key: str
    servers: frozenset[str]
    cassandra: bool
    name: str
    owner: Named

    def is_that_of(self, other: _Place) -> bool:
        """Whether two stores would write to the same place."""
        return self.cassandra is other.cassandra and self.name == other.name and bool(self.servers & other.servers)

    def problem(self, other: _Place) -> Problem:
        """The fault of a place that is another's."""
        whose = f"{other.owner.name} ({other.owner.source})" if self.owner is not other.owner else other.key
        return Problem(
            f"environment.{self.key}",
            f"{shown(self.name)} is that of {whose} on the same servers, whose traces would be shown, and deleted, as those of this one; "
            "write another, or leave it out in both",
        )


def _places(named: Named) -> Iterator[_Place]:
    for environment, key in zip(named.environment.stores, ("backend", SECOND), strict=False):
        if (storage := remote(environment)) is not None:
            place = place_in_store(storage, named.name)
            yield _Place(f"{key}.storage.{place_key(storage)}", frozenset(storage.servers), storage.kind == "cassandra", place, named)
