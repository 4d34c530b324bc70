"""The store of Jaeger in the shape of a cluster on this machine: a real one of one node, in place of the company's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.documents import surroundings
from components.documents.images import STORES
from components.local.instances import Instance
from components.workload import Document, Health, Port, Volume
from stacks.placement.surroundings import Surrounding
from stacks.plan.remote import remote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from components.local.authority import Authority
    from stacks.environment.model import Environment

CQL = Port("cql", 9042, "http")
SEARCH = Port("search", 9200, "http")
HEALTH = Port("health", 13133, "http")

_START_SECONDS = 300
"""Time for a Java server to start on a busy machine."""


AUTHORITY_SECRET = "trial-store"  # noqa: S105 - the name of a Secret
"""The Secret with the authority behind the store's certificate, where the environment names none."""

STORE_SECRET = "trial-store-server"  # noqa: S105 - the name of a Secret
"""The Secret with the store's own key and certificate."""

FIRST_USER = "cassandra"
"""Name and password of the user that a new Cassandra has."""


def with_own_store(environment: Environment, address: str) -> Environment:
    """The environment with the store of this machine at ``address``, of one node.

    A Cassandra is secured as the environment's own is. An OpenSearch is in plain text and for nobody in particular, because what secures it
    is a plugin that is not here. An environment that names no store elsewhere stays as it is.
    """
    backend, storage = environment.backend, remote(environment)
    if backend.kind != "jaeger" or storage is None:
        return environment
    own: dict[str, object] = {"replication": 1}
    if storage.kind == "cassandra":
        own |= {"servers": (f"{address}:{CQL.number}",), "datacenter": None}
        own |= {} if storage.plain_text else {"ca_secret": storage.ca_secret or AUTHORITY_SECRET}
    else:
        own |= {"servers": (f"http://{address}:{SEARCH.number}",), "ca_secret": None, "credentials_secret": None}
    return environment.model_copy(update={"backend": backend.model_copy(update={"storage": storage.model_copy(update=own)})})


def store_secrets(environment: Environment, authority: Authority) -> dict[tuple[str, str], str]:
    """A value for every entry of a Secret that Jaeger or the store of this machine reads."""
    storage, filled = remote(environment), {}
    if storage is None or storage.kind != "cassandra":
        return {}
    if storage.ca_secret is not None:
        pair = authority.issue((storage.servers[0].rpartition(":")[0],))
        filled = {(storage.ca_secret, "ca.crt"): authority.certificate, (STORE_SECRET, "pair"): pair.key + pair.certificate}
    if storage.credentials_secret is not None:
        filled |= {(storage.credentials_secret, key): FIRST_USER for key in ("username", "password")}
    return filled


def own_store(
    environment: Environment, address: str, folder: Path, filled: Mapping[tuple[str, str], str]
) -> tuple[tuple[Instance, ...], dict[Path, str]]:
    """The store as an instance at ``address`` with its data below ``folder``, and its secret files; none where no store is elsewhere.

    OpenSearch stands in for Elasticsearch, whose API it has.
    """
    storage = remote(environment)
    if storage is None:
        return (), {}
    home, files = folder / "store-0", {}
    data = Volume("data", str(home / "data"), 2**30, holds="scratch", survives="workload")
    if storage.kind == "cassandra":
        pair = folder / "secrets/trial/store.pem"
        files = {} if storage.plain_text else {pair: filled[STORE_SECRET, "pair"]}
        text = surroundings.cassandra(
            address,
            str(data.path),
            CQL.number,
            pair=None if storage.plain_text else str(pair),
            login=storage.credentials_secret is not None,
        )
        store = Surrounding(
            name="store",
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
            name="store",
            server=STORES["opensearch"],
            arguments=(address, str(SEARCH.number), data.path),
            documents=(),
            documents_path=str(home / "documents"),
            ports=(SEARCH,),
            health=Health(SEARCH.name, "/_cluster/health?wait_for_status=yellow&timeout=1s", start_seconds=_START_SECONDS),
            volumes=(data,),
        )
    return (Instance("store-0", store, address),), files
