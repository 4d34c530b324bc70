"""The Prometheus of production in small, asked over HTTP."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from components.alerts.rules import rules
from components.documents.collector import SET_ASIDE
from stacks.plan.addresses import OnKubernetes
from stacks.plan.plan import plan
from tests.servers.conftest import named
from tests.waiting import until

if TYPE_CHECKING:
    from tests.servers.small.conftest import Cluster

AFTER_A_FAULT = {
    "otelcol_processor_memory_limiter_refused_spans_total",
    "otelcol_exporter_enqueue_failed_spans_total",
    "otelcol_exporter_send_failed_spans_total",
    "otelcol_processor_tail_sampling_early_releases_from_cache_decision_total",
    "otelcol_connector_servicegraph_dropped_spans_total",
}
"""Counters that a collector serves from the first failure on. Their alerts are fired by their faults in ``benchmarks/alerts``."""
OF_A_FAULT = {SET_ASIDE, "otel_metric_overflow", "code"}
"""Labels of which an alert asks for a value that only a fault gives."""


def asked_for() -> list[tuple[str, str, dict[str, str]]]:
    """Each alert of prod with the metrics that it asks for, and their labels as it chooses them."""
    environment = named("prod").environment
    found = []
    for rule in rules(plan(environment, OnKubernetes(environment.namespace), name="prod")):
        for name, labels in re.findall(r"([a-z][a-z0-9_]*)\{([^}]*)\}", rule.expression):
            found.append((rule.name, name, dict(re.findall(r'(\w+)=~?"([^"]*)"', labels))))
    return found


class Prometheus:
    """Queries of the Prometheus of a running shape."""

    def __init__(self, cluster: Cluster) -> None:
        (instance,) = cluster.instances("prometheus")
        self._url = f"http://{instance.address}:{instance.ports['prometheus']}/api/v1"
        self._client = cluster.client()

    def get(self, path: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
        answer = self._client.get(f"{self._url}/{path}?{urlencode(parameters)}")
        assert answer.status == 200, answer.text
        return json.loads(answer.text)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query, those without a number left out."""
        return [found for found in self.get("query", query=expression)["result"] if found["value"][1] != "NaN"]

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}

    def fired_since(self, begin: float) -> set[str]:
        """The alerts that fired at any time since ``begin``, in seconds since 1970."""
        found = self.get("query_range", query='ALERTS{alertstate="firing"}', start=begin, end=time.time(), step=1)
        return {series["metric"]["alertname"] for series in found["result"]}

    def wait_for_all_that_alerts_ask_for(self) -> None:
        """Wait until every series is there that an alert of prod asks for, but for those that a fault brings."""
        for alert, name, labels in asked_for():
            if name in AFTER_A_FAULT:
                continue
            chosen = ",".join(f'{label}=~"{value}"' for label, value in labels.items() if label not in OF_A_FAULT)
            asked = f"{name}{{{chosen}}}"
            series = until(lambda asked=asked: self.query(asked), f"{asked} of {alert}", every=0.5)  # type: ignore[misc]
            if SET_ASIDE in labels:
                assert any(SET_ASIDE in one["metric"] for one in series), alert
