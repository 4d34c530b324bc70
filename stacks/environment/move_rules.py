"""Rules of two stores beside each other: each can be told from the other, and neither has what is the other's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stacks.environment.places import home_of, servers_of
from stacks.environment.units import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stacks.environment.cluster_rules import Broken
    from stacks.environment.model import Environment
    from stacks.environment.moves import Backend
    from stacks.environment.tempo import Storage

SECOND = "backend.also.store"
"""Key of the second store."""


def broken_move_rules(environment: Environment) -> Iterator[Broken]:
    """Every rule of the two stores together that an environment breaks."""
    second = environment.beside
    if second is None:
        return
    yield from _names(environment.backend, second.backend)
    yield from _places(environment.backend, second.backend)


def of_second(environment: Environment, broken: Iterable[Broken]) -> Iterator[Broken]:
    """Faults of the second store, found where it is taken for the only one, by the keys that it has."""
    also = environment.backend.also
    own = also is not None and also.retention is not None
    for key, message in broken:
        if key.startswith("backend."):
            yield key.replace("backend", SECOND, 1), re.sub(r"\bbackend\.", f"{SECOND}.", message)
        elif key == "retention.traces":
            yield ("backend.also.retention" if own else key), message


def _names(first: Backend, second: Backend) -> Iterator[Broken]:
    if first.name is None and second.name is None:
        yield (
            "backend.name",
            (
                f"is missing, as is {SECOND}.name, so that the two could not be told apart; write a name for the store that is new, for "
                f'example "{_proposed(first)}", and none for the one whose claims are there already'
            ),
        )
    elif first.name is not None and second.name is not None:
        wrong = f"{shown(second.name)} is the name of a second store beside {shown(first.name)}, and one of the two has none"
        yield f"{SECOND}.name", f"{wrong}; move to a store without a name first, and from there on"


def _proposed(backend: Backend) -> str:
    kind = backend.storage.kind if backend.kind != "otlp" else "managed"
    return {"opensearch": "search", "elasticsearch": "search"}.get(kind, kind)


def _places(first: Backend, second: Backend) -> Iterator[Broken]:
    """The same data under both: each would delete what the other keeps, and a move would move nothing."""
    if first.kind == "otlp" and second.kind == "otlp" and servers_of([first.endpoint]) == servers_of([second.endpoint]):
        yield f"{SECOND}.endpoint", f"{shown(second.endpoint)} is the backend's own; name another store, or leave also out"
    elif first.kind == "tempo" and second.kind == "tempo" and _place(first.storage) == _place(second.storage) is not None:
        yield (
            f"{SECOND}.storage.bucket",
            f"{shown(_bucket(second.storage))} is the backend's own, whose blocks it would delete; name another",
        )
    elif first.kind == "jaeger" and second.kind == "jaeger":
        one, other = first.storage, second.storage
        if one.kind == "cassandra" and other.kind == "cassandra":
            yield from _shared("keyspace", (one.servers, one.keyspace), (other.servers, other.keyspace))
        elif one.kind in {"opensearch", "elasticsearch"} and other.kind in {"opensearch", "elasticsearch"}:
            yield from _shared("index_prefix", (one.servers, one.index_prefix), (other.servers, other.index_prefix))


def _bucket(storage: Storage) -> str | None:
    """The bucket of Tempo's blocks with where it is, as the file has it; None on a volume."""
    match storage.kind:
        case "volume":
            return None
        case "s3":
            return f"{storage.bucket} at {storage.endpoint}:{storage.port}"
        case "gcs":
            return storage.bucket
        case "azure":
            return f"{storage.bucket} at {storage.account}.{storage.endpoint}"


def _place(storage: Storage) -> tuple[str | None, str] | None:
    return (home_of(storage), storage.bucket) if storage.kind != "volume" else None


def _shared(key: str, one: tuple[tuple[str, ...], str | None], other: tuple[tuple[str, ...], str | None]) -> Iterator[Broken]:
    (servers, place), (other_servers, other_place) = one, other
    if servers_of(servers) & servers_of(other_servers) and place == other_place:
        what = shown(place) if place is not None else "that of the environment's name"
        yield f"{SECOND}.storage.{key}", f"{what} is the backend's own on the same servers; write another, or name other servers"
