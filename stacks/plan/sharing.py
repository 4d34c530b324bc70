"""Environments that would write to one keyspace, to indices of one prefix, into one bucket or to one topic."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.environment.move_rules import SECOND
from stacks.environment.parse import BadEnvironmentError, Problem
from stacks.environment.places import home_of, servers_of
from stacks.environment.source import ROOT, name_of, read
from stacks.environment.store_names import default_index_prefix
from stacks.environment.units import shown
from stacks.plan.kafka import group_name, topic_name
from stacks.plan.remote import place_in_store, place_key, remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stacks.environment.source import Named


def read_alone(wanted: str) -> Named:
    """The environment that ``wanted`` names, of whose places elsewhere none is that of its other store or of a stack file beside it.

    Files that hold no environment, or one that cannot be used, are passed over. Raises ``BadEnvironmentError``, also as ``read`` does.
    """
    named = read(wanted)
    if own := list(_places(named)):
        path = Path(wanted)
        folder = path.parent if path.suffix in {".yaml", ".yml"} else ROOT
        others = [place for other in _others(named, folder.glob("Pulumi.*.yaml")) for place in _places(other)]
        pairs = [*product(own, others), *((second, first) for first, second in combinations(own, 2))]
        if problems := list(_said((place, other) for place, other in pairs if place.is_that_of(other))):
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
    """A keyspace, an index prefix, a bucket, a topic or a group of consumers.

    ``sort`` tells which of these it is, ``servers`` where its name means one thing, ``shared`` what comes of sharing it, and ``right``
    what to write.
    """

    sort: str
    key: str
    servers: frozenset[str]
    name: str
    owner: Named
    shared: str
    right: str

    def is_that_of(self, other: _Place) -> bool:
        """Whether two environments, or two stores, would have the same place."""
        return self.sort == other.sort and self.name == other.name and bool(self.servers & other.servers)

    def problem(self, other: _Place) -> Problem:
        """The fault of a place that is another's."""
        whose = f"{other.owner.name} ({other.owner.source})" if self.owner is not other.owner else other.key
        return Problem(f"environment.{self.key}", f"{shown(self.name)} is that of {whose} {self.shared}; {self.right}")


_OTHERS = "write another, or leave it out in both"
_ON_SERVERS = "on the same servers, whose traces would be shown, and deleted, as those of this one"
_IN_BUCKET = "in the same object storage, whose traces would be shown, and deleted, as those of this one"
_ON_TOPIC = "on the same Kafka, so that each would take spans of the other, or all of them"
_IN_GROUP = "on the same Kafka, so that each would stop while gateways of the other come and go"


def _places(named: Named) -> Iterator[_Place]:
    for environment, key in zip(named.environment.stores, ("backend", SECOND), strict=False):
        backend = environment.backend
        if (storage := remote(environment)) is not None:
            sort, name = place_key(storage), place_in_store(storage, named.name)
            given = storage.keyspace if storage.kind == "cassandra" else storage.index_prefix
            right = _OTHERS if given is not None else "write another"
            yield _Place(sort, f"{key}.storage.{sort}", servers_of(storage.servers), name, named, _ON_SERVERS, right)
        elif backend.kind == "tempo" and backend.storage.kind != "volume":
            home = frozenset({str(home_of(backend.storage))})
            yield _Place("bucket", f"{key}.storage.bucket", home, backend.storage.bucket, named, _IN_BUCKET, "write one of its own")
    yield from _on_kafka(named)


def _on_kafka(named: Named) -> Iterator[_Place]:
    environment, section = named.environment, named.environment.collectors.kafka
    if section is not None:
        key, servers = "collectors.kafka", servers_of(section.servers)
        topic, group = topic_name(environment, section), group_name(environment, section)
        right = f'write one of its own, for example "{environment.namespace}.{default_index_prefix(named.name)}.spans"'
        yield _Place("topic", f"{key}.topic", servers, topic, named, _ON_TOPIC, right)
        yield _Place("group", f"{key}.group", servers, group, named, _IN_GROUP, _OTHERS if section.group is not None else "write another")


def _said(problems: Iterable[tuple[_Place, _Place]]) -> Iterator[Problem]:
    """The problem of each pair; that of a group alone where the topic is not shared, from which it has its name."""
    pairs = list(problems)
    topics = {other.owner.source for place, other in pairs if place.sort == "topic"}
    for place, other in pairs:
        if place.sort != "group" or other.owner.source not in topics:
            yield place.problem(other)
