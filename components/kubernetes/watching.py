"""Monitoring of a backbone by the cluster's own Prometheus and Grafana."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.kubernetes.monitoring import monitoring_objects
from components.kubernetes.place import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.workload import Plan


class Monitoring(pulumi.ComponentResource):
    """Monitors, rules and dashboards, after the resources ``after``."""

    def __init__(self, name: str, plan: Plan, *, after: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("virtengine:tracing:Monitoring", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        for mapping in monitoring_objects(plan):
            place(mapping, f"{name}-{mapping['kind'].lower()}-{mapping['metadata']['name']}", child)
        self.register_outputs({"scraping": plan.monitoring.scraping})
