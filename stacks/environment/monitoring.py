"""Settings of monitoring: how servers are scraped, the alerts and dashboards, and the servers of metrics and logs that are there."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from stacks.environment.hosts import BaseUrl, HeaderIdentifier, HttpsUrl, HttpUrl
from stacks.environment.section import Section
from stacks.environment.units import Interval, LabelKey, LabelValue, ObjectName


class Dashboards(Section):
    """Dashboards as ConfigMaps, which the Grafana that is there loads by their labels."""

    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=lambda: {"grafana_dashboard": "1"}, title="label of dashboards", min_length=1
    )
    """Labels of the ConfigMaps. Default: `grafana_dashboard: "1"`, by which the sidecar of Grafana's Helm chart finds them; it has to watch
    the backbone's namespace."""


class RemoteWrite(Section):
    """Store of metrics that takes remote write of Prometheus: Mimir, Cortex, Thanos, VictoriaMetrics, or a Prometheus that receives."""

    url: HttpUrl = Field(title="store of metrics", examples=["https://mimir.example.org/api/v1/push"])
    """URL to which agents write, with the port on which the store's pods listen, because policies see that one. Required: none fits all."""
    token_secret: ObjectName | None = Field(default=None, title="token of the store of metrics", examples=["metrics-token"])
    """Secret with the entry `token`, which the stack fills and agents show as bearer token. Default: none, for a store that asks no one."""
    ca_secret: ObjectName | None = Field(default=None, title="authority of the store of metrics", examples=["metrics-ca"])
    """Secret with the entry `ca.crt`, the PEM of the authority behind the store's certificate. Default: none, the public authorities."""
    tenant: HeaderIdentifier | None = Field(default=None, title="tenant of the store of metrics", examples=["tracing"])
    """Value of the header `X-Scope-OrgID`, by which Mimir and Cortex tell tenants apart. Default: none."""


class Monitoring(Section):
    """Scraping, alerts and dashboards."""

    scraping: Literal["off", "annotations", "monitors", "service-monitors"] = Field(default="off", title="scraping of the servers")
    """How the cluster's Prometheus is told what to scrape: by `annotations` of the pods (`prometheus.io/scrape`, `port`, `path`), by
    `monitors`, which are PodMonitors of the Prometheus operator, or by `service-monitors`, which are ServiceMonitors, for a Prometheus that
    selects these alone; each workload then has a Service of its metrics too. Kubernetes only. Default: `off`, because who may scrape is
    named in `aggregation.scraper_namespaces`, and that has no default either."""
    remote_write: RemoteWrite | None = None
    """Remote write, where no Prometheus reaches the pods: the agent of each node scrapes the backbone's pods there, and writes their series
    to a store. Kubernetes only. Default: none."""
    interval: Interval = Field(default=timedelta(seconds=30), title="scrape interval")
    """Interval at which monitors or agents have servers scraped. Default: 30 s, as the Prometheus operator's own."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, title="label of monitors and rules")
    """Labels of monitors and PrometheusRules, for a Prometheus that selects by them, such as `release: prometheus`. Default: none."""
    alerts: bool = Field(default=True, title="alerts")
    """Whether there are alerts: a PrometheusRule where `scraping` is by monitors of either kind, and the file `monitoring/alerts.yaml`
    wherever the plan is rendered. Default: true; a rule costs its evaluation alone."""
    runbook: HttpsUrl | None = Field(default=None, title="page of the alerts", examples=["https://docs.example.org/tracing/operating.html"])
    """Address of the page with a section for each alert, to which its `runbook_url` leads: `docs/operating.md` of this repository, where
    you publish it. Default: none; `runbook_url` then names that file."""
    dashboards: Dashboards | None = None
    """Dashboards for a Grafana that is there. Default: none; the Grafana that comes with Tempo has them where `prometheus` is named."""
    prometheus: BaseUrl | None = Field(default=None, title="Prometheus", examples=["http://prometheus-operated.monitoring.svc:9090"])
    """URL of the Prometheus that scrapes the backbone, with the port on which its pods listen, because policies see that one. With it
    Jaeger shows its tab Monitor, and the Grafana that comes with Tempo has the dashboards and a link from each span to its metrics.
    Default: none."""
    loki: BaseUrl | None = Field(default=None, title="Loki", examples=["http://loki.logging.svc:3100"])
    """URL of the Loki with the logs of the services, with the port on which its pods listen. With it Grafana has a link from each span to
    its logs. Default: none."""
    exemplars: bool = Field(default=True, title="exemplars")
    """Whether gateways count kept traces as well, in `traces_kept_*`, with the ids of such traces as exemplars. Default: true, so that a
    point of a diagram leads to a trace that is stored; the span metrics of the agents know none, because they are of all traces."""
