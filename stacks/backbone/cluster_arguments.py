"""Types of the settings of a component; `make reference` writes them from the schema."""

from typing import NotRequired, TypedDict


class Toleration(TypedDict):
    """A taint of nodes on which pods may run all the same."""

    key: NotRequired[str]
    """Key of the taint. Default: none, every key."""
    value: NotRequired[str]
    """Value of the taint, together with `key`. Default: none, every value."""
    effect: NotRequired[str]
    """Effect of the taint. Default: none, every effect."""


class NodeAffinity(TypedDict):
    """A condition on the labels of the nodes where pods run."""

    key: str
    """Label of the node. Required."""
    operator: NotRequired[str]
    """Comparison of the label's value with `values`. Default: `In`."""
    values: NotRequired[list[str]]
    """Values to compare with: one or more with `In` and `NotIn`, one whole number with `Gt` and `Lt`, none with the others. Default:
    none."""
    weight: NotRequired[int]
    """Weight of a preference, 1 to 100. Default: none, which makes it a condition: without such a node the pod waits."""


class PodAffinity(TypedDict):
    """A condition on the pods beside which pods run, or from which they stay away."""

    labels: dict[str, str]
    """Labels of those pods. Default: none, which is refused, because they would be all pods."""
    namespaces: NotRequired[list[str]]
    """Namespaces of those pods. Default: none, the backbone's own."""
    topology_key: NotRequired[str]
    """Node label whose value two nodes share that count as one place. Default: `kubernetes.io/hostname`, each node by itself."""
    apart: NotRequired[bool]
    """Whether to stay away from those pods or to be where they are. Default: true, because neighbours that take much of a node are the
    usual reason."""
    weight: NotRequired[int]
    """Weight of a preference, 1 to 100. Default: none, which makes it a condition: without such a place the pod waits."""


class Pods(TypedDict):
    """Rules for the pods of a workload on a cluster.

    Those of `target.pods` hold for every workload; a workload's own come beside them, and win where both say something of one name.
    """

    priority_class: NotRequired[str]
    """PriorityClass of the pods. Kubernetes only. Default: none, the cluster's own default; for agents one above the services' is worth
    having, since a node that is full evicts them otherwise."""
    node_selector: NotRequired[dict[str, str]]
    """Labels that a node must have. Kubernetes only. Default: none beside `kubernetes.io/os: linux`, which every workload has."""
    tolerations: NotRequired[dict[str, Toleration]]
    """Taints of nodes on which the pods may run, by a name of yours. Kubernetes only. Default: none, for agents too beside the taints of
    nodes under pressure, which Kubernetes adds; services on nodes with a taint that agents do not tolerate reach no agent, and
    `preview` names those nodes."""
    node_affinity: NotRequired[dict[str, NodeAffinity]]
    """Conditions on the labels of nodes, by a name of yours; all of those without a weight must hold. Kubernetes only. Default: none."""
    pod_affinity: NotRequired[dict[str, PodAffinity]]
    """Conditions on other pods nearby, by a name of yours. Kubernetes only. Default: none; replicas of a workload are on nodes of their
    own without it."""
    zones: NotRequired[str]
    """Spread of replicas over zones (`topology.kubernetes.io/zone`). Kubernetes only. Default: `preferred`, so that a zone that is lost
    takes a share of the replicas; `required` lets a replica wait rather than share a zone that has more than others."""
    log_space: NotRequired[str]
    """Bytes on the node for the log of a pod, beside its volumes, which together are its request and limit of ephemeral storage.
    Kubernetes only. Default: 128Mi; a kubelet keeps 5 files of 10Mi unless it is told otherwise."""


class ExternalSecrets(TypedDict):
    """Secrets that the External Secrets Operator fills from a store, so that the stack file holds none of them."""

    store: str
    """Name of the store. Required."""
    kind: NotRequired[str]
    """`ClusterSecretStore`, or `SecretStore` in the backbone's namespace. Default: `ClusterSecretStore`, since that namespace is made
    with the backbone."""
    refresh: NotRequired[str]
    """Interval at which the store is read. Default: 1 h, as the operator's own. Pods that read an entry at their start have to be
    restarted by whoever rotates it."""
    secrets: dict[str, str]
    """Key of the store by the name of the Secret, which takes each of its entries from the property of that name. Default: none, which
    is refused, because a store would then be for nothing."""


class Disk(TypedDict):
    """A volume."""

    size: str
    """Bytes asked of the storage class. Required of the volume of the traces, since it follows from the load and the retention, which
    `check` multiplies for you; a queue and a log have a default."""
    storage_class: NotRequired[str]
    """Storage class of the claim. Kubernetes only. Default: the cluster's own default class."""


class Resources(TypedDict):
    """CPU and memory of one replica of a server."""

    cpu: NotRequired[str]
    """CPU requested, in cores; never capped, since a throttled server looks like a slow network. Default: a tenth of a core."""
    memory: NotRequired[str]
    """Memory requested and capped, in bytes; the Go runtime is told four fifths of it, or of a collector's memory limit. Default: 256Mi,
    enough for an idle server."""


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
    """CPU requested, in cores; never capped, since a throttled server looks like a slow network. Default: a tenth of a core."""
    memory: NotRequired[str]
    """Memory requested and capped, in bytes; the Go runtime is told four fifths of it, or of a collector's memory limit. Default: 256Mi,
    enough for an idle server."""
    scraped: NotRequired[bool]
    """Whether the namespaces that may scrape reach Grafana's port. Default: false, because its metrics are on the port of its pages, and
    who reaches that past the login sees every trace."""
    pods: NotRequired[Pods]
    """Rules for the pods of Grafana. Default: those of `target.pods`."""


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
    would have its default of partitions. Default: the namespace and `.spans`."""
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


class RemoteWrite(TypedDict):
    """Store of metrics that takes remote write of Prometheus: Mimir, Cortex, Thanos, VictoriaMetrics, or a Prometheus that receives."""

    url: str
    """URL to which agents write, with the port on which the store's pods listen, because policies see that one. Required: none fits all."""
    token_secret: NotRequired[str]
    """Secret with the entry `token`, which the stack fills and agents show as bearer token. Default: none, for a store that asks no one."""
    ca_secret: NotRequired[str]
    """Secret with the entry `ca.crt`, the PEM of the authority behind the store's certificate. Default: none, the public authorities."""
    tenant: NotRequired[str]
    """Value of the header `X-Scope-OrgID`, by which Mimir and Cortex tell tenants apart. Default: none."""


class Dashboards(TypedDict):
    """Dashboards as ConfigMaps, which the Grafana that is there loads by their labels."""

    labels: NotRequired[dict[str, str]]
    """Labels of the ConfigMaps. Default: `grafana_dashboard: "1"`, by which the sidecar of Grafana's Helm chart finds them; it has to
    watch the backbone's namespace."""


class Monitoring(TypedDict):
    """Scraping, alerts and dashboards."""

    scraping: NotRequired[str]
    """How the cluster's Prometheus is told what to scrape: by `annotations` of the pods (`prometheus.io/scrape`, `port`, `path`), or by
    `monitors`, which are PodMonitors of the Prometheus operator. Kubernetes only. Default: `off`, because who may scrape is named in
    `aggregation.scraper_namespaces`, and that has no default either."""
    remote_write: NotRequired[RemoteWrite]
    """Remote write, where no Prometheus reaches the pods: the agent of each node scrapes the backbone's pods there, and writes their
    series to a store. Kubernetes only. Default: none."""
    interval: NotRequired[str]
    """Interval at which PodMonitors or agents have servers scraped. Default: 30 s, as the Prometheus operator's own."""
    labels: NotRequired[dict[str, str]]
    """Labels of PodMonitors and PrometheusRules, for a Prometheus that selects by them, such as `release: prometheus`. Default: none."""
    alerts: NotRequired[bool]
    """Whether there are alerts: a PrometheusRule where `scraping` is `monitors`, and the file `monitoring/alerts.yaml` wherever the plan
    is rendered. Default: true; a rule costs its evaluation alone."""
    runbook: NotRequired[str]
    """Address of the page with a section for each alert, to which its `runbook_url` leads: `docs/operating.md` of this repository, where
    you publish it. Default: none; `runbook_url` then names that file."""
    dashboards: NotRequired[Dashboards]
    """Dashboards for a Grafana that is there. Default: none; the Grafana that comes with Tempo has them where `prometheus` is named."""
    prometheus: NotRequired[str]
    """URL of the Prometheus that scrapes the backbone, with the port on which its pods listen, because policies see that one. With it
    Jaeger shows its tab Monitor, and the Grafana that comes with Tempo has the dashboards and a link from each span to its metrics.
    Default: none."""
    loki: NotRequired[str]
    """URL of the Loki with the logs of the services, with the port on which its pods listen. With it Grafana has a link from each span
    to its logs. Default: none."""
    exemplars: NotRequired[bool]
    """Whether gateways count kept traces as well, in `traces_kept_*`, with the ids of such traces as exemplars. Default: true, so that a
    point of a diagram leads to a trace that is stored; the span metrics of the agents know none, because they are of all traces."""


class GatewayReference(TypedDict):
    """A Gateway of the Gateway API, by which browsers come in.

    It is its owner's, who lets routes of this namespace attach to it.
    """

    name: str
    """Name of the Gateway. Required."""
    namespace: str
    """Namespace of the Gateway. Required."""
    listener: NotRequired[str]
    """Name of its listener for HTTPS, whose certificate covers the host. Default: none, every listener that takes the host."""


class Issuer(TypedDict):
    """An issuer of cert-manager."""

    name: str
    """Name of the issuer. Required."""
    kind: NotRequired[str]
    """`ClusterIssuer`, or `Issuer` in the backbone's namespace. Default: `ClusterIssuer`, because that namespace is made with the
    backbone."""
