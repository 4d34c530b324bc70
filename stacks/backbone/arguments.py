"""Types of the settings of a component; `make reference` writes them from the schema."""

from typing import NotRequired, TypedDict

from stacks.backbone.cluster_arguments import (
    Disk,
    ExternalSecrets,
    GatewayReference,
    GrafanaServer,
    Issuer,
    Kafka,
    Monitoring,
    Pods,
    Resources,
    TempoLimits,
)


class Target(TypedDict):
    """Target of one of the kinds `local`, `docker`, `kubernetes`."""

    kind: str
    """`local`: Child processes of one supervisor on this machine, on loopback. `docker`: Containers on one host. `kubernetes`: A
    cluster."""
    host: NotRequired[str]
    """With `kind: docker`: Address of the Docker daemon. Default: the socket that a local installation listens on."""
    context: NotRequired[str]
    """With `kind: kubernetes`: Context of the kubeconfig, one that `kubectl config get-contexts` lists. Required: a stack never deploys
    to whatever context happens to be current."""
    labels: NotRequired[dict[str, str]]
    """With `kind: kubernetes`: Labels of all objects, pods included. Default: none beside those that Kubernetes recommends
    (`app.kubernetes.io/name` and others), which are set."""
    annotations: NotRequired[dict[str, str]]
    """With `kind: kubernetes`: Annotations of all objects, pods included. Default: none beside those that the bundle needs."""
    addresses: NotRequired[str]
    """With `kind: kubernetes`: Families of addresses: `ipv4`, `ipv6` for a cluster that has no other, or `dual`, where servers take both
    and Services have an address of each. Default: `ipv4`, with Services of the cluster's own default family."""
    pods: NotRequired[Pods]
    """With `kind: kubernetes`: Rules for the pods of every workload."""
    external_secrets: NotRequired[ExternalSecrets]
    """With `kind: kubernetes`: Secrets that the External Secrets Operator fills. Default: none, the stack fills them."""


class Storage(TypedDict):
    """Storage of one of the kinds `volume`, `s3`, `gcs`, `azure`."""

    kind: str
    """`volume`: Blocks on a volume. `s3`: Blocks in an S3-compatible bucket; the write-ahead log stays on a volume. `gcs`: Blocks in a
    bucket of Google Cloud Storage; the write-ahead log stays on a volume. `azure`: Blocks in a container of an Azure storage account;
    the write-ahead log stays on a volume."""
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
    ca_secret: NotRequired[str]
    """With `kind: s3`: Secret with the entry `ca.crt`, the PEM of the authority behind the certificate of the S3 API; the stack fills it
    when it is given `<secret>.ca.crt`, else who issues it. Default: none, the public authorities."""
    region: NotRequired[str]
    """With `kind: s3`: Region of the bucket. Default: none, as most S3-compatible servers want."""
    credentials_secret: NotRequired[str]
    """With `kind: s3`: Secret with the entries `access-key` and `secret-key`. Default: none, which leaves it to the identity of the node
    or pod; the services that hand it out (169.254.169.254 and 169.254.170.23, port 80) are then open to the backend. With `kind:
    gcs`: Secret with the entry `key.json`, the key of a service account of Google Cloud. Default: none, which leaves it to the
    identity of the node or pod; the metadata servers that hand it out (169.254.169.254, and 169.254.169.252 on GKE) are then open to
    the backend. With `kind: azure`: Secret with the entry `account-key`, a key of the storage account. Default: none, which leaves it
    to `identity`."""
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


class Backend(TypedDict):
    """Backend of one of the kinds `jaeger`, `tempo`, `otlp`."""

    kind: str
    """`jaeger`: Jaeger v2 with Badger, an embedded store on one volume. `tempo`: Tempo 3 in one process (`target: all`), with Grafana as
    its user interface. `otlp`: A store that is there already, of which nothing is deployed here. Its retention, its limits and its
    user interface are its own."""
    volume: NotRequired[Disk]
    """With `kind: jaeger`: Volume of Badger's keys and values."""
    replicas: NotRequired[int]
    """With `kind: jaeger`: Processes that share the store. Badger allows one, which is the default; for more, choose another backend.
    With `kind: tempo`: Processes. Monolithic Tempo 3 without Kafka is one, which is the default."""
    sync_writes: NotRequired[bool]
    """With `kind: jaeger`: Whether a span is on the disk before it is acknowledged. Default: true, since what is acknowledged must
    survive a power cut; without it only a crash of the process is survived."""
    protect: NotRequired[bool]
    """Whether `pulumi destroy` refuses to delete the volume. Default: true; development turns it off."""
    resources: NotRequired[Resources]
    """With `kind: jaeger`: Default: half a core and 2Gi; Badger held 730 MB at 10,000 spans/s. With `kind: tempo`: Default: a core and
    4Gi; Tempo builds its blocks in memory."""
    pods: NotRequired[Pods]
    """Rules for the pods of the backend. Default: those of `target.pods`."""
    storage: NotRequired[Storage]
    """With `kind: tempo`: Storage of Tempo's blocks."""
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


class AgentQueue(TypedDict):
    """Queue of an agent, on disk, for spans that it has acknowledged and no gateway has answered for.

    It dies with the pod, not with the process: deleting, evicting or replacing the pod loses it, and so does the loss of its node.
    """

    size: NotRequired[str]
    """Bytes, in equal shares for each gateway; `check` says for how long a gateway may be away. Default: 1Gi, an hour of 1,000 spans/s
    on one node."""
    sync_writes: NotRequired[bool]
    """Whether an agent's queue is written through to the disk before a span is acknowledged (fsync). Default: false, which survives a
    crash of the process and not a power cut: each request of a service would wait for the disk, once for each gateway."""
    when_full: NotRequired[str]
    """What becomes of the spans of a gateway whose share is full. `refuse`: the whole request is refused, which senders repeat, so that
    the other gateways and the span metrics have it several times. `lose`: they are lost and counted, and the others have theirs once;
    an agent acknowledges a request just before the queue has it, so that a killed agent loses the last few. Default: `refuse`, since
    nothing that was acknowledged is to be lost."""


class Agent(TypedDict):
    """The collector on each node, which services send to.

    On one host the gateway takes its place.
    """

    resources: NotRequired[Resources]
    """Default: a tenth of a core and 512Mi, which held 25,000 spans/s of one node."""
    pods: NotRequired[Pods]
    """Rules for the pods of the agents. Default: those of `target.pods`."""
    memory_limit: NotRequired[str]
    """Share of its memory at which an agent refuses spans, so that senders back off. Default: 80 %, as the collector's guide says."""
    queue: NotRequired[AgentQueue]
    """Queue on the node's disk. Default: a queue of 1Gi; gateways then acknowledge when they have decided, so that a killed gateway
    loses nothing. null: an agent acknowledges what a gateway has taken and holds nothing itself. Then its pod may be deleted at any
    time, but a killed gateway loses what waits for its decision, and while one gateway is away senders are refused and spans are
    repeated."""


class GatewayQueue(TypedDict):
    """A gateway's queue, on a claim of its own."""

    size: str
    """Bytes asked of the storage class. Required of the volume of the traces, since it follows from the load and the retention, which
    `check` multiplies for you; a queue and a log have a default."""
    storage_class: NotRequired[str]
    """Storage class of the claim. Kubernetes only. Default: the cluster's own default class."""
    sync_writes: NotRequired[bool]
    """Whether a gateway's queue is written through to the disk before agents are answered (fsync). Default: true, since what is
    acknowledged must survive a power cut, after which the file might be damaged and be set aside as a whole."""


class Gateway(TypedDict):
    """The collectors on which whole traces meet: span metrics, service graph, tail sampling, delivery to the backend."""

    replicas: NotRequired[int]
    """Collectors among which traces are divided. Kubernetes only; one host runs one. Default: 1."""
    resources: NotRequired[Resources]
    """Default: half a core and 1Gi. Tail sampling keeps whole traces in it: see `check`."""
    pods: NotRequired[Pods]
    """Rules for the pods of the gateways. Default: those of `target.pods`."""
    memory_limit: NotRequired[str]
    """Share of its memory at which a gateway refuses spans, so that agents queue. Default: 80 %, as the collector's guide says."""
    queue: NotRequired[GatewayQueue]
    """Queue of a gateway, on disk, for spans that the backend does not take. Default: 5Gi, hours at 100 kept spans/s."""
    grace_period: NotRequired[str]
    """Time to stop after SIGTERM, in which a gateway decides on what waits. Only where a gateway acknowledges before it has decided: on
    one host, or with agents without a queue. Elsewhere it stops within 2 s, because agents keep what it has not acknowledged and send
    it to its successor. Default: 60 s, six times the usual wait."""


class Collectors(TypedDict):
    """The OpenTelemetry collectors between services and backend."""

    agent: NotRequired[Agent]
    """The collector on each node."""
    gateway: NotRequired[Gateway]
    """The collectors on which whole traces meet."""
    transport: NotRequired[str]
    """Way of spans from agents to gateways. `direct`: each gateway has a share of the traces, which waits for it while it is away.
    `kafka`: they wait on a topic, and gateways share what comes. Kubernetes only; one host has no agents. Default: `direct`, which
    needs no other server."""
    kafka: NotRequired[Kafka]
    """The Kafka between agents and gateways. Required with `transport: kafka`. Default: none."""


class ServiceStrategy(TypedDict):
    """Sampling of the traces that a service starts.

    Exactly one of `ratio` and `traces_per_second`.
    """

    ratio: NotRequired[str]
    """Share of the traces that are kept. Default: none, see `traces_per_second`."""
    traces_per_second: NotRequired[int]
    """Traces kept per second and instance, a whole number: the strategy server cuts off the rest. Default: none, see `ratio`."""
    operations: NotRequired[dict[str, str]]
    """Share of the traces that begin with an operation (a span name). Default: none, the ratio of the service holds. Only together with
    `ratio`: the protocol knows no rate beside operations."""


class Strategies(TypedDict):
    """Answers of the strategy server to samplers (the Jaeger remote sampling protocol)."""

    services: NotRequired[dict[str, ServiceStrategy]]
    """Strategies by service name. Default: none, every service has the head ratio."""
    poll_interval: NotRequired[str]
    """Interval at which services ask. Default: 60 s, as every Jaeger client; a change reaches all within it."""
    replicas: NotRequired[int]
    """Servers that answer. Kubernetes only; one host runs one. Default: 1, because services keep their last strategy while none answers."""
    pods: NotRequired[Pods]
    """Rules for the pods of the strategy server. Default: those of `target.pods`."""


class OperationTarget(TypedDict):
    """The rate that an adaptive sampler steers an operation to, within a floor and a ceiling of its ratio."""

    traces_per_second: float
    """Traces per second and instance. Required: it is the purpose."""
    floor: NotRequired[str]
    """Least ratio. Default: 0.01 %, so that no operation goes dark."""
    ceiling: NotRequired[str]
    """Greatest ratio. Default: 100 %."""


class Noise(TypedDict):
    """Traces that are never stored: those with a span whose attribute has one of these values."""

    attribute: str
    """Attribute key, of a span or its resource. Required."""
    values: list[str]
    """Exact values, in quotes where they are numbers; `"404"` also matches an attribute that is the number. Required."""


class Tail(TypedDict):
    """Rules by which the gateways store whole traces.

    A trace is stored when any rule keeps it, unless it is noise.
    """

    wait: NotRequired[str]
    """Time from a trace's first span to the decision, in whole seconds, 30 min at most, because memory holds it so long. Default: 10 s;
    longer requests are decided on what has come by then, and a shorter wait cuts the traces of the seconds in which an agent
    restarts."""
    errors: NotRequired[bool]
    """Whether every trace with a span of status ERROR is kept. Default: true, they are what tracing is for."""
    slow: NotRequired[str]
    """Traces that last this long or longer are all kept. Default: 2 s, what a person notices at a portal; null keeps none for it."""
    baseline: str
    """Share kept of all other traces. Required: it decides what storage costs and what operators see."""
    baseline_limit: NotRequired[int]
    """Spans per second and gateway that the baseline may add, a whole number; failed and slow traces are not limited. What is not used
    is saved up to ten traces of the expected size, so that a limit below one trace a second still keeps one. Default: none, no limit."""
    noise: NotRequired[dict[str, Noise]]
    """Traces to drop, by a name of yours. Default: none."""


class Sampling(TypedDict):
    """Sampling by services as a trace starts (head) and by gateways once it is whole (tail)."""

    head_ratio: NotRequired[str]
    """Share of the traces that services record, where no strategy says otherwise. Default: 100 %, since a tail sampler can only keep
    what was recorded."""
    strategies: NotRequired[Strategies]
    """Answers of the strategy server."""
    targets: NotRequired[dict[str, dict[str, OperationTarget]]]
    """Rates that adaptive samplers steer to, by service and operation. Default: none."""
    tail: Tail
    """Rules of the gateways."""


class SpanMetrics(TypedDict):
    """Calls, errors and durations of every span, counted before tail sampling."""

    dimensions: NotRequired[list[str]]
    """Attributes that become labels beside service, span name, kind and status. Default: none; each multiplies the series."""
    buckets: NotRequired[list[str]]
    """Upper bounds of the duration histogram, rising. Default: 5 ms to 10 s, the buckets that Prometheus clients use."""
    cardinality_limit: NotRequired[int]
    """Combinations of labels kept for each service and replica; what is over is counted under one overflow label. Default: 2,000, the
    limit that the OpenTelemetry specification gives a metric."""
    expiry: NotRequired[str]
    """A combination not seen for this long is forgotten. Default: 15 min, so that replaced pods do not stay."""


class ServiceGraph(TypedDict):
    """Calls, errors and durations of every edge between two services, counted before tail sampling."""

    dimensions: NotRequired[list[str]]
    """Attributes that become labels beside client and server. Default: none; each multiplies the series."""
    buckets: NotRequired[list[str]]
    """Upper bounds of the duration histograms, rising. Default: 10 ms to 10 s."""
    wait: NotRequired[str]
    """Time that one side of a call waits for the other. Default: 10 s, the tail-sampling wait."""
    max_edges: NotRequired[int]
    """Calls that may wait at once on a gateway; what is over is not counted. Default: 10,000, a second of 10,000 calls/s."""


class Aggregation(TypedDict):
    """Metrics made of traces, scraped from the gateways."""

    span_metrics: NotRequired[SpanMetrics]
    """Calls, errors and durations of spans."""
    service_graph: NotRequired[ServiceGraph]
    """Calls, errors and durations between services."""
    flush_interval: NotRequired[str]
    """Interval at which counts are flushed. Default: 15 s, a usual scrape interval."""
    scraper_namespaces: NotRequired[list[str]]
    """Namespaces whose pods may read metrics. Kubernetes only. Default: none."""


class Retention(TypedDict):
    """Retention of stored data."""

    traces: NotRequired[str]
    """Age at which a trace can no longer be read, on any backend. Default: 30 days, as the requirement says."""


class Access(TypedDict):
    """Access of operators to the user interface, by OpenID Connect.

    Kubernetes only; one host shows it on 127.0.0.1.
    """

    host: str
    """Host name of the user interface. Required."""
    oidc_issuer: str
    """Issuer that operators log in with. Required."""
    oidc_ca_secret: NotRequired[str]
    """Secret with the entry `ca.crt`, the PEM of the authority behind the issuer's certificate; the stack fills it when it is given
    `<secret>.ca.crt`, else who issues it. No other authority is then trusted for the issuer. Default: none, the public authorities,
    by which an issuer on the internet is known; one with a private certificate could not be asked at all."""
    client_id: NotRequired[str]
    """Client registered at the issuer. Default: the project's name."""
    scopes: NotRequired[list[str]]
    """Scopes that are asked for at login. Default: `openid`, which the protocol demands, `email` and `profile`, which name the user, and
    `groups`, by which Dex and Okta add the groups claim; leave that out where the issuer answers `invalid_scope`, as Keycloak does
    where no client scope is called so."""
    groups_claim: NotRequired[str]
    """Claim of the token that lists the groups of a user. Default: `groups`, as Keycloak, Dex and Okta have it."""
    operator_groups: list[str]
    """Groups whose members may look at traces. Required: without one nobody, or everybody, could."""
    secret: NotRequired[str]
    """Secret with the entries `client-secret` and `cookie-secret`, which the stack fills. Default: a name of its own."""
    ingress_class: NotRequired[str]
    """Class of the Ingress. Default: the cluster's own default class."""
    gateway: NotRequired[GatewayReference]
    """Gateway by which browsers come in, by an HTTPRoute in place of the Ingress. Default: none, an Ingress."""
    ingress_namespaces: NotRequired[list[str]]
    """Namespaces whose pods reach the login proxy. Default: none, which leaves it to the login alone: a controller on the nodes' own
    network has no namespace that a policy could name."""
    trusted_proxies: NotRequired[list[str]]
    """Networks of the Ingress controller, whose word on a client's address is taken. Default: the private networks (RFC 1918, RFC 4193),
    where pod networks usually lie."""
    tls_secret: NotRequired[str]
    """Secret of type kubernetes.io/tls for the host. Required with an Ingress, because a login without TLS would show its cookie.
    Default: none; the listener of a `gateway` has a certificate of its own."""
    certificate: NotRequired[Issuer]
    """Issuer of the certificate in `tls_secret`, by a Certificate of cert-manager. Default: none, the Secret comes from elsewhere."""
    replicas: NotRequired[int]
    """Login proxies, which share no state but the cookie's secret. Default: 1; with more, a node that is lost interrupts nobody."""
    resources: NotRequired[Resources]
    """CPU and memory of the login proxy. Default: a twentieth of a core and 128Mi."""
    pods: NotRequired[Pods]
    """Rules for the pods of the login proxy. Default: those of `target.pods`."""


class Ingest(TypedDict):
    """Senders of spans, and how they are checked.

    Kubernetes only; one host takes spans on 127.0.0.1.
    """

    namespaces: NotRequired[list[str]]
    """Namespaces whose pods reach the agents and the strategy server; in each a ConfigMap tells services where to send. Default: none,
    which a cluster without `namespace_labels` is refused for."""
    namespace_labels: NotRequired[dict[str, str]]
    """Labels of further namespaces whose pods reach the agents and the strategy server, all of which a namespace must have. For many
    namespaces, or such as come and go: nothing is placed in them, and the one ConfigMap is in the backbone's own, to be copied from.
    Kubernetes only. Default: none."""
    tls_secret: NotRequired[str]
    """Secret of type kubernetes.io/tls that the agents and the strategy server present; its certificate names both hosts,
    `agent.NAMESPACE.svc` and `sampling.NAMESPACE.svc`. Default: none, plain text inside of the cluster."""
    certificate: NotRequired[Issuer]
    """Issuer of the certificate in `tls_secret`, by a Certificate of cert-manager. Default: none, the Secret comes from elsewhere."""
    token_secret: NotRequired[str]
    """Secret with the entry `token` that senders, and those who ask for strategies, must know; the stack fills it. Default: none, the
    namespace decides alone."""
    instrumentation: NotRequired[bool]
    """Whether an Instrumentation of the OpenTelemetry operator stands beside each ConfigMap: the operator then configures pods that ask
    for it by its annotation, `instrumentation.opentelemetry.io/inject-java` or that of another language. Kubernetes only. Default:
    false, because a cluster without the operator does not know the kind."""


class Images(TypedDict):
    """Source of container images."""

    registry: NotRequired[str]
    """Mirror that stands before every repository name. Default: none, each image comes from its own registry."""
    digests: NotRequired[dict[str, str]]
    """Digests by program. Default: none: a digest is worth what its source is worth, so it comes from you."""
    pull_secret: NotRequired[str]
    """Secret of type kubernetes.io/dockerconfigjson for the mirror. Default: none."""


class Load(TypedDict):
    """Load that the services are expected to send; it sizes buffers and checks volumes."""

    spans_per_second: float
    """Spans that all services end per second before any sampling, on an average day. Required: nothing can be sized without it."""
    bytes_per_span: NotRequired[int]
    """Bytes of a span in OTLP. Default: 270, measured with five attributes."""
    spans_per_trace: NotRequired[float]
    """Default: 10, an order through portal, chain and provider daemon."""
    failed: NotRequired[str]
    """Default: 1 %."""
    slow: NotRequired[str]
    """Default: 1 %."""
    nodes: NotRequired[int]
    """Nodes whose agents share the load evenly; it also bounds the quota, so that agents of more than twice as many nodes would be
    refused. Required on Kubernetes, where nothing else tells it. Default: 1, the one host of other targets."""


class Environment(TypedDict):
    """A tracing backbone in one environment.

    Every other value in this project follows from it.
    """

    target: Target
    """Target on which the backbone runs."""
    namespace: NotRequired[str]
    """Kubernetes namespace, and prefix of the names on a Docker host. Default: the name in the requirement."""
    backend: Backend
    """Server that stores the traces and shows them, deployed here or there already."""
    collectors: NotRequired[Collectors]
    """Collectors, which carry the spans from the services to the backend."""
    sampling: Sampling
    """Share of traces that are recorded, and the rules for storing them."""
    aggregation: NotRequired[Aggregation]
    """Metrics made of traces."""
    monitoring: NotRequired[Monitoring]
    """Scraping, alerts and dashboards."""
    retention: NotRequired[Retention]
    """Retention of stored data."""
    access: NotRequired[Access]
    """Login and host name of the user interface. Default: none, so that only a port-forward reaches it."""
    ingest: NotRequired[Ingest]
    """Senders of spans, and how they are checked."""
    images: NotRequired[Images]
    """Source of container images."""
    load: Load
    """Load that the services are expected to send."""
