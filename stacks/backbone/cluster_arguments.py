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
    """How the cluster's Prometheus is told what to scrape: by `annotations` of the pods (`prometheus.io/scrape`, `port`, `path`), by
    `monitors`, which are PodMonitors of the Prometheus operator, or by `service-monitors`, which are ServiceMonitors, for a
    Prometheus that selects these alone; each workload then has a Service of its metrics too. Kubernetes only. Default: `off`, because
    who may scrape is named in `aggregation.scraper_namespaces`, and that has no default either."""
    remote_write: NotRequired[RemoteWrite]
    """Remote write, where no Prometheus reaches the pods: the agent of each node scrapes the backbone's pods there, and writes their
    series to a store. Kubernetes only. Default: none."""
    interval: NotRequired[str]
    """Interval at which monitors or agents have servers scraped. Default: 30 s, as the Prometheus operator's own."""
    labels: NotRequired[dict[str, str]]
    """Labels of monitors and PrometheusRules, for a Prometheus that selects by them, such as `release: prometheus`. Default: none."""
    alerts: NotRequired[bool]
    """Whether there are alerts: a PrometheusRule where `scraping` is by monitors of either kind, and the file `monitoring/alerts.yaml`
    wherever the plan is rendered. Default: true; a rule costs its evaluation alone."""
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
