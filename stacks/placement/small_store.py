"""The stores of Jaeger in the shape of a cluster on this machine: real ones of one node, in place of the company's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from components.documents import surroundings
from components.documents.images import STORES
from components.local.instances import Instance
from components.workload import Document, Health, Port, Volume
from stacks.environment.jaeger import Jaeger
from stacks.placement.surroundings import Surrounding
from stacks.plan.names import of_store
from stacks.plan.remote import remote

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.environment.model import Environment
    from stacks.environment.moves import Store

Kind = TypeVar("Kind", bound="Store")

CQL = Port("cql", 9042, "http")
SEARCH = Port("search", 9200, "http")
HEALTH = Port("health", 13133, "http")

_START_SECONDS = 300
"""Time for a Java server to start on a busy machine."""


def with_own_store(environment: Environment, address: str, named: str | None = None) -> Environment:
    """The environment with the store of this machine at ``address``: one node, in plain text, for nobody in particular.

    ``named`` is the address of one that has a name (default: the same). A store that is not elsewhere stays as it is.
    """

    def placed(store: Kind) -> Kind:
        return _placed(store, address if store.name is None else named or address)

    backend = placed(environment.backend)
    if (also := backend.also) is not None:
        backend = backend.model_copy(update={"also": also.model_copy(update={"store": placed(also.store)})})
    return environment.model_copy(update={"backend": backend})


def _placed(store: Kind, address: str) -> Kind:
    if not isinstance(store, Jaeger) or store.storage.kind == "badger":
        return store
    storage = store.storage
    own: dict[str, object] = {"replication": 1, "ca_secret": None, "credentials_secret": None}
    if storage.kind == "cassandra":
        own |= {"servers": (f"{address}:{CQL.number}",), "plain_text": True, "datacenter": None}
    else:
        own |= {"servers": (f"http://{address}:{SEARCH.number}",)}
    return store.model_copy(update={"storage": storage.model_copy(update=own)})


def own_store(environment: Environment, address: str, folder: Path) -> tuple[Instance, ...]:
    """The store of a backend as an instance at ``address``, with its data below ``folder``; none where it is not elsewhere.

    OpenSearch stands in for Elasticsearch, whose API it has.
    """
    storage = remote(environment)
    if storage is None:
        return ()
    name = of_store("store", environment)
    home = folder / f"{name}-0"
    data = Volume("data", str(home / "data"), 2**30, holds="scratch", survives="workload")
    if storage.kind == "cassandra":
        text = surroundings.cassandra(address, str(data.path), CQL.number)
        store = Surrounding(
            name=name,
            server=STORES["cassandra"],
            arguments=(address, str(HEALTH.number)),
            documents=(Document("cassandra.yaml", text),),
            documents_path=str(home / "documents"),
            ports=(CQL, HEALTH),
            health=Health(HEALTH.name, "/", start_seconds=_START_SECONDS),
            volumes=(data,),
            environment={"CASSANDRA_CONFIG": str(home / "documents" / "cassandra.yaml"), "CASSANDRA_DATA": data.path},
        )
    else:
        store = Surrounding(
            name=name,
            server=STORES["opensearch"],
            arguments=(address, str(SEARCH.number), data.path),
            documents=(),
            documents_path=str(home / "documents"),
            ports=(SEARCH,),
            health=Health(SEARCH.name, "/_cluster/health?wait_for_status=yellow&timeout=1s", start_seconds=_START_SECONDS),
            volumes=(data,),
        )
    return (Instance(f"{name}-0", store, address),)
