"""Jaeger as the backend, and its stores: Badger in its own process, or a Cassandra, OpenSearch or Elasticsearch that is there already."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks.environment.cluster import Pods
from stacks.environment.hosts import BaseUrl, HostPort
from stacks.environment.section import Section
from stacks.environment.sections import Disk, Resources
from stacks.environment.store_names import IndexPrefix, Keyspace
from stacks.environment.store_section import StoreSection
from stacks.environment.units import Bytes, Identifier, ObjectName, Percent, size


class Badger(Section):
    """An embedded store on one volume, opened by one process."""

    kind: Literal["badger"] = Field(title="trace storage")
    """Kind of the store. Default: `badger`, which needs no other server."""


class Cassandra(Section):
    """A Cassandra that is there already. Tried with 5.0.6."""

    kind: Literal["cassandra"] = Field(title="trace storage")
    """Kind of the store."""
    servers: tuple[HostPort, ...] = Field(
        title="servers of the store", min_length=1, strict=False, examples=[["cassandra.cassandra.svc:9042"]]
    )
    """Nodes that are asked first, as `host:port`; they tell of the others, which listen on the same port. Jaeger refuses
    some short names, as `check` says. Required."""
    keyspace: Keyspace | None = Field(default=None, title="keyspace")
    """Keyspace of the traces. Default: `jaeger_` and the environment's name, with `_` for what a keyspace cannot hold, so that no two
    environments share one."""
    replication: int = Field(default=3, ge=1, le=16, title="copies of a span")
    """Nodes of each data centre that have a span, of a keyspace that Jaeger makes. Default: 3, because a write waits for most of them and
    one of three may then be away."""
    datacenter: Identifier | None = Field(default=None, title="data centre")
    """Data centre whose nodes are asked. Default: none, the nodes of all."""
    create_schema: bool = Field(default=True, title="making of the schema")
    """Whether Jaeger makes the keyspace and its tables where they are missing, for which its user needs the right CREATE. Default: true; an
    existing keyspace is left as it is."""
    plain_text: bool = Field(default=False, title="plain text to the store")
    """Whether spans and the password cross the network in clear. Default: false, TLS."""
    ca_secret: ObjectName | None = Field(default=None, title="authority of the store", examples=["cassandra-ca"])
    """Secret with the entry `ca.crt`, the PEM of the authority behind the certificates of the servers; the stack fills it when it is given
    `<secret>.ca.crt`, else who issues it. Default: none, the public authorities."""
    credentials_secret: ObjectName | None = Field(default=None, title="credentials of the store", examples=["cassandra-tracing"])
    """Secret with the entries `username` and `password`. Default: none, a store that asks for none."""


class _Search(Section):
    """Settings that OpenSearch and Elasticsearch share."""

    servers: tuple[BaseUrl, ...] = Field(
        title="servers of the store", min_length=1, strict=False, examples=[["https://opensearch.opensearch.svc:9200"]]
    )
    """URLs of nodes, or of what stands before them; all of one scheme, since `http` sends spans and the password in clear. Required."""
    index_prefix: IndexPrefix | None = Field(default=None, title="index prefix")
    """Beginning of the names of all indices, before `-jaeger-span-` and the day. Default: the environment's name, so that no two
    environments share one."""
    replication: int = Field(default=2, ge=1, le=16, title="copies of a span")
    """Copies of each index in all. Default: 2, because one node may then be away; a store of one node can have no more than 1."""
    shards: int = Field(default=1, ge=1, le=64, title="shards of an index")
    """Parts of the index of a day, which the nodes share. Default: 1, because a shard holds tens of gigabytes and each costs the cluster
    memory; as many as nodes where a day has more."""
    request_line: Bytes = Field(default=size("4Ki"), ge=size("4Ki"), le=size("1Mi"), title="longest request line of the store")
    """Longest first line of a request that the store takes, its `http.max_initial_line_length`. Jaeger names the index of each day of the
    retention in it. Default: 4Ki, that of OpenSearch and Elasticsearch, which covers some 100 days; raise it in the store first."""
    create_schema: bool = Field(default=True, title="making of the schema")
    """Whether Jaeger writes its index templates, for which its user needs the right to manage them. Default: true."""
    ca_secret: ObjectName | None = Field(default=None, title="authority of the store", examples=["opensearch-ca"])
    """Secret with the entry `ca.crt`, the PEM of the authority behind the certificates of the servers; the stack fills it when it is given
    `<secret>.ca.crt`, else who issues it. Default: none, the public authorities."""
    credentials_secret: ObjectName | None = Field(default=None, title="credentials of the store", examples=["opensearch-tracing"])
    """Secret with the entries `username` and `password`. Default: none, a store that asks for none."""


class OpenSearch(_Search):
    """An OpenSearch that is there already. Tried with 2.19.3."""

    kind: Literal["opensearch"] = Field(title="trace storage")
    """Kind of the store."""


class Elasticsearch(_Search):
    """An Elasticsearch that is there already, asked as OpenSearch is; none was tried here."""

    kind: Literal["elasticsearch"] = Field(title="trace storage")
    """Kind of the store."""


class Autoscaling(Section):
    """More replicas than the least, as many as the load asks for, by a HorizontalPodAutoscaler. Kubernetes only."""

    max_replicas: int = Field(ge=2, le=1000, title="most replicas")
    """Most replicas; `replicas` is the least. Required: it bounds the quota, and what the store is asked at once."""
    cpu: Percent = Field(default=0.7, title="CPU for one more replica")
    """Share of the requested CPU, in whole percent, above which one more is started. Default: 70 %, so that
    a replica has room until the next one serves."""
    queue: Bytes | None = Field(default=None, title="queue for one more replica")
    """Bytes waiting in the gateways' queues for each replica above which one more is started, by the external metric
    `otelcol_exporter_queue_size`, which an adapter for Prometheus has to serve. Default: none, CPU decides alone."""


class Query(Resources):
    """The servers that show and search traces, apart from those that store them. Only on a store that both reach."""

    replicas: int = Field(default=1, ge=1, le=64, title="replicas of the query server")
    """Servers that answer. Kubernetes only; one host runs one. Default: 1; with more, a node that is lost interrupts nobody."""
    pods: Pods = Field(default=Pods(), title="query server")
    """Rules for the pods of the query server. Default: those of `target.pods`."""


class Jaeger(StoreSection):
    """Jaeger v2: on Badger one process with its store, on another store any number of them."""

    kind: Literal["jaeger"] = Field(title="backend")
    """Kind of the backend."""
    storage: Annotated[Badger | Cassandra | OpenSearch | Elasticsearch, Field(discriminator="kind")] = Field(default=Badger(kind="badger"))
    """Store of the traces. Default: Badger, which needs no other server."""
    volume: Disk | None = Field(default=None, title="volume")
    """Volume of Badger's keys and values. Required with Badger. Default: none, for a store that is elsewhere."""
    replicas: int = Field(default=1, ge=1, le=64, title="backend replicas")
    """Processes that take spans. Badger allows one, which is the default; on another store any number, and one that is lost takes nothing
    along. Kubernetes only; one host runs one."""
    autoscaling: Autoscaling | None = None
    """More replicas under load. Default: none, as many as `replicas` says."""
    sync_writes: bool = Field(default=True, title="synchronous writes")
    """Whether a span is on Badger's disk before it is acknowledged. Default: true, since what is acknowledged must survive a power cut;
    without it only a crash of the process is survived."""
    protect: bool = Field(default=True, title="protection of the stored traces")
    """Whether `pulumi destroy` refuses to delete the volume. Default: true; development turns it off."""
    resources: Resources = Field(default=Resources.model_validate({"cpu": "500m", "memory": "2Gi"}), title="backend")
    """Default: half a core and 2Gi; Badger held 730 MB at 10,000 spans/s."""
    pods: Pods = Field(default=Pods(), title="backend")
    """Rules for the pods of the backend. Default: those of `target.pods`."""
    query: Query = Field(default=Query.model_validate({"cpu": "100m", "memory": "512Mi"}), title="query server")
    """Servers that show and search traces on a store that is elsewhere. Default: one with a tenth of a core and 512Mi, which hold the
    traces of a search."""

    @property
    def embedded(self) -> bool:
        """Whether the one process that stores the traces shows them too."""
        return self.storage.kind == "badger"
