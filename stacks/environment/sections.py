"""The sections of an environment file: every setting with its meaning, its unit, its default and why that default.

A title is the name of the setting in sentences (``diff`` says "baseline sampling 5 % → 1 %"), the text under it its documentation.
A setting without a default is required.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from stacks.environment.cluster import GatewayReference, Issuer, Pods
from stacks.environment.hosts import HttpsUrl, SiteName
from stacks.environment.kafka import GatewayAutoscaling, Kafka
from stacks.environment.section import Section
from stacks.environment.units import (
    Age,
    Bytes,
    Cores,
    Digest,
    Duration,
    Identifier,
    Interval,
    Label,
    LabelKey,
    LabelValue,
    Network,
    ObjectName,
    Percent,
    Scope,
    Text,
    Value,
    Wait,
    cores,
    size,
)


class Local(Section):
    """Child processes of one supervisor on this machine, on loopback."""

    kind: Literal["local"] = Field(title="target")
    """Kind of the target."""


class Docker(Section):
    """Containers on one host."""

    kind: Literal["docker"] = Field(title="target")
    """Kind of the target."""
    host: Identifier = Field(default="unix:///var/run/docker.sock", title="Docker daemon")
    """Address of the Docker daemon. Default: the socket that a local installation listens on."""


def _untold(schema: dict[str, Any]) -> None:
    """Leave the default out of the schema of a setting, because the section that it stands in has another one."""
    schema.pop("default", None)


class Resources(Section):
    """CPU and memory of one replica of a server."""

    cpu: Cores = Field(default=cores("100m"), title="CPU", json_schema_extra=_untold)
    """CPU requested, in cores; never capped, since a throttled server looks like a slow network. Default: as its section says."""
    memory: Bytes = Field(default=size("256Mi"), title="memory", json_schema_extra=_untold)
    """Memory requested and capped, in bytes; the Go runtime is told four fifths of it, or of a collector's memory limit. Default: as its
    section says."""


def resources_of(cpu: str, memory: str) -> Resources:
    """Resources as a default of a section that holds them."""
    return Resources.model_validate({"cpu": cpu, "memory": memory})


class Disk(Section):
    """A volume."""

    size: Bytes = Field(title="size")
    """Bytes asked of the storage class. Required of the volume of the traces, since it follows from the load and the retention, which
    `check` multiplies for you; a queue and a log have a default."""
    storage_class: ObjectName | None = Field(default=None, title="storage class")
    """Storage class of the claim. Kubernetes only. Default: the cluster's own default class."""


def disk_of(bytes_: str) -> Disk:
    """A volume as a default of a section that holds one."""
    return Disk.model_validate({"size": bytes_})


class AgentQueue(Section):
    """Queue of an agent, on disk, for spans that it has acknowledged and no gateway has answered for.

    It dies with the pod, not with the process: deleting, evicting or replacing the pod loses it, and so does the loss of its node.
    """

    size: Bytes = Field(default=size("1Gi"), title="size")
    """Bytes, in equal shares for each gateway; `check` says for how long a gateway may be away. Default: 1Gi, an hour of 1,000 spans/s on
    one node."""
    sync_writes: bool = Field(default=False, title="synchronous writes of the queue")
    """Whether an agent's queue is written through to the disk before a span is acknowledged (fsync). Default: false, which survives a crash
    of the process and not a power cut: each request of a service would wait for the disk, once for each gateway."""
    when_full: Literal["refuse", "lose"] = Field(default="refuse", title="full queue")
    """What becomes of the spans of a gateway whose share is full. `refuse`: the whole request is refused, which senders repeat, so that the
    other gateways and the span metrics have it several times. `lose`: they are lost and counted, and the others have theirs once; an agent
    acknowledges a request just before the queue has it, so that a killed agent loses the last few. Default: `refuse`, since nothing that
    was acknowledged is to be lost."""


class Agent(Section):
    """The collector on each node, which services send to. On one host the gateway takes its place."""

    resources: Resources = resources_of("100m", "512Mi")
    """Default: a tenth of a core and 512Mi, which held 25,000 spans/s of one node."""
    pods: Pods = Pods()
    """Rules for the pods of the agents. Default: those of `target.pods`."""
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
    autoscaling: GatewayAutoscaling | None = None
    """More gateways under load. Default: none, as many as `replicas` says."""
    resources: Resources = resources_of("500m", "1Gi")
    """Default: half a core and 1Gi. Tail sampling keeps whole traces in it: see `check`."""
    pods: Pods = Pods()
    """Rules for the pods of the gateways. Default: those of `target.pods`."""
    memory_limit: Percent = Field(default=0.8, title="memory limit")
    """Share of its memory at which a gateway refuses spans, so that agents queue. Default: 80 %, as the collector's guide says."""
    queue: GatewayQueue = Field(default=_gateway_queue("5Gi"), title="queue")
    """Queue of a gateway, on disk, for spans that the backend does not take. Default: 5Gi, hours at 100 kept spans/s."""
    grace_period: Duration | None = Field(default=None, title="grace period")
    """Time to stop after SIGTERM, in which a gateway decides on what waits. Only where a gateway acknowledges before it has decided: on one
    host, or with agents without a queue. Elsewhere it stops within 2 s, because agents keep what it has not acknowledged and send it to its
    successor. Default: 60 s, six times the usual wait."""


class Collectors(Section):
    """The OpenTelemetry collectors between services and backend."""

    agent: Agent = Field(default=Agent(), title="agent")
    """The collector on each node."""
    gateway: Gateway = Field(default=Gateway(), title="gateway")
    """The collectors on which whole traces meet."""
    transport: Literal["direct", "kafka"] = Field(default="direct", title="transport between collectors")
    """Way of spans from agents to gateways. `direct`: each gateway has a share of the traces, which waits for it while it is away. `kafka`:
    they wait on a topic, and gateways share what comes. Kubernetes only; one host has no agents. Default: `direct`, which needs no other
    server."""
    kafka: Kafka | None = None
    """The Kafka between agents and gateways. Required with `transport: kafka`. Default: none."""


class ServiceStrategy(Section):
    """Sampling of the traces that a service starts. Exactly one of `ratio` and `traces_per_second`."""

    ratio: Percent | None = Field(default=None, title="sampling ratio")
    """Share of the traces that are kept. Default: none, see `traces_per_second`."""
    traces_per_second: int | None = Field(default=None, ge=1, le=1_000_000, title="sampling rate", json_schema_extra={"unit": "traces/s"})
    """Traces kept per second and instance, a whole number: the strategy server cuts off the rest. Default: none, see `ratio`."""
    operations: dict[Value, Percent] = Field(default_factory=dict, title="operation sampling ratio")
    """Share of the traces that begin with an operation (a span name). Default: none, the ratio of the service holds. Only together with
    `ratio`: the protocol knows no rate beside operations."""


class Strategies(Section):
    """Answers of the strategy server to samplers (the Jaeger remote sampling protocol)."""

    services: dict[Value, ServiceStrategy] = Field(default_factory=dict)
    """Strategies by service name. Default: none, every service has the head ratio."""
    poll_interval: Interval = Field(default=timedelta(seconds=60), title="strategy poll interval")
    """Interval at which services ask. Default: 60 s, as every Jaeger client; a change reaches all within it."""
    replicas: int = Field(default=1, ge=1, le=64, title="replicas of the strategy server")
    """Servers that answer. Kubernetes only; one host runs one. Default: 1, because services keep their last strategy while none answers."""
    pods: Pods = Field(default=Pods(), title="strategy server")
    """Rules for the pods of the strategy server. Default: those of `target.pods`."""


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

    attribute: Value = Field(title="noise attribute")
    """Attribute key, of a span or its resource. Required."""
    values: tuple[Value, ...] = Field(title="noise values", min_length=1, strict=False)
    """Exact values, in quotes where they are numbers; `"404"` also matches an attribute that is the number. Required."""


class Tail(Section):
    """Rules by which the gateways store whole traces. A trace is stored when any rule keeps it, unless it is noise."""

    wait: Wait = Field(default=timedelta(seconds=10), title="tail-sampling wait")
    """Time from a trace's first span to the decision, in whole seconds, 30 min at most, because memory holds it so long. Default: 10 s;
    longer requests are decided on what has come by then, and a shorter wait cuts the traces of the seconds in which an agent restarts."""
    errors: bool = Field(default=True, title="keeping of failed traces")
    """Whether every trace with a span of status ERROR is kept. Default: true, they are what tracing is for."""
    slow: Duration | None = Field(default=timedelta(seconds=2), title="threshold of slow traces")
    """Traces that last this long or longer are all kept. Default: 2 s, what a person notices at a portal; null keeps none for it."""
    baseline: Percent = Field(title="baseline sampling")
    """Share kept of all other traces. Required: it decides what storage costs and what operators see."""
    baseline_limit: int | None = Field(default=None, ge=1, le=1_000_000_000, title="baseline limit", json_schema_extra={"unit": "spans/s"})
    """Spans per second and gateway that the baseline may add, a whole number; failed and slow traces are not limited. What is not used is
    saved up to ten traces of the expected size, so that a limit below one trace a second still keeps one. Default: none, no limit."""
    noise: dict[Text, Noise] = Field(default_factory=dict)
    """Traces to drop, by a name of yours. Default: none."""


class Sampling(Section):
    """Sampling by services as a trace starts (head) and by gateways once it is whole (tail)."""

    head_ratio: Percent = Field(default=1.0, title="head sampling")
    """Share of the traces that services record, where no strategy says otherwise. Default: 100 %, since a tail sampler can only keep
    what was recorded."""
    strategies: Strategies = Strategies()
    """Answers of the strategy server."""
    targets: dict[Value, dict[Value, OperationTarget]] = Field(default_factory=dict)
    """Rates that adaptive samplers steer to, by service and operation. Default: none."""
    tail: Tail
    """Rules of the gateways."""


class SpanMetrics(Section):
    """Calls, errors and durations of every span, counted before tail sampling."""

    dimensions: tuple[Text, ...] = Field(default=(), title="span metric dimensions", strict=False)
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

    dimensions: tuple[Text, ...] = Field(default=(), title="service graph dimensions", strict=False)
    """Attributes that become labels beside client and server. Default: none; each multiplies the series."""
    buckets: tuple[Duration, ...] = Field(
        default=tuple(timedelta(milliseconds=n) for n in (10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)),
        title="service graph buckets",
        min_length=1,
        strict=False,
    )
    """Upper bounds of the duration histograms, rising. Default: 10 ms to 10 s."""
    wait: Interval = Field(default=timedelta(seconds=10), title="service graph wait")
    """Time that one side of a call waits for the other. Default: 10 s, the tail-sampling wait."""
    max_edges: int = Field(default=10_000, ge=100, le=10_000_000, title="service graph limit", json_schema_extra={"unit": "waiting calls"})
    """Calls that may wait at once on a gateway; what is over is not counted. Default: 10,000, a second of 10,000 calls/s."""


class Aggregation(Section):
    """Metrics made of traces, scraped from the gateways."""

    span_metrics: SpanMetrics = SpanMetrics()
    """Calls, errors and durations of spans."""
    service_graph: ServiceGraph = ServiceGraph()
    """Calls, errors and durations between services."""
    flush_interval: Interval = Field(default=timedelta(seconds=15), title="metric flush interval")
    """Interval at which counts are flushed. Default: 15 s, a usual scrape interval."""
    scraper_namespaces: tuple[Label, ...] = Field(default=(), title="namespaces that may scrape", strict=False)
    """Namespaces whose pods may read metrics. Kubernetes only. Default: none."""


class Retention(Section):
    """Retention of stored data."""

    traces: Age = Field(default=timedelta(days=30), title="retention")
    """Age at which a trace can no longer be read, on any backend. Default: 30 days, as the requirement says."""


class Access(Section):
    """Access of operators to the user interface, by OpenID Connect. Kubernetes only; one host shows it on 127.0.0.1."""

    host: SiteName = Field(title="user interface host", examples=["traces.example.org"])
    """Host name of the user interface. Required."""
    oidc_issuer: HttpsUrl = Field(title="OIDC issuer", examples=["https://login.example.org/realms/operators"])
    """Issuer that operators log in with. Required."""
    oidc_ca_secret: ObjectName | None = Field(default=None, title="authority of the OIDC issuer", examples=["login-ca"])
    """Secret with the entry `ca.crt`, the PEM of the authority behind the issuer's certificate; the stack fills it when it is given
    `<secret>.ca.crt`, else who issues it. No other authority is then trusted for the issuer. Default: none, the public authorities, by
    which an issuer on the internet is known; one with a private certificate could not be asked at all."""
    client_id: Identifier = Field(default="virtengine-tracing", title="OIDC client")
    """Client registered at the issuer. Default: the project's name."""
    scopes: tuple[Scope, ...] = Field(default=("openid", "email", "profile", "groups"), title="OIDC scopes", min_length=1, strict=False)
    """Scopes that are asked for at login. Default: `openid`, which the protocol demands, `email` and `profile`, which name the user, and
    `groups`, by which Dex and Okta add the groups claim; leave that out where the issuer answers `invalid_scope`, as Keycloak does where
    no client scope is called so."""
    groups_claim: Identifier = Field(default="groups", title="groups claim")
    """Claim of the token that lists the groups of a user. Default: `groups`, as Keycloak, Dex and Okta have it."""
    operator_groups: tuple[Value, ...] = Field(title="operator groups", min_length=1, strict=False, examples=[["tracing-operators"]])
    """Groups whose members may look at traces. Required: without one nobody, or everybody, could."""
    secret: ObjectName = Field(default="tracing-access", title="secret of the login proxy")
    """Secret with the entries `client-secret` and `cookie-secret`, which the stack fills. Default: a name of its own."""
    ingress_class: ObjectName | None = Field(default=None, title="ingress class")
    """Class of the Ingress. Default: the cluster's own default class."""
    gateway: GatewayReference | None = None
    """Gateway by which browsers come in, by an HTTPRoute in place of the Ingress. Default: none, an Ingress."""
    ingress_namespaces: tuple[Label, ...] = Field(default=(), title="namespaces of the ingress controller", strict=False)
    """Namespaces whose pods reach the login proxy. Default: none, which leaves it to the login alone: a controller on the nodes' own
    network has no namespace that a policy could name."""
    trusted_proxies: tuple[Network, ...] = Field(
        default=("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"), title="trusted proxies", min_length=1, strict=False
    )
    """Networks of the Ingress controller, whose word on a client's address is taken. Default: the private networks (RFC 1918, RFC 4193),
    where pod networks usually lie."""
    tls_secret: ObjectName | None = Field(default=None, title="TLS secret of the user interface", examples=["traces-tls"])
    """Secret of type kubernetes.io/tls for the host. Required with an Ingress, because a login without TLS would show its cookie. Default:
    none; the listener of a `gateway` has a certificate of its own."""
    certificate: Issuer | None = Field(default=None, title="user interface")
    """Issuer of the certificate in `tls_secret`, by a Certificate of cert-manager. Default: none, the Secret comes from elsewhere."""
    replicas: int = Field(default=1, ge=1, le=64, title="replicas of the login proxy")
    """Login proxies, which share no state but the cookie's secret. Default: 1; with more, a node that is lost interrupts nobody."""
    resources: Resources = Field(default=resources_of("50m", "128Mi"), title="login proxy")
    """CPU and memory of the login proxy. Default: a twentieth of a core and 128Mi."""
    pods: Pods = Field(default=Pods(), title="login proxy")
    """Rules for the pods of the login proxy. Default: those of `target.pods`."""


class Ingest(Section):
    """Senders of spans, and how they are checked. Kubernetes only; one host takes spans on 127.0.0.1."""

    namespaces: tuple[Label, ...] = Field(default=(), title="namespaces that may send", strict=False)
    """Namespaces whose pods reach the agents and the strategy server; in each a ConfigMap tells services where to send. Default: none,
    which a cluster without `namespace_labels` is refused for."""
    namespace_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, title="label of namespaces that may send")
    """Labels of further namespaces whose pods reach the agents and the strategy server, all of which a namespace must have. For many
    namespaces, or such as come and go: nothing is placed in them, and the one ConfigMap is in the backbone's own, to be copied from.
    Kubernetes only. Default: none."""
    tls_secret: ObjectName | None = Field(default=None, title="TLS secret of the intake")
    """Secret of type kubernetes.io/tls that the agents and the strategy server present; its certificate names both hosts,
    `agent.NAMESPACE.svc` and `sampling.NAMESPACE.svc`. Default: none, plain text inside of the cluster."""
    certificate: Issuer | None = Field(default=None, title="intake")
    """Issuer of the certificate in `tls_secret`, by a Certificate of cert-manager. Default: none, the Secret comes from elsewhere."""
    token_secret: ObjectName | None = Field(default=None, title="token secret of the intake")
    """Secret with the entry `token` that senders, and those who ask for strategies, must know; the stack fills it. Default: none, the
    namespace decides alone."""
    instrumentation: bool = Field(default=False, title="instrumentation by the operator")
    """Whether an Instrumentation of the OpenTelemetry operator stands beside each ConfigMap: the operator then configures pods that ask for
    it by its annotation, `instrumentation.opentelemetry.io/inject-java` or that of another language. Kubernetes only. Default: false,
    because a cluster without the operator does not know the kind."""


class Images(Section):
    """Source of container images."""

    registry: str | None = Field(
        default=None, title="registry mirror", pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
    )
    """Mirror that stands before every repository name. Default: none, each image comes from its own registry."""
    digests: dict[
        Literal["otelcol-contrib", "jaeger", "jaeger-es-index-cleaner", "tempo", "grafana", "oauth2-proxy", "busybox"], Digest
    ] = Field(default_factory=dict, title="image digest")
    """Digests by program. Default: none: a digest is worth what its source is worth, so it comes from you."""
    pull_secret: ObjectName | None = Field(default=None, title="pull secret")
    """Secret of type kubernetes.io/dockerconfigjson for the mirror. Default: none."""


class Load(Section):
    """Load that the services are expected to send; it sizes buffers and checks volumes."""

    spans_per_second: float = Field(ge=0.001, le=1e9, title="expected load", json_schema_extra={"unit": "spans/s"})
    """Spans that all services end per second before any sampling, on an average day. Required: nothing can be sized without it."""
    bytes_per_span: int = Field(default=270, ge=50, le=2**20, title="expected span size", json_schema_extra={"unit": "bytes"})
    """Bytes of a span in OTLP, without its resource. Default: 270, measured with five attributes."""
    bytes_per_resource: int = Field(default=330, ge=0, le=2**20, title="expected resource size", json_schema_extra={"unit": "bytes"})
    """Bytes in OTLP of the resource that a span comes with. Jaeger stores and indexes it with each span. Default: 330, the ten attributes
    that the library sends; on Kubernetes agents add up to six, some 250 bytes."""
    spans_per_trace: float = Field(default=10, ge=1, le=1e6, title="expected spans of a trace")
    """Default: 10, an order through portal, chain and provider daemon."""
    failed: Percent = Field(default=0.01, title="expected share of failed traces")
    """Default: 1 %."""
    slow: Percent = Field(default=0.01, title="expected share of slow traces")
    """Default: 1 %."""
    nodes: int = Field(default=1, ge=1, le=100_000, title="expected nodes")
    """Nodes whose agents share the load evenly; it also bounds the quota, so that agents of more than twice as many nodes would be refused.
    Required on Kubernetes, where nothing else tells it. Default: 1, the one host of other targets."""
