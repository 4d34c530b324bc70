"""Environments that cannot be used because of their two stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stacks.environment.bad import Bad
from tests.stacks.samples import settings

if TYPE_CHECKING:
    from tests.stacks.samples import Changes

MOVE = settings("prod-move")["backend"]
SECOND = "backend.also.store"
SEARCH: dict[str, object] = {"kind": "jaeger", "storage": {"kind": "opensearch", "servers": ["https://search.example.org:9200"]}}
CASSANDRA: dict[str, object] = {"kind": "jaeger", "storage": {"kind": "cassandra", "servers": ["a.example.org:9042"], "keyspace": "traces"}}
OTLP: dict[str, object] = {"kind": "otlp", "endpoint": "https://store.example.org:4317", "ui_url": "https://ui.example.org"}


def _bad(id_: str, stores: tuple[dict[str, object], object], key: str, wrong: str, right: str, **more: object) -> Bad:
    first, second = stores
    changes: Changes = {"backend": first | {"also": {"store": second} | more}} | ({"access": None} if first["kind"] == "otlp" else {})
    return Bad(id_, f"environment.{key}", wrong, right, changes)


def _bucket(endpoint: str) -> dict[str, object]:
    return {"kind": "tempo", "storage": {"kind": "s3", "bucket": "traces", "endpoint": endpoint}}


BADGER = MOVE["also"]["store"]
MOVES = [
    _bad("two stores without names", (SEARCH, BADGER), "backend.name", "is missing, as is backend.also.store.name", 'example "search"'),
    _bad(
        "two stores with names",
        (SEARCH | {"name": "search"}, BADGER | {"name": "old"}),
        f"{SECOND}.name",
        '"old" is the name of a second store',
        "a store without a name first",
    ),
    _bad(
        "name of two words", (SEARCH | {"name": "new-store"}, BADGER), "backend.name", "cannot be part of", "lower-case letters and digits"
    ),
    _bad("name of a queue", (SEARCH | {"name": "taken"}, BADGER), "backend.name", "a queue of its own", "write another name"),
    _bad("third store", (SEARCH | {"name": "a"}, BADGER | {"also": {"store": BADGER}}), f"{SECOND}.also", "unknown key", "known here"),
    _bad(
        "no day", (SEARCH | {"name": "a"}, BADGER), "backend.also.since", '"soon" is no day', 'write for example "2026-11-26"', since="soon"
    ),
    *(
        _bad(f"day {day}", (SEARCH | {"name": "a"}, BADGER), "backend.also.since", "on which stores", "2000 to 2999", since=day)
        for day in ("9999-12-31", "1970-01-01")
    ),
    _bad(
        "one keyspace",
        (CASSANDRA | {"name": "a"}, CASSANDRA),
        f"{SECOND}.storage.keyspace",
        '"traces" is the backend\'s own on the same servers',
        "write another",
    ),
    _bad(
        "one prefix by default",
        (SEARCH | {"name": "a"}, SEARCH | {"storage": SEARCH["storage"] | {"kind": "elasticsearch"}}),  # type: ignore[operator]  # a mapping
        f"{SECOND}.storage.index_prefix",
        "that of the environment's name",
        "write another",
    ),
    _bad(
        "one keyspace by another spelling",
        (CASSANDRA | {"name": "a"}, CASSANDRA | {"storage": CASSANDRA["storage"] | {"servers": ["a.example.org:09042"]}}),  # type: ignore[operator]  # a mapping
        f"{SECOND}.storage.keyspace",
        '"traces" is the backend\'s own on the same servers',
        "write another",
    ),
    _bad(
        "one endpoint by another spelling",
        (OTLP | {"name": "a"}, OTLP | {"endpoint": "https://STORE.example.org:4317/"}),
        f"{SECOND}.endpoint",
        "is the backend's own",
        "name another store",
    ),
    _bad(
        "one bucket in two regions",
        (_bucket("s3.amazonaws.com") | {"name": "a"}, _bucket("s3.eu-central-1.amazonaws.com")),
        f"{SECOND}.storage.bucket",
        "is the backend's own",
        "name another",
    ),
    _bad(
        "one bucket",
        (_bucket("s3.example.org") | {"name": "a"}, _bucket("s3.example.org")),
        f"{SECOND}.storage.bucket",
        "traces at s3.example.org:443",
        "name another",
    ),
    _bad("one endpoint", (OTLP | {"name": "a"}, OTLP), f"{SECOND}.endpoint", "is the backend's own", "name another store"),
    _bad(
        "second Badger without a volume",
        (SEARCH | {"name": "a"}, {"kind": "jaeger"}),
        f"{SECOND}.volume",
        "is required with Badger",
        "write its size",
    ),
    _bad(
        "second Badger twice",
        (SEARCH | {"name": "a"}, BADGER | {"replicas": 2}),
        f"{SECOND}.replicas",
        "opened by one process",
        "write 1",
    ),
    _bad(
        "hours of a second OpenSearch",
        (BADGER, SEARCH | {"name": "a"}),
        "backend.also.retention",
        "is not a number of days",
        'write "2d"',
        retention="36h",
    ),
    _bad(
        "small second volume",
        (SEARCH | {"name": "a"}, BADGER | {"volume": {"size": "10Gi"}}),
        f"{SECOND}.volume.size",
        "cannot hold 60d of traces",
        "or lower backend.also.retention",
        retention="60d",
    ),
]
