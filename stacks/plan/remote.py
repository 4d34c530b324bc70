"""A store of traces that stands elsewhere, as an environment names it: its servers, and the keyspace or index prefix there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.workload import Port
from stacks.environment.store_names import default_index_prefix, default_keyspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.jaeger import Cassandra, Elasticsearch, OpenSearch
    from stacks.environment.model import Environment
    from stacks.environment.moves import Store

    Remote = Cassandra | OpenSearch | Elasticsearch

TRIED = {"badger": "4.8.0 in Jaeger 2.13.0", "tempo": "3.0.3", "cassandra": "5.0.6", "opensearch": "2.19.3", "kafka": "3.9.1"}
"""Versions of stores and of Kafka that this bundle was run with."""


def place_in_store(storage: Remote, name: str) -> str:
    """Keyspace or index prefix of the environment ``name``."""
    if storage.kind == "cassandra":
        return storage.keyspace or default_keyspace(name)
    return storage.index_prefix or default_index_prefix(name)


def with_place(environment: Environment, name: str) -> Environment:
    """The environment ``name`` with the keyspaces and index prefixes of its stores written out that they have by default."""
    backend, also = environment.backend, environment.backend.also
    written = _written(backend, name)
    if also is not None:
        store = also.store.model_copy(update=_written(also.store, name))
        written["also"] = also.model_copy(update={"store": store})
    return environment.model_copy(update={"backend": backend.model_copy(update=written)})


def _written(store: Store, name: str) -> dict[str, object]:
    """The settings of a store that name its place, written out."""
    if store.kind != "jaeger" or store.storage.kind == "badger":
        return {}
    storage = store.storage
    return {"storage": storage.model_copy(update={place_key(storage): place_in_store(storage, name)})}


def place_key(storage: Remote) -> str:
    """Setting that names the place in a store."""
    return "keyspace" if storage.kind == "cassandra" else "index_prefix"


def remote(environment: Environment) -> Remote | None:
    """The store elsewhere that an environment names; None where Jaeger is not the backend, or has a store of its own."""
    backend = environment.backend
    return backend.storage if backend.kind == "jaeger" and backend.storage.kind != "badger" else None


def store_ports(storage: Remote) -> Iterator[tuple[str, Port]]:
    """The host and the port of each server of a store."""
    for server in storage.servers:
        parts = urlsplit(server if "://" in server else f"tcp://{server}")
        usual = {"http": 80, "https": 443}.get(parts.scheme, 0)
        yield parts.hostname or "", Port(storage.kind[:15], parts.port or usual, "http")
