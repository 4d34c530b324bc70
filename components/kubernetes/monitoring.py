"""Objects of monitoring: monitors or annotated Services for what is scraped, a PrometheusRule with the alerts, and dashboards.

Source: https://prometheus-operator.dev/docs/api-reference/api/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alerts.file import groups
from components.alerts.rules import rules
from components.kubernetes.names import FAMILIES, common_metadata, metadata, selector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.kubernetes.names import Object
    from components.workload import Metrics, Plan, Workload

_OPERATOR = "monitoring.coreos.com/v1"
_OF_METRICS = {"app.kubernetes.io/component": "metrics"}
"""Label that tells the Service of a workload's metrics from its others."""


def monitoring_objects(plan: Plan) -> list[Object]:
    """The objects by which a Prometheus and a Grafana of the cluster watch a backbone."""
    return [*_scraped(plan), *_alerts(plan), *_dashboards(plan)]


def scrape_annotations(plan: Plan, workload: Workload) -> Mapping[str, str]:
    """Annotations of the pods of a workload; a pod has room for one page, which is its own state."""
    return _annotations(workload, workload.metrics[0]) if plan.monitoring.scraping == "annotations" and workload.metrics else {}


def _annotations(workload: Workload, page: Metrics) -> dict[str, str]:
    number = workload.port(page.port).number
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(number), "prometheus.io/path": page.path}


def _scraped(plan: Plan) -> Iterator[Object]:
    for workload in plan.workloads:
        if plan.monitoring.scraping == "monitors" and workload.metrics:
            yield _pod_monitor(plan, workload)
        if plan.monitoring.scraping == "service-monitors" and workload.metrics:
            yield _metrics_service(plan, workload)
            yield _service_monitor(plan, workload)
        if plan.monitoring.scraping == "annotations":
            yield from (_page(plan, workload, page) for page in workload.metrics[1:])


def _pod_monitor(plan: Plan, workload: Workload) -> Object:
    """PodMonitor of a workload."""
    return _monitor(plan, workload, "PodMonitor", selector(workload), "podMetricsEndpoints")


def _service_monitor(plan: Plan, workload: Workload) -> Object:
    """ServiceMonitor of a workload, for the Service of its metrics alone: another of its Services may have the same port."""
    return _monitor(plan, workload, "ServiceMonitor", selector(workload) | _OF_METRICS, "endpoints")


def _monitor(plan: Plan, workload: Workload, kind: str, selected: Mapping[str, str], endpoints: str) -> Object:
    """Monitor whose series have the labels namespace, job (the workload), pod, and endpoint (the port)."""
    seconds = plan.monitoring.interval_seconds
    spec: Object = {
        "jobLabel": "app.kubernetes.io/name",
        "selector": {"matchLabels": selected},
        endpoints: [{"port": page.port, "path": page.path, "interval": f"{seconds}s"} for page in workload.metrics],
    }
    return {"apiVersion": _OPERATOR, "kind": kind, "metadata": _labelled(plan, metadata(plan, workload)), "spec": spec}


def _metrics_service(plan: Plan, workload: Workload) -> Object:
    """Service without an address for the pages of metrics of each pod, those that are not ready included: an alert tells of them."""
    head = metadata(plan, workload, f"{workload.name}-metrics", {"pulumi.com/skipAwait": "true"})
    return _headless(plan, workload, head | {"labels": head["labels"] | _OF_METRICS}, workload.metrics, publishNotReadyAddresses=True)


def _page(plan: Plan, workload: Workload, page: Metrics) -> Object:
    """Service without an address for a further page of metrics of each pod."""
    head = metadata(plan, workload, f"{workload.name}-{page.port}", {**_annotations(workload, page), "pulumi.com/skipAwait": "true"})
    return _headless(plan, workload, head, (page,))


def _headless(plan: Plan, workload: Workload, head: Object, pages: Sequence[Metrics], **more: object) -> Object:
    ports = [{"name": page.port, "port": workload.port(page.port).number, "targetPort": page.port, "protocol": "TCP"} for page in pages]
    spec: Object = {"type": "ClusterIP", "clusterIP": "None", "selector": selector(workload), "ports": ports, **FAMILIES[plan.addresses]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": head, "spec": spec | more}


def _alerts(plan: Plan) -> Iterator[Object]:
    if plan.monitoring.by_operator and plan.monitoring.alerts:
        head = _labelled(plan, common_metadata(plan, "alerts", plan.namespace))
        yield {"apiVersion": _OPERATOR, "kind": "PrometheusRule", "metadata": head, "spec": groups(plan, rules(plan))}


def _dashboards(plan: Plan) -> Iterator[Object]:
    for name, text in plan.monitoring.dashboards.items():
        head = common_metadata(plan, f"dashboard-{name.removesuffix('.json')}", plan.namespace)
        labels = {**plan.monitoring.dashboard_labels, **head["labels"]}
        # A sidecar writes all dashboards of a cluster into one folder.
        data = {f"{plan.namespace}-{name}": text}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": head | {"labels": labels}, "data": data}


def _labelled(plan: Plan, head: Object) -> Object:
    # What the user selects by cannot change whose object it is.
    return head | {"labels": {**plan.monitoring.labels, **head["labels"]}}
