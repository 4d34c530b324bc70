"""Stores of Jaeger that stand elsewhere, as sections of its document: Cassandra, and OpenSearch with Elasticsearch.

Accepted by 2.13 and 2.20 alike. Neither the layout of an index's date nor the frequency of a new index is written, because 2.20 refuses
both, and by default an index is a day in either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from components.documents.text import Quoted, go_duration

Part = dict[str, Any]

USERNAME, PASSWORD = "STORE_USERNAME", "STORE_PASSWORD"
"""Environment variables with what a store asks for."""

_TIMEOUT = "30s"
"""Longest wait for an answer of Cassandra, which makes tables slowly while it is busy."""
_WINDOWS = 30
"""Time windows of compaction in a retention: Cassandra's advice is fewer than 50, and a window is deleted when all of it has expired."""

FLUSH_SECONDS = 0.2
"""Interval at which Jaeger sends what it holds to OpenSearch or Elasticsearch, its own default."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The way to the servers of a store: in plain text or by TLS, with the path of an ``authority``, and with credentials or without."""

    plain_text: bool
    authority: str | None = None
    credentials: bool = False

    @property
    def tls(self) -> Part:
        """The section ``tls`` of a client."""
        if self.plain_text:
            return {"insecure": True}
        return {"insecure": False} | ({"ca_file": self.authority} if self.authority is not None else {})

    @property
    def auth(self) -> Part:
        """The section ``auth``, whose values the server itself puts in."""
        if not self.credentials:
            return {}
        basic = {"username": Quoted(f"${{env:{USERNAME}}}"), "password": Quoted(f"${{env:{PASSWORD}}}")}
        return {"auth": {"basic": basic}}


@dataclass(frozen=True, slots=True)
class Cassandra:
    """A keyspace of a Cassandra; ``hosts`` all listen on ``port``."""

    hosts: tuple[str, ...]
    port: int
    keyspace: str
    datacenter: str | None
    replication: int
    retention_seconds: int
    create_schema: bool
    reach: Reach

    answers_late = False

    def section(self, *, writes: bool) -> Part:
        """The store as a backend of Jaeger; those that write make its tables.

        Most replicas of a row answer for a write, and for a read, because what one of them alone has is lost with it.
        """
        local = {"local_dc": self.datacenter} if self.datacenter is not None else {}
        ttl = go_duration(self.retention_seconds * 1000)
        return {
            "cassandra": {
                "schema": {
                    "keyspace": self.keyspace,
                    "create": self.create_schema and writes,
                    "replication_factor": self.replication,
                    "trace_ttl": ttl,
                    "dependencies_ttl": ttl,
                    "compaction_window": f"{window_minutes(self.retention_seconds)}m",
                },
                "connection": {
                    # Each with its port, because Jaeger takes a name of one part for a path without it.
                    "servers": [f"{host}:{self.port}" for host in self.hosts],
                    "port": self.port,
                    **local,
                    "timeout": _TIMEOUT,
                    "tls": self.reach.tls,
                    **self.reach.auth,
                },
                "query": {"timeout": _TIMEOUT, "consistency": "LOCAL_QUORUM"},
            }
        }


def window_minutes(retention_seconds: int) -> int:
    """Minutes of a time window of compaction of the spans."""
    return max(1, math.ceil(retention_seconds / _WINDOWS / 60))


@dataclass(frozen=True, slots=True)
class Search:
    """Indices with a prefix in an OpenSearch or an Elasticsearch; ``replication`` counts all copies of a shard."""

    kind: Literal["opensearch", "elasticsearch"]
    servers: tuple[str, ...]
    prefix: str
    shards: int
    replication: int
    retention_seconds: int
    create_schema: bool
    reach: Reach

    answers_late = True
    """Jaeger answers for a span when it has put it into a buffer, and sends the buffer later."""

    def section(self, *, writes: bool) -> Part:
        """The store as a backend of Jaeger; those that write make its templates."""
        index = {"shards": self.shards, "replicas": self.replication - 1}
        return {
            self.kind: {
                "server_urls": list(self.servers),
                "indices": {"index_prefix": self.prefix, "spans": index, "services": index, "dependencies": index},
                "create_mappings": self.create_schema and writes,
                # Nothing that is older is found, whenever its index is deleted.
                "max_span_age": go_duration(self.retention_seconds * 1000),
                "bulk_processing": {"flush_interval": go_duration(round(FLUSH_SECONDS * 1000))},
                "tls": self.reach.tls,
                **self.reach.auth,
            }
        }


Store = Cassandra | Search
