"""Monitoring of a plan: the settings that placements need, and where the servers of metrics and logs are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.monitoring import Monitoring
from components.workload import Outside
from stacks.plan.backends import delivery
from stacks.plan.kafka import section_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses

RUNBOOK = "docs/operating.md"
"""Page of this repository with a section for each alert."""

_SERVICE = re.compile(r"[a-z0-9-]+\.(?P<namespace>[a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?\.?")


def monitoring(environment: Environment, addresses: Addresses) -> Monitoring:
    """The settings of monitoring that placements need."""
    section = environment.monitoring
    return Monitoring(
        scraping=section.scraping,
        interval_seconds=max(1, round(section.interval.total_seconds())),
        labels=section.labels,
        alerts=section.alerts,
        runbook=section.runbook or RUNBOOK,
        dashboard_labels=section.dashboards.labels if section.dashboards is not None else {},
        dashboards=dashboards(environment, addresses) if section.dashboards is not None else {},
    )


def dashboards(environment: Environment, addresses: Addresses) -> Mapping[str, str]:
    """The dashboards of a backbone, by the names of their files."""
    # Grafana's SDK takes long to import, and most plans have no dashboards.
    from components.dashboards.boards import Subject, boards
    from components.dashboards.panels import texts

    clustered = addresses.shape == "cluster"
    subject = Subject(
        environment.namespace,
        "agent" if clustered else "gateway",
        environment.backend.kind,
        clustered,
        environment.monitoring.exemplars,
        delivery(environment, addresses).exporter,
        topic=section_of(environment, addresses) is not None,
    )
    return texts(boards(subject))


def location(url: str | None) -> Outside:
    """The namespace of a server whose URL is that of a Service; any address for another URL, and no location without one."""
    if url is None:
        return Outside()
    found = _SERVICE.fullmatch(urlsplit(url).hostname or "")
    return Outside((found["namespace"],)) if found else Outside(anywhere=True)
