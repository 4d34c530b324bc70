"""Environments that cannot be used because of Jaeger's store."""

from __future__ import annotations

from tests.stacks.environment.bad import Bad, value
from tests.stacks.samples import ABSENT


def _cassandra(**changed: object) -> dict[str, object]:
    return {"kind": "jaeger", "storage": {"kind": "cassandra", "servers": ["cassandra.example.org:9042"]} | changed}


def _search(**changed: object) -> dict[str, object]:
    return {"kind": "jaeger", "storage": {"kind": "opensearch", "servers": ["https://search.example.org:9200"]} | changed}


def _backend(id_: str, backend: object, key: str, wrong: str, right: str, **more: object) -> Bad:
    return Bad(id_, f"environment.{key}", wrong, right, {"backend": backend} | more)


SCALED = {"autoscaling": {"max_replicas": 4}}
SERVERS = "backend.storage.servers"
STORES = [
    value("Badger without a volume", "backend.volume", ABSENT, "is required with Badger", "write its size"),
    value("Badger with autoscaling", "backend.autoscaling", {"max_replicas": 2}, "opened by one process", "leave it out"),
    value("Badger with servers for queries", "backend.query", {"replicas": 2}, "shows them too", "leave it out"),
    _backend("volume beside a store", _cassandra() | {"volume": {"size": "1Gi"}}, "backend.volume", "is of Badger", "leave it out"),
    _backend("fsync beside a store", _search() | {"sync_writes": False}, "backend.sync_writes", "is of Badger", "leave it out"),
    _backend("server without port", _cassandra(servers=["cassandra"]), f"{SERVERS}.0", "not a host with its port", ":9042"),
    _backend("port beyond all", _cassandra(servers=["a:99999"]), f"{SERVERS}.0", "not a host with its port", ":9042"),
    _backend("two ports", _cassandra(servers=["a:9042", "b:9043"]), SERVERS, "have the ports 9042 and 9043", "write one port"),
    _backend(
        "bucket of Jaeger",
        _cassandra(kind="s3"),
        "backend.storage.kind",
        '"s3" is not known',
        '"badger", "cassandra", "opensearch" or "elasticsearch"',
    ),
    _backend("no server", _cassandra(servers=[]), SERVERS, "an empty list", "write one or more"),
    _backend(
        "server without scheme",
        _search(servers=["search:9200"]),
        f"{SERVERS}.0",
        "not an http address",
        'write for example "https://opensearch.opensearch.svc:9200"',
    ),
    _backend("server that no host is", _search(servers=["https://!!!:9200"]), f"{SERVERS}.0", '"!!!" is no host', "http://"),
    _backend(
        "address of no machine",
        _cassandra(servers=["10.0.0.999:9042"]),
        f"{SERVERS}.0",
        "is no address",
        'example "cassandra.cassandra.svc:9042"',
    ),
    _backend("http and https", _search(servers=["http://a", "https://b"]), SERVERS, "mix http and https", "write all with https"),
    _backend("keyspace of dashes", _cassandra(keyspace="prod-eu"), "backend.storage.keyspace", "not a keyspace", 'digits and "_"'),
    _backend("keyspace too long", _cassandra(keyspace="k" * 49), "backend.storage.keyspace", "not a keyspace", "48 at most"),
    *(
        _backend(f"keyspace {word}", _cassandra(keyspace=word), "backend.storage.keyspace", wrong, f'"jaeger_{word}"')
        for word, wrong in (
            ("select", "a word of CQL"),
            ("table", "a word of CQL"),
            ("true", "a word of CQL"),
            ("system", "Cassandra's own"),
            ("system_traces", "Cassandra's own"),
        )
    ),
    _backend("prefix in capitals", _search(index_prefix="Prod"), "backend.storage.index_prefix", "not the beginning", "lower-case"),
    _backend("prefix of an underscore", _search(index_prefix="_x"), "backend.storage.index_prefix", "not the beginning", "lower-case"),
    _backend(
        "retention of more indices than a request names",
        _search(index_prefix="virtengine-production-eu"),
        "retention.traces",
        "78d has Jaeger name 79 indices",
        'write "74d" or less',
        **{"retention.traces": "78d"},
    ),
    _backend("no copy", _search(replication=0), "backend.storage.replication", "0 is too little", "write 1 or more"),
    _backend(
        "authority in plain text",
        _cassandra(plain_text=True, ca_secret="ca"),
        "backend.storage.ca_secret",
        "is of no use in plain text",
        "plain_text: false",
    ),
    _backend(
        "authority with http",
        _search(servers=["http://a"], ca_secret="ca"),
        "backend.storage.ca_secret",
        "of no use with http",
        "with https",
    ),
    _backend(
        "longer than Cassandra keeps",
        _cassandra(),
        "retention.traces",
        "is longer than Cassandra keeps any row",
        'write "7300d"',
        retention={"traces": "8000d"},
    ),
    _backend(
        "half a day in indices", _search(), "retention.traces", "12h is not a number of days", 'write "1d"', retention={"traces": "12h"}
    ),
    _backend("days and hours in indices", _search(), "retention.traces", "36h is not", 'write "2d"', retention={"traces": "36h"}),
    _backend(
        "fewer than the least",
        _cassandra() | SCALED | {"replicas": 5},
        "backend.autoscaling.max_replicas",
        "4 is less than backend.replicas",
        "write 5 or more",
    ),
    _backend(
        "autoscaling for nothing",
        _cassandra() | {"autoscaling": {"max_replicas": 2, "cpu": "0 %"}},
        "backend.autoscaling.cpu",
        "0 % is not a whole percentage of 1 % or more",
        "70 %",
    ),
    _backend(
        "a name that Jaeger takes for no host",
        _cassandra(servers=["cassandra:9042", "a.b.c.d.e:9042"]),
        "backend.storage.servers.1",
        '"a.b.c.d.e:9042" is refused by Jaeger',
        "write another name of the node",
    ),
    _backend(
        "an address that is none",
        _cassandra(servers=["0.0.0.0:9042"]),
        "backend.storage.servers.0",
        '"0.0.0.0:9042" is refused by Jaeger',
        "or its address",
    ),
    _backend(
        "autoscaling by parts of a percent",
        _cassandra() | {"autoscaling": {"max_replicas": 2, "cpu": "70.5 %"}},
        "backend.autoscaling.cpu",
        "70.5 % is not a whole percentage",
        '"70 %"',
    ),
]
