"""Monitoring of a backbone: how its servers are scraped, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Scraping = Literal["off", "annotations", "monitors", "service-monitors"]
"""Form in which a Prometheus is told what to scrape: none, annotations of pods, or PodMonitors or ServiceMonitors of the Prometheus
operator."""


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Settings of monitoring that placements need.

    ``labels`` are on monitors and PrometheusRules, because a Prometheus selects these by labels. ``alerts`` says whether there are
    rules at all, ``runbook`` is the URL of the page with a section for each. ``dashboards`` are files of dashboards by their names, for
    ConfigMaps with ``dashboard_labels``, by which a Grafana that is no part of the plan finds them; there are none without such labels.
    """

    scraping: Scraping = "off"
    interval_seconds: int = 30
    labels: Mapping[str, str] = field(default_factory=dict)
    alerts: bool = True
    runbook: str = ""
    dashboard_labels: Mapping[str, str] = field(default_factory=dict)
    dashboards: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_operator(self) -> bool:
        """Whether the objects are those of the Prometheus operator."""
        return self.scraping in {"monitors", "service-monitors"}
