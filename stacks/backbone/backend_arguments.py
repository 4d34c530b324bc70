"""Types of the settings of a component; `make reference` writes them from the schema."""

from typing import NotRequired, TypedDict

from stacks.backbone.cluster_arguments import Pods


class Disk(TypedDict):
    """A volume."""

    size: str
    """Bytes asked of the storage class. Required of the volume of the traces, since it follows from the load and the retention, which
    `check` multiplies for you; a queue and a log have a default."""
    storage_class: NotRequired[str]
    """Storage class of the claim. Kubernetes only. Default: the cluster's own default class."""


class Storage(TypedDict):
    """Storage of one of the kinds `badger`, `cassandra`, `opensearch`, `elasticsearch`, `volume`, `s3`, `gcs`, `azure`."""

    kind: str
    """`badger`: An embedded store on one volume, opened by one process. `cassandra`: A Cassandra that is there already. Tried with
    5.0.6. `opensearch`: An OpenSearch that is there already. Tried with 2.19.3. `elasticsearch`: An Elasticsearch that is there
    already, asked as OpenSearch is; none was tried here. `volume`: Blocks on a volume. `s3`: Blocks in an S3-compatible bucket; the
    write-ahead log stays on a volume. `gcs`: Blocks in a bucket of Google Cloud Storage; the write-ahead log stays on a volume.
    `azure`: Blocks in a container of an Azure storage account; the write-ahead log stays on a volume."""
    servers: NotRequired[list[str]]
    """With `kind: cassandra`: Nodes that are asked first, as `host:port`; they tell of the others, which listen on the same port. Jaeger
    refuses some short names, as `check` says. Required. With `kind: opensearch`: URLs of nodes, or of what stands before them; all of
    one scheme, since `http` sends spans and the password in clear. Required. With `kind: elasticsearch`: URLs of nodes, or of what
    stands before them; all of one scheme, since `http` sends spans and the password in clear. Required."""
    keyspace: NotRequired[str]
    """With `kind: cassandra`: Keyspace of the traces. Default: `jaeger_` and the environment's name, with `_` for what a keyspace cannot
    hold, so that no two environments share one."""
    replication: NotRequired[int]
    """With `kind: cassandra`: Nodes of each data centre that have a span, of a keyspace that Jaeger makes. Default: 3, because a write
    waits for most of them and one of three may then be away. With `kind: opensearch`: Copies of each index in all. Default: 2,
    because one node may then be away; a store of one node can have no more than 1. With `kind: elasticsearch`: Copies of each index
    in all. Default: 2, because one node may then be away; a store of one node can have no more than 1."""
    datacenter: NotRequired[str]
    """With `kind: cassandra`: Data centre whose nodes are asked. Default: none, the nodes of all."""
    create_schema: NotRequired[bool]
    """With `kind: cassandra`: Whether Jaeger makes the keyspace and its tables where they are missing, for which its user needs the
    right CREATE. Default: true; an existing keyspace is left as it is. With `kind: opensearch`: Whether Jaeger writes its index
    templates, for which its user needs the right to manage them. Default: true. With `kind: elasticsearch`: Whether Jaeger writes its
    index templates, for which its user needs the right to manage them. Default: true."""
    plain_text: NotRequired[bool]
    """With `kind: cassandra`: Whether spans and the password cross the network in clear. Default: false, TLS."""
    ca_secret: NotRequired[str]
    """With `kind: cassandra`: Secret with the entry `ca.crt`, the PEM of the authority behind the certificates of the servers; the stack
    fills it when it is given `<secret>.ca.crt`, else who issues it. Default: none, the public authorities. With `kind: opensearch`:
    Secret with the entry `ca.crt`, the PEM of the authority behind the certificates of the servers; the stack fills it when it is
    given `<secret>.ca.crt`, else who issues it. Default: none, the public authorities. With `kind: elasticsearch`: Secret with the
    entry `ca.crt`, the PEM of the authority behind the certificates of the servers; the stack fills it when it is given
    `<secret>.ca.crt`, else who issues it. Default: none, the public authorities. With `kind: s3`: Secret with the entry `ca.crt`, the
    PEM of the authority behind the certificate of the S3 API; the stack fills it when it is given `<secret>.ca.crt`, else who issues
    it. Default: none, the public authorities."""
    credentials_secret: NotRequired[str]
    """With `kind: cassandra`: Secret with the entries `username` and `password`. Default: none, a store that asks for none. With `kind:
    opensearch`: Secret with the entries `username` and `password`. Default: none, a store that asks for none. With `kind:
    elasticsearch`: Secret with the entries `username` and `password`. Default: none, a store that asks for none. With `kind: s3`:
    Secret with the entries `access-key` and `secret-key`. Default: none, which leaves it to the identity of the node or pod; the
    services that hand it out (169.254.169.254 and 169.254.170.23, port 80) are then open to the backend. With `kind: gcs`: Secret
    with the entry `key.json`, the key of a service account of Google Cloud. Default: none, which leaves it to the identity of the
    node or pod; the metadata servers that hand it out (169.254.169.254, and 169.254.169.252 on GKE) are then open to the backend.
    With `kind: azure`: Secret with the entry `account-key`, a key of the storage account. Default: none, which leaves it to
    `identity`."""
    index_prefix: NotRequired[str]
    """Beginning of the names of all indices, before `-jaeger-span-` and the day. Default: the environment's name, so that no two
    environments share one."""
    shards: NotRequired[int]
    """Parts of the index of a day, which the nodes share. Default: 1, because a shard holds tens of gigabytes and each costs the cluster
    memory; as many as nodes where a day has more."""
    request_line: NotRequired[str]
    """Longest first line of a request that the store takes, its `http.max_initial_line_length`. Jaeger names the index of each day of
    the retention in it. Default: 4Ki, that of OpenSearch and Elasticsearch, which covers some 100 days; raise it in the store first."""
    size: NotRequired[str]
    """With `kind: volume`: Bytes asked of the storage class, for blocks and write-ahead log. Required: it follows from the load and the
    retention."""
    storage_class: NotRequired[str]
    """With `kind: volume`: Storage class of the claim. Kubernetes only. Default: the cluster's own default class."""
    bucket: NotRequired[str]
    """With `kind: s3`: Name of the bucket. Required; it must exist and belong to this environment alone, since retention deletes in it.
    With `kind: gcs`: Name of the bucket. Required; it must exist and belong to this environment alone, since retention deletes in it.
    With `kind: azure`: Name of the container. Required; it must exist and belong to this environment alone, since retention deletes
    in it."""
    endpoint: NotRequired[str]
    """With `kind: s3`: Host name of the S3 API. Required: it decides who stores the traces. With `kind: azure`: Host name of the Blob
    service behind the name of the account. Default: that of Azure's public cloud; its others have their own."""
    port: NotRequired[int]
    """With `kind: s3`: Port of the S3 API. Default: 443."""
    plain_http: NotRequired[bool]
    """With `kind: s3`: Whether traces and keys cross the network in clear. Default: false; a server inside of the cluster may have no
    certificate."""
    region: NotRequired[str]
    """With `kind: s3`: Region of the bucket. Default: none, as most S3-compatible servers want."""
    service_account_annotations: NotRequired[dict[str, str]]
    """With `kind: s3`: Annotations by which the backend's service account has an identity, for example `eks.amazonaws.com/role-arn`.
    Kubernetes only. Default: none. With `kind: gcs`: Annotations by which the backend's service account has an identity:
    `iam.gke.io/gcp-service-account`. Kubernetes only. Default: none. With `kind: azure`: Annotations by which the backend's service
    account has an identity: `azure.workload.identity/client-id`. Kubernetes only. Default: none."""
    wal: NotRequired[Disk]
    """Volume of the write-ahead log: what was acknowledged and is not in the bucket yet. Default: 10Gi, hours at 1,000 spans/s."""
    account: NotRequired[str]
    """With `kind: azure`: Name of the storage account. Required."""
    identity: NotRequired[str]
    """With `kind: azure`: Identity that is used without a key. `workload`: Entra Workload ID, by the annotation
    `azure.workload.identity/client-id` of the service account. `node`: a managed identity of the node, from 169.254.169.254, which is
    then open to the backend. Default: `workload`, because the identity of a node is that of every pod on it."""
    client_id: NotRequired[str]
    """With `kind: azure`: Client id of the node's managed identity. Default: none, the only one that the node has."""


class Autoscaling(TypedDict):
    """More replicas than the least, as many as the load asks for, by a HorizontalPodAutoscaler.

    Kubernetes only.
    """

    max_replicas: int
    """Most replicas; `replicas` is the least. Required: it bounds the quota, and what the store is asked at once."""
    cpu: NotRequired[str]
    """Share of the requested CPU, in whole percent, above which one more is started. Default: 70 %, so that a replica has room until the
    next one serves."""
    queue: NotRequired[str]
    """Bytes waiting in the gateways' queues for each replica above which one more is started, by the external metric
    `otelcol_exporter_queue_size`, which an adapter for Prometheus has to serve. Default: none, CPU decides alone."""


class Resources(TypedDict):
    """CPU and memory of one replica of a server."""

    cpu: NotRequired[str]
    """CPU requested, in cores; never capped, since a throttled server looks like a slow network. Default: as its section says."""
    memory: NotRequired[str]
    """Memory requested and capped, in bytes; the Go runtime is told four fifths of it, or of a collector's memory limit. Default: as its
    section says."""


class Query(TypedDict):
    """The servers that show and search traces, apart from those that store them.

    Only on a store that both reach.
    """

    cpu: NotRequired[str]
    """CPU requested, in cores; never capped, since a throttled server looks like a slow network. Default: as its section says."""
    memory: NotRequired[str]
    """Memory requested and capped, in bytes; the Go runtime is told four fifths of it, or of a collector's memory limit. Default: as its
    section says."""
    replicas: NotRequired[int]
    """Servers that answer. Kubernetes only; one host runs one. Default: 1; with more, a node that is lost interrupts nobody."""
    pods: NotRequired[Pods]
    """Rules for the pods of the query server. Default: those of `target.pods`."""


class TempoLimits(TypedDict):
    """Limits above which Tempo refuses, or leaves out."""

    trace_size: NotRequired[str]
    """Bytes of a trace; its spans beyond them are left out, which `TracingStoreDiscards` tells. Default: ten times a trace of the load,
    and 5 MB at least, which is Tempo's own; a search reads whole traces into memory."""
    intake_rate: NotRequired[str]
    """Bytes a second that are taken; what is over is refused, and waits in the gateways' queues. Default: ten times what gateways keep
    of the load, so that they catch up after an outage, and 15 MB/s at least, which is Tempo's own."""
    burst: NotRequired[str]
    """Bytes that are taken at once, above the rate. Default: a second of the rate, and 20 MB at least, which is Tempo's own."""
    search_range: NotRequired[str]
    """Longest time that one search may be over; a longer one is refused. Default: the retention and an hour, so that all that is stored
    can be found at once; a shorter one bounds what a search costs in reads of the object storage."""


class GrafanaServer(TypedDict):
    """CPU and memory of Grafana, and its pods."""

    cpu: NotRequired[str]
    """CPU requested, in cores; never capped, since a throttled server looks like a slow network. Default: as its section says."""
    memory: NotRequired[str]
    """Memory requested and capped, in bytes; the Go runtime is told four fifths of it, or of a collector's memory limit. Default: as its
    section says."""
    scraped: NotRequired[bool]
    """Whether the namespaces that may scrape reach Grafana's port. Default: false, because its metrics are on the port of its pages, and
    who reaches that past the login sees every trace."""
    pods: NotRequired[Pods]
    """Rules for the pods of Grafana. Default: those of `target.pods`."""


class Store(TypedDict):
    """Store of one of the kinds `jaeger`, `tempo`, `otlp`."""

    name: NotRequired[str]
    """Name that tells the store from another one beside it: its workloads, claims and queues are called `jaeger-NAME` and the like. It
    stays with the store for as long as that is there, because what has another name is another claim. Default: none, and the
    workloads are called `jaeger`; of the two stores of a move one has a name."""
    kind: str
    """`jaeger`: Jaeger v2: on Badger one process with its store, on another store any number of them. `tempo`: Tempo 3 in one process
    (`target: all`), with Grafana as its user interface. `otlp`: A store that is there already, of which nothing is deployed here. Its
    retention, its limits and its user interface are its own."""
    storage: NotRequired[Storage]
    """With `kind: jaeger`: Store of the traces. Default: Badger, which needs no other server. With `kind: tempo`: Storage of Tempo's
    blocks."""
    volume: NotRequired[Disk]
    """With `kind: jaeger`: Volume of Badger's keys and values. Required with Badger. Default: none, for a store that is elsewhere."""
    replicas: NotRequired[int]
    """With `kind: jaeger`: Processes that take spans. Badger allows one, which is the default; on another store any number, and one that
    is lost takes nothing along. Kubernetes only; one host runs one. With `kind: tempo`: Processes. Monolithic Tempo 3 without Kafka
    is one, which is the default."""
    autoscaling: NotRequired[Autoscaling]
    """With `kind: jaeger`: More replicas under load. Default: none, as many as `replicas` says."""
    sync_writes: NotRequired[bool]
    """With `kind: jaeger`: Whether a span is on Badger's disk before it is acknowledged. Default: true, since what is acknowledged must
    survive a power cut; without it only a crash of the process is survived."""
    protect: NotRequired[bool]
    """Whether `pulumi destroy` refuses to delete the volume. Default: true; development turns it off."""
    resources: NotRequired[Resources]
    """With `kind: jaeger`: Default: half a core and 2Gi; Badger held 730 MB at 10,000 spans/s. With `kind: tempo`: Default: a core and
    4Gi; Tempo builds its blocks in memory."""
    pods: NotRequired[Pods]
    """Rules for the pods of the backend. Default: those of `target.pods`."""
    query: NotRequired[Query]
    """With `kind: jaeger`: Servers that show and search traces on a store that is elsewhere. Default: one with a tenth of a core and
    512Mi, which hold the traces of a search."""
    limits: NotRequired[TempoLimits]
    """With `kind: tempo`: Limits above which Tempo refuses."""
    grafana: NotRequired[GrafanaServer]
    """With `kind: tempo`: CPU and memory of Grafana. Default: a tenth of a core and 256Mi, enough for operators looking at traces."""
    endpoint: NotRequired[str]
    """With `kind: otlp`: URL of its OTLP intake, with the port on which it listens, because policies see that one; `https` is TLS. With
    `protocol: http` the path `/v1/traces` is added. Required."""
    protocol: NotRequired[str]
    """With `kind: otlp`: Transport of OTLP. Default: `grpc`, which every store of traces takes."""
    ui_url: NotRequired[str]
    """With `kind: otlp`: Address at which people look at traces. Required: no user interface is deployed here."""
    query_url: NotRequired[str]
    """With `kind: otlp`: Base URL of the API by which `trace`, `story`, `verify`, `export` and `rehearse` read traces. Required unless
    `query_protocol` is `none`; the headers that it asks for come from the variable `VIRTENGINE_TRACING_QUERY_HEADERS` of whoever
    reads. Default: none."""
    query_protocol: NotRequired[str]
    """With `kind: otlp`: API at `query_url`: that of Jaeger v2 or that of Tempo. Default: `none`, since a managed service may have
    neither; the verbs that read traces then say so and name its user interface."""
    ca_secret: NotRequired[str]
    """With `kind: otlp`: Secret with the entry `ca.crt`, the PEM of the authority behind the certificate of the intake. Default: none,
    the public authorities."""
    token_secret: NotRequired[str]
    """With `kind: otlp`: Secret with the entry `token`, sent as bearer token; a rotated one is taken without a restart. Default: none."""
    headers: NotRequired[dict[str, str]]
    """With `kind: otlp`: Headers of each request whose values are no secrets, such as a tenant. Default: none."""
    headers_secret: NotRequired[str]
    """With `kind: otlp`: Secret with an entry for each of `secret_headers`, named as the header. Default: none."""
    secret_headers: NotRequired[list[str]]
    """With `kind: otlp`: Headers of each request whose values are in `headers_secret`, such as a key of an account. Default: none."""


class Also(TypedDict):
    """The second store of a move.

    Traces go to both, each with a queue of its own; what the backend does not have is read from this one.
    """

    store: Store
    """Store beside the backend, with the settings that it has as a backend. Required. People and programs ask the backend first."""
    retention: NotRequired[str]
    """Age at which a trace can no longer be read from the second store. Default: none, that of `retention.traces`."""
    since: NotRequired[str]
    """Day on which both stores were deployed side by side, so that `check` and `diff` name the day on which one can go. Nothing else
    follows from it. Default: none; they then count from the deployment."""


class Backend(TypedDict):
    """Backend of one of the kinds `jaeger`, `tempo`, `otlp`."""

    name: NotRequired[str]
    """Name that tells the store from another one beside it: its workloads, claims and queues are called `jaeger-NAME` and the like. It
    stays with the store for as long as that is there, because what has another name is another claim. Default: none, and the
    workloads are called `jaeger`; of the two stores of a move one has a name."""
    kind: str
    """`jaeger`: Jaeger v2, on Badger or before another store, and what is beside it. `tempo`: Tempo 3 with Grafana, and what is beside
    it. `otlp`: A store that is there already, and what is beside it."""
    storage: NotRequired[Storage]
    """With `kind: jaeger`: Store of the traces. Default: Badger, which needs no other server. With `kind: tempo`: Storage of Tempo's
    blocks."""
    volume: NotRequired[Disk]
    """With `kind: jaeger`: Volume of Badger's keys and values. Required with Badger. Default: none, for a store that is elsewhere."""
    replicas: NotRequired[int]
    """With `kind: jaeger`: Processes that take spans. Badger allows one, which is the default; on another store any number, and one that
    is lost takes nothing along. Kubernetes only; one host runs one. With `kind: tempo`: Processes. Monolithic Tempo 3 without Kafka
    is one, which is the default."""
    autoscaling: NotRequired[Autoscaling]
    """With `kind: jaeger`: More replicas under load. Default: none, as many as `replicas` says."""
    sync_writes: NotRequired[bool]
    """With `kind: jaeger`: Whether a span is on Badger's disk before it is acknowledged. Default: true, since what is acknowledged must
    survive a power cut; without it only a crash of the process is survived."""
    protect: NotRequired[bool]
    """Whether `pulumi destroy` refuses to delete the volume. Default: true; development turns it off."""
    resources: NotRequired[Resources]
    """With `kind: jaeger`: Default: half a core and 2Gi; Badger held 730 MB at 10,000 spans/s. With `kind: tempo`: Default: a core and
    4Gi; Tempo builds its blocks in memory."""
    pods: NotRequired[Pods]
    """Rules for the pods of the backend. Default: those of `target.pods`."""
    query: NotRequired[Query]
    """With `kind: jaeger`: Servers that show and search traces on a store that is elsewhere. Default: one with a tenth of a core and
    512Mi, which hold the traces of a search."""
    also: NotRequired[Also]
    """A second store for the time of a move. Default: none."""
    limits: NotRequired[TempoLimits]
    """With `kind: tempo`: Limits above which Tempo refuses."""
    grafana: NotRequired[GrafanaServer]
    """With `kind: tempo`: CPU and memory of Grafana. Default: a tenth of a core and 256Mi, enough for operators looking at traces."""
    endpoint: NotRequired[str]
    """With `kind: otlp`: URL of its OTLP intake, with the port on which it listens, because policies see that one; `https` is TLS. With
    `protocol: http` the path `/v1/traces` is added. Required."""
    protocol: NotRequired[str]
    """With `kind: otlp`: Transport of OTLP. Default: `grpc`, which every store of traces takes."""
    ui_url: NotRequired[str]
    """With `kind: otlp`: Address at which people look at traces. Required: no user interface is deployed here."""
    query_url: NotRequired[str]
    """With `kind: otlp`: Base URL of the API by which `trace`, `story`, `verify`, `export` and `rehearse` read traces. Required unless
    `query_protocol` is `none`; the headers that it asks for come from the variable `VIRTENGINE_TRACING_QUERY_HEADERS` of whoever
    reads. Default: none."""
    query_protocol: NotRequired[str]
    """With `kind: otlp`: API at `query_url`: that of Jaeger v2 or that of Tempo. Default: `none`, since a managed service may have
    neither; the verbs that read traces then say so and name its user interface."""
    ca_secret: NotRequired[str]
    """With `kind: otlp`: Secret with the entry `ca.crt`, the PEM of the authority behind the certificate of the intake. Default: none,
    the public authorities."""
    token_secret: NotRequired[str]
    """With `kind: otlp`: Secret with the entry `token`, sent as bearer token; a rotated one is taken without a restart. Default: none."""
    headers: NotRequired[dict[str, str]]
    """With `kind: otlp`: Headers of each request whose values are no secrets, such as a tenant. Default: none."""
    headers_secret: NotRequired[str]
    """With `kind: otlp`: Secret with an entry for each of `secret_headers`, named as the header. Default: none."""
    secret_headers: NotRequired[list[str]]
    """With `kind: otlp`: Headers of each request whose values are in `headers_secret`, such as a key of an account. Default: none."""
