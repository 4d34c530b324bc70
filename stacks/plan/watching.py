"""Monitoring of a plan: the settings that placements need, and where the servers of metrics and logs are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.monitoring import Monitoring
from components.workload import Outside
from stacks.plan.backends import delivery
from stacks.plan.kafka import section_of
from stacks.plan.location import located, location
from stacks.plan.names import of_store
from stacks.plan.remote import remote, store_ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses

RUNBOOK = "docs/operating.md"
"""Page of this repository with a section for each alert."""


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
    from components.dashboards.boards import Stored, Subject, boards
    from components.dashboards.panels import texts

    clustered = addresses.shape == "cluster"
    stores = tuple(
        Stored(
            each.backend.kind,
            of_store(each.backend.kind, each),
            delivery(each, addresses).exporter,
            embedded=each.backend.kind == "jaeger" and each.backend.embedded,
        )
        for each in environment.stores
    )
    subject = Subject(
        environment.namespace,
        "agent" if clustered else "gateway",
        stores,
        clustered,
        environment.monitoring.exemplars,
        topic=section_of(environment, addresses) is not None,
    )
    return texts(boards(subject))


def store_location(environment: Environment) -> Outside:
    """The namespaces or networks of the servers of a store that stands elsewhere; any address where one has another name."""
    if environment.backend.kind == "otlp":
        return location(environment.backend.endpoint)
    storage = remote(environment)
    return located(host for host, _ in store_ports(storage)) if storage is not None else Outside()
