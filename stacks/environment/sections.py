"""The sections of an environment file: every setting with its meaning, its unit, its default and why that default.

A title is the name of the setting in sentences (``diff`` says "baseline sampling 5 % → 1 %"), the text under it its documentation.
A setting without a default is required.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from stacks.environment.units import Age, Bytes, Cores, Digest, Duration, Hostname, HttpsUrl, Label, Network, Percent, cores, size


class Section(BaseModel):
    """A mapping of an environment file. Unknown keys are refused, and a value is never bent to another type."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        # A title is given or absent: one made of the name of the field would stand in sentences.
        field_title_generator=lambda _name, _field: "",
    )


class Local(Section):
    """Child processes of one supervisor on this machine, on loopback."""

    kind: Literal["local"] = Field(title="target")
    """Where the backbone runs."""


class Docker(Section):
    """Containers on one host."""

    kind: Literal["docker"] = Field(title="target")
    """Where the backbone runs."""
    host: str = Field(default="unix:///var/run/docker.sock", title="Docker daemon", min_length=1)
    """Address of the Docker daemon. Default: the socket that a local installation listens on."""


class Kubernetes(Section):
    """A cluster."""

    kind: Literal["kubernetes"] = Field(title="target")
    """Where the backbone runs."""
    context: str = Field(title="Kubernetes context", min_length=1, examples=["virtengine-prod"])
    """Context of the kubeconfig, one that `kubectl config get-contexts` lists. Required: a stack never deploys to whatever context
    happens to be current."""


class Resources(Section):
    """What one replica of a server may use."""

    cpu: Cores = Field(default=cores("100m"), title="CPU")
    """CPU requested, in cores; never capped, since a throttled server looks like a slow network. Default: a tenth of a core."""
    memory: Bytes = Field(default=size("256Mi"), title="memory")
    """Memory requested and capped, in bytes; the Go runtime is told nine tenths of it. Default: 256Mi, enough for an idle server."""


def _resources(cpu: str, memory: str) -> Resources:
    """Resources as a default of a section that holds them."""
    return Resources.model_validate({"cpu": cpu, "memory": memory})


class Disk(Section):
    """A volume."""

    size: Bytes = Field(title="size")
    """Bytes asked of the storage class. Required of the volume of the traces, since it follows from the load and the retention, which
    `check` multiplies for you; a queue and a log have a default."""
    storage_class: Label | None = Field(default=None, title="storage class")
    """Storage class of the claim. Kubernetes only. Default: the cluster's own default class."""


def _disk(bytes_: str) -> Disk:
    """A volume as a default of a section that holds one."""
    return Disk.model_validate({"size": bytes_})


class Jaeger(Section):
    """Jaeger v2 with Badger, an embedded store on one volume."""

    kind: Literal["jaeger"] = Field(title="backend")
    """Which server stores and shows the traces."""
    volume: Disk = Field(title="volume")
    """Where Badger keeps its keys and values."""
    replicas: int = Field(default=1, ge=1, title="backend replicas")
    """Processes that share the store. Badger allows one, which is the default; for more, choose another backend."""
    sync_writes: bool = Field(default=True, title="synchronous writes")
    """Whether a span is on the disk before it is acknowledged. Default: true, since what is acknowledged must survive a power cut;
    without it only a crash of the process is survived."""
    protect: bool = Field(default=True, title="protection of the stored traces")
    """Whether `pulumi destroy` refuses to delete the volume. Default: true; development turns it off."""
    resources: Resources = Field(default=_resources("500m", "2Gi"), title="backend")
    """Default: half a core and 2Gi; Badger held 730 MB at 10,000 spans/s."""


class TempoVolume(Section):
    """Blocks on a volume."""

    kind: Literal["volume"] = Field(title="trace storage")
    """Where Tempo keeps its blocks."""
    size: Bytes = Field(title="volume size")
    """Bytes asked of the storage class, for blocks and write-ahead log. Required: it follows from the load and the retention."""
    storage_class: Label | None = Field(default=None, title="storage class")
    """Storage class of the claim. Kubernetes only. Default: the cluster's own default class."""


class TempoBucket(Section):
    """Blocks in an S3-compatible bucket; the write-ahead log stays on a volume."""

    kind: Literal["s3"] = Field(title="trace storage")
    """Where Tempo keeps its blocks."""
    bucket: str = Field(title="bucket", min_length=3, max_length=63, examples=["virtengine-traces-prod"])
    """Name of the bucket. Required; it must exist and belong to this environment alone, since retention deletes in it."""
    endpoint: Hostname = Field(title="object storage endpoint", examples=["s3.example.org"])
    """Host name of the S3 API. Required: it decides who stores the traces."""
    region: str | None = Field(default=None, title="region", min_length=1)
    """Region of the bucket. Default: none, as most S3-compatible servers want."""
    credentials_secret: Label | None = Field(default=None, title="credentials of the bucket")
    """Secret with the entries `access-key` and `secret-key`. Default: none, which leaves it to the identity of the node or pod."""
    wal: Disk = Field(default=_disk("10Gi"), title="write-ahead log")
    """Volume of the write-ahead log: what was acknowledged and is not in the bucket yet. Default: 10Gi, hours at 1,000 spans/s."""


class Tempo(Section):
    """Tempo 3 in one process (`target: all`), with Grafana as its user interface."""

    kind: Literal["tempo"] = Field(title="backend")
    """Which server stores and shows the traces."""
    storage: Annotated[TempoVolume | TempoBucket, Field(discriminator="kind")]
    """Where Tempo keeps its blocks."""
    replicas: int = Field(default=1, ge=1, title="backend replicas")
    """Processes. Monolithic Tempo 3 without Kafka is one, which is the default."""
    protect: bool = Field(default=True, title="protection of the stored traces")
    """Whether `pulumi destroy` refuses to delete the volume. Default: true; development turns it off."""
    resources: Resources = Field(default=_resources("1", "4Gi"), title="backend")
    """Default: a core and 4Gi; Tempo builds its blocks in memory."""
    grafana: Resources = Field(default=Resources(), title="Grafana")
    """What Grafana may use. Default: a tenth of a core and 256Mi, enough for operators looking at traces."""


class AgentQueue(Section):
    """Spans that an agent has acknowledged and no gateway has answered for, on the node's disk.

    They die with the pod, not with the process: deleting, evicting or replacing the pod loses them, and so does the loss of its node.
    """

    size: Bytes = Field(default=size("1Gi"), title="size")
    """Bytes, in equal shares for each gateway. Default: 1Gi, an hour of 1,000 spans/s on one node."""
    sync_writes: bool = Field(default=False, title="synchronous writes of the queue")
    """Whether an agent's queue is written through to the disk before a span is acknowledged (fsync). Default: false, which survives a crash
    of the process and not a power cut: each request of a service would wait for the disk, once for each gateway."""


class Agent(Section):
    """The collector on each node, which services send to. On one host the gateway takes its place."""

    resources: Resources = _resources("100m", "512Mi")
    """Default: a tenth of a core and 512Mi, which held 25,000 spans/s of one node."""
    memory_limit: Percent = Field(default=0.8, title="memory limit")
    """Share of its memory at which an agent refuses spans, so that senders back off. Default: 80 %, as the collector's guide says."""
    queue: AgentQueue | None = Field(default=AgentQueue(), title="queue")
    """Queue on the node's disk. Default: a queue of 1Gi; gateways then acknowledge when they have decided, so that a killed gateway loses
    nothing. null: an agent acknowledges what a gateway has taken and holds nothing itself. Then its pod may be deleted at any time, but a
    killed gateway loses what waits for its decision, and while one gateway is away senders are refused and spans are repeated."""


class GatewayQueue(Disk):
    """A gateway's queue, on a claim of its own."""

    sync_writes: bool = Field(default=True, title="synchronous writes of the queue")
    """Whether a gateway's queue is written through to the disk before agents are answered (fsync). Default: true, since what is
    acknowledged must survive a power cut, after which the file might be damaged and be set aside as a whole."""


def _gateway_queue(bytes_: str) -> GatewayQueue:
    """A queue as a default of the gateways."""
    return GatewayQueue.model_validate({"size": bytes_})


class Gateway(Section):
    """The collectors on which whole traces meet: span metrics, service graph, tail sampling, delivery to the backend."""

    replicas: int = Field(default=1, ge=1, le=64, title="replicas")
    """Collectors among which traces are divided. Kubernetes only; one host runs one. Default: 1."""
    resources: Resources = _resources("500m", "1Gi")
    """Default: half a core and 1Gi. Tail sampling keeps whole traces in it: see `check`."""
    memory_limit: Percent = Field(default=0.8, title="memory limit")
    """Share of its memory at which a gateway refuses spans, so that agents queue. Default: 80 %, as the collector's guide says."""
    queue: GatewayQueue = Field(default=_gateway_queue("5Gi"), title="queue")
    """What a gateway holds on disk while the backend is away. Default: 5Gi, hours at 100 kept spans/s."""
    grace_period: Duration = Field(default=timedelta(seconds=60), title="grace period")
    """Time to stop after SIGTERM. It must cover the longest wait for an acknowledgement, which is twice the tail-sampling wait and 5 s, or
    a rollout sends spans twice. Default: 60 s, more than twice as much at the usual wait."""


class Collectors(Section):
    """The OpenTelemetry collectors between services and backend."""

    agent: Agent = Field(default=Agent(), title="agent")
    """The collector on each node."""
    gateway: Gateway = Field(default=Gateway(), title="gateway")
    """The collectors on which whole traces meet."""


class ServiceStrategy(Section):
    """How the traces that a service starts are sampled there. Exactly one of `ratio` and `traces_per_second`."""

    ratio: Percent | None = Field(default=None, title="sampling ratio")
    """Share of the traces that are kept. Default: none, see `traces_per_second`."""
    traces_per_second: int | None = Field(default=None, ge=1, le=1_000_000, title="sampling rate", json_schema_extra={"unit": "traces/s"})
    """Traces kept per second and instance, a whole number: the strategy server cuts off the rest. Default: none, see `ratio`."""
    operations: dict[str, Percent] = Field(default_factory=dict, title="operation sampling ratio")
    """Share of the traces that begin with an operation (a span name). Default: none, the ratio of the service holds. Only together with
    `ratio`: the protocol knows no rate beside operations."""


class Strategies(Section):
    """What the strategy server answers to samplers that ask (the Jaeger remote sampling protocol)."""

    services: dict[str, ServiceStrategy] = Field(default_factory=dict)
    """Strategies by service name. Default: none, every service has the head ratio."""
    poll_interval: Duration = Field(default=timedelta(seconds=60), title="strategy poll interval")
    """How often services ask. Default: 60 s, as every Jaeger client; a change reaches all within it."""


class OperationTarget(Section):
    """The rate that an adaptive sampler steers an operation to, within a floor and a ceiling of its ratio."""

    traces_per_second: float = Field(gt=0, le=1e6, title="target rate", json_schema_extra={"unit": "traces/s"})
    """Traces per second and instance. Required: it is the purpose."""
    floor: Percent = Field(default=0.0001, title="target floor")
    """Least ratio. Default: 0.01 %, so that no operation goes dark."""
    ceiling: Percent = Field(default=1.0, title="target ceiling")
    """Greatest ratio. Default: 100 %."""


class Noise(Section):
    """Traces that are never stored: those with a span whose attribute has one of these values."""

    attribute: str = Field(title="noise attribute", min_length=1)
    """Attribute key, of a span or its resource. Required."""
    values: tuple[str, ...] = Field(title="noise values", min_length=1, strict=False)
    """Exact values. Required."""


class Tail(Section):
    """What the gateways keep of the traces that they have seen whole. A trace is kept when any rule keeps it, unless it is noise."""

    wait: Duration = Field(default=timedelta(seconds=10), title="tail-sampling wait")
    """Time from a trace's first span to the decision, in whole seconds. Default: 10 s; longer requests are decided on what has come by
    then."""
    errors: bool = Field(default=True, title="keeping of failed traces")
    """Whether every trace with a span of status ERROR is kept. Default: true, they are what tracing is for."""
    slow: Duration | None = Field(default=timedelta(seconds=2), title="threshold of slow traces")
    """Traces that last this long or longer are all kept. Default: 2 s, what a person notices at a portal; null keeps none for it."""
    baseline: Percent = Field(title="baseline sampling")
    """Share kept of all other traces. Required: it decides what storage costs and what operators see."""
    baseline_limit: float | None = Field(default=None, gt=0, le=1e9, title="baseline limit", json_schema_extra={"unit": "spans/s"})
    """Spans per second and gateway that the baseline may add; failed and slow traces are not limited. Default: none, no limit."""
    noise: dict[str, Noise] = Field(default_factory=dict)
    """Traces to drop, by a name of yours. Default: none."""


class Sampling(Section):
    """Which traces are recorded by services (head), and which of those are stored (tail)."""

    head_ratio: Percent = Field(default=1.0, title="head sampling")
    """Share of the traces that services record, where no strategy says otherwise. Default: 100 %, since a tail sampler can only keep
    what was recorded."""
    strategies: Strategies = Strategies()
    """What the strategy server answers."""
    targets: dict[str, dict[str, OperationTarget]] = Field(default_factory=dict)
    """Rates that adaptive samplers steer to, by service and operation. Default: none."""
    tail: Tail
    """What the gateways keep."""


class SpanMetrics(Section):
    """Calls, errors and durations of every span, counted before tail sampling."""

    dimensions: tuple[str, ...] = Field(default=(), title="span metric dimensions", strict=False)
    """Attributes that become labels beside service, span name, kind and status. Default: none; each multiplies the series."""
    buckets: tuple[Duration, ...] = Field(
        default=tuple(timedelta(milliseconds=n) for n in (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)),
        title="span metric buckets",
        min_length=1,
        strict=False,
    )
    """Upper bounds of the duration histogram, rising. Default: 5 ms to 10 s, the buckets that Prometheus clients use."""
    cardinality_limit: int = Field(
        default=2000, ge=10, le=1_000_000, title="span metric series limit", json_schema_extra={"unit": "series"}
    )
    """Combinations of labels kept for each service and replica; what is over is counted under one overflow label. Default: 2,000, the
    limit that the OpenTelemetry specification gives a metric."""
    expiry: Duration = Field(default=timedelta(minutes=15), title="span metric expiry")
    """A combination not seen for this long is forgotten. Default: 15 min, so that replaced pods do not stay."""


class ServiceGraph(Section):
    """Calls, errors and durations of every edge between two services, counted before tail sampling."""

    dimensions: tuple[str, ...] = Field(default=(), title="service graph dimensions", strict=False)
    """Attributes that become labels beside client and server. Default: none; each multiplies the series."""
    buckets: tuple[Duration, ...] = Field(
        default=tuple(timedelta(milliseconds=n) for n in (10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)),
        title="service graph buckets",
        min_length=1,
        strict=False,
    )
    """Upper bounds of the duration histograms, rising. Default: 10 ms to 10 s."""
    wait: Duration = Field(default=timedelta(seconds=10), title="service graph wait")
    """How long one side of a call waits for the other. Default: 10 s, the tail-sampling wait."""
    max_edges: int = Field(default=10_000, ge=100, le=10_000_000, title="service graph limit", json_schema_extra={"unit": "waiting calls"})
    """Calls that may wait at once on a gateway; what is over is not counted. Default: 10,000, a second of 10,000 calls/s."""


class Aggregation(Section):
    """Metrics made of traces, scraped from the gateways."""

    span_metrics: SpanMetrics = SpanMetrics()
    """Calls, errors and durations of spans."""
    service_graph: ServiceGraph = ServiceGraph()
    """Calls, errors and durations between services."""
    flush_interval: Duration = Field(default=timedelta(seconds=15), title="metric flush interval")
    """How often the counts are handed on. Default: 15 s, a usual scrape interval."""
    scraper_namespaces: tuple[Label, ...] = Field(default=(), title="namespaces that may scrape", strict=False)
    """Namespaces whose pods may read metrics. Kubernetes only. Default: none."""


class Retention(Section):
    """How long data is kept."""

    traces: Age = Field(default=timedelta(days=30), title="retention")
    """Age at which a trace can no longer be read, on any backend. Default: 30 days, as the requirement says."""


class Access(Section):
    """Who reaches the user interface: operators alone, by OpenID Connect. Kubernetes only; one host shows it on 127.0.0.1."""

    host: Hostname = Field(title="user interface host", examples=["traces.example.org"])
    """Host name of the user interface. Required."""
    oidc_issuer: HttpsUrl = Field(title="OIDC issuer", examples=["https://login.example.org/realms/operators"])
    """Issuer that operators log in with. Required."""
    oidc_ca_secret: Label | None = Field(default=None, title="authority of the OIDC issuer", examples=["login-ca"])
    """Secret with the entry `ca.crt`, the PEM of the authority behind the issuer's certificate; the stack fills it when it is given
    `<secret>.ca.crt`, else who issues it. No other authority is then trusted for the issuer. Default: none, the public authorities, by
    which an issuer on the internet is known; one with a private certificate could not be asked at all."""
    client_id: str = Field(default="virtengine-tracing", title="OIDC client", min_length=1)
    """Client registered at the issuer. Default: the project's name."""
    groups_claim: str = Field(default="groups", title="groups claim", min_length=1)
    """Claim of the token that lists the groups of a user. Default: `groups`, as Keycloak, Dex and Okta have it."""
    operator_groups: tuple[str, ...] = Field(title="operator groups", min_length=1, strict=False, examples=[["tracing-operators"]])
    """Groups whose members may look at traces. Required: without one nobody, or everybody, could."""
    secret: Label = Field(default="tracing-access", title="secret of the login proxy")
    """Secret with the entries `client-secret` and `cookie-secret`, which the stack fills. Default: a name of its own."""
    ingress_class: Label | None = Field(default=None, title="ingress class")
    """Class of the Ingress. Default: the cluster's own default class."""
    ingress_namespaces: tuple[Label, ...] = Field(default=(), title="namespaces of the ingress controller", strict=False)
    """Namespaces whose pods reach the login proxy. Default: none, which leaves it to the login alone: a controller on the nodes' own
    network has no namespace that a policy could name."""
    trusted_proxies: tuple[Network, ...] = Field(
        default=("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"), title="trusted proxies", min_length=1, strict=False
    )
    """Networks of the Ingress controller, whose word on a client's address is taken. Default: the private networks (RFC 1918), where pod
    networks usually lie."""
    tls_secret: Label = Field(title="TLS secret of the user interface", examples=["traces-tls"])
    """Secret of type kubernetes.io/tls for the host. Required: a login without TLS would show its cookie."""
    resources: Resources = Field(default=_resources("50m", "128Mi"), title="login proxy")
    """What the login proxy may use. Default: a twentieth of a core and 128Mi."""


class Ingest(Section):
    """Who may send spans. Kubernetes only; one host takes them on 127.0.0.1."""

    namespaces: tuple[Label, ...] = Field(default=(), title="namespaces that may send", strict=False)
    """Namespaces whose pods reach the agents and the strategy server. Default: none, which a cluster is refused for."""
    tls_secret: Label | None = Field(default=None, title="TLS secret of the intake")
    """Secret of type kubernetes.io/tls that the agents present. Default: none, plain text inside of the cluster."""
    token_secret: Label | None = Field(default=None, title="token secret of the intake")
    """Secret with the entry `token` that senders must know, which the stack fills. Default: none, the namespace decides alone."""


class Images(Section):
    """Where container images come from."""

    registry: str | None = Field(
        default=None, title="registry mirror", pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
    )
    """Mirror that stands before every repository name. Default: none, each image comes from its own registry."""
    digests: dict[Literal["otelcol-contrib", "jaeger", "tempo", "grafana", "oauth2-proxy"], Digest] = Field(
        default_factory=dict, title="image digest"
    )
    """Digests by program. Default: none: a digest is worth what its source is worth, so it comes from you."""
    pull_secret: Label | None = Field(default=None, title="pull secret")
    """Secret of type kubernetes.io/dockerconfigjson for the mirror. Default: none."""


class Load(Section):
    """What the services are expected to send; it sizes buffers and checks volumes."""

    spans_per_second: float = Field(ge=0.001, le=1e9, title="expected load", json_schema_extra={"unit": "spans/s"})
    """Spans that all services end per second before any sampling, on an average day. Required: nothing can be sized without it."""
    bytes_per_span: int = Field(default=270, ge=50, le=2**20, title="expected span size", json_schema_extra={"unit": "bytes"})
    """Bytes of a span in OTLP. Default: 270, measured with five attributes."""
    spans_per_trace: float = Field(default=10, ge=1, le=1e6, title="expected spans of a trace")
    """Default: 10, an order through portal, chain and provider daemon."""
    failed: Percent = Field(default=0.01, title="expected share of failed traces")
    """Default: 1 %."""
    slow: Percent = Field(default=0.01, title="expected share of slow traces")
    """Default: 1 %."""
    nodes: int = Field(default=1, ge=1, le=100_000, title="expected nodes")
    """Nodes whose agents share the load evenly. Kubernetes only. Default: 1."""
