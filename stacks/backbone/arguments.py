"""Types of the settings of a component; `make reference` writes them from the schema."""

from typing import NotRequired, TypedDict

from stacks.backbone.backend_arguments import Backend, Resources
from stacks.backbone.cluster_arguments import ExternalSecrets, GatewayReference, Issuer, Monitoring, Pods


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


class GatewayAutoscaling(TypedDict):
    """More gateways than the least, as many as the load asks for, by a HorizontalPodAutoscaler.

    Only with `transport: kafka`.
    """

    max_replicas: int
    """Most gateways, of which each has a claim of its own from the beginning; `replicas` is the least. No more than
    `collectors.kafka.partitions`, because each of them needs one. Required: it bounds the quota and the claims."""
    cpu: NotRequired[str]
    """Share of the requested CPU, in whole percent, above which one more is started. Default: 70 %, so that a gateway has room until the
    next one reads."""
    lag: NotRequired[int]
    """Records that wait on the topic for each gateway above which one more is started, by the external metric `kafka_consumergroup_lag`
    with the labels `consumergroup` and `topic`, as kafka_exporter names them, which an adapter for Prometheus has to serve. Default:
    none, CPU decides alone; a gateway whose memory is full before its processors are busy takes less and is not scaled by it."""


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
    autoscaling: NotRequired[GatewayAutoscaling]
    """More gateways under load. Default: none, as many as `replicas` says."""
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


class Sasl(TypedDict):
    """The name and the password by which Kafka knows agents and gateways."""

    mechanism: NotRequired[str]
    """Mechanism of SASL. Default: `SCRAM-SHA-512`, in which the password does not cross the network."""
    secret: str
    """Secret with the entries `username` and `password`. Its user may write to the topic, read from it, and be in the consumer group.
    Required."""


class Kafka(TypedDict):
    """A Kafka that is there already, on whose topic spans wait for gateways.

    Tried with 3.9.1. Agents write what they have counted and redacted, in OTLP protobuf, keyed by the trace id. Gateways are one
    consumer group: the share of one that is lost is taken over by the others, and there may be more of them under load. While this
    section is there, gateways read the topic, also with `transport: direct`, so that a change of the transport loses nothing.
    """

    servers: list[str]
    """Brokers that are asked first, as `host:port`; they tell of the others, which have to listen on one of these ports, because
    policies let no other through. Required."""
    topic: NotRequired[str]
    """Topic of the spans, of this environment alone. It has to be there, as `check` says how, because one that Kafka made by itself
    would have its default of partitions. Default: the namespace and `.spans`; of two environments on one Kafka that have one
    namespace each has to name its own, and `check` refuses the same one in two stack files of a folder."""
    group: NotRequired[str]
    """Consumer group of the gateways. Default: the name of the topic."""
    partitions: NotRequired[int]
    """Partitions that the topic has, among which traces are divided; as many gateways at most have any. Default: 12, which 2, 3, 4, 6
    and 12 gateways share evenly. With another number traces under way are cut in two."""
    replication: NotRequired[int]
    """Brokers that have a copy of each span. Default: 3, of which one may be away: agents are answered when all that are in step have
    it."""
    retention: NotRequired[str]
    """Age at which Kafka deletes spans whether or not a gateway has read them. Default: 1 d, in which somebody answers an alert."""
    tls: NotRequired[bool]
    """Whether connections are encrypted. Default: true, since spans and the password cross the network."""
    ca_secret: NotRequired[str]
    """Secret with the entry `ca.crt`, the PEM of the authority behind the certificates of the brokers; the stack fills it when it is
    given `<secret>.ca.crt`, else who issues it. Default: none, the public authorities."""
    sasl: NotRequired[Sasl]
    """Name and password. Default: none, a Kafka that asks for none."""
    session_timeout: NotRequired[str]
    """Time for which the share of a gateway that is away waits for it; then the others take it over. Default: 30 s: one that is started
    again within it finds its share, so that no trace is cut; half of the minute in which a share should go on."""
    compression: NotRequired[str]
    """Compression of what agents write. Default: `snappy`, which costs agents the least."""


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
    """Bytes of a span in OTLP, without its resource. Default: 270, measured with five attributes."""
    bytes_per_resource: NotRequired[int]
    """Bytes in OTLP of the resource that a span comes with. Jaeger stores and indexes it with each span. Default: 330, the ten
    attributes that the library sends; on Kubernetes agents add up to six, some 250 bytes."""
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
