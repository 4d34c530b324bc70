"""The alerts of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alerts.backends import backends
from components.alerts.cluster import cluster
from components.alerts.pipeline import pipeline
from components.alerts.rule import Times
from components.alerts.servers import down, restarts
from components.alerts.traces import traces
from components.alerts.transport import transport

if TYPE_CHECKING:
    from components.alerts.rule import Rule
    from components.workload import Plan


def rules(plan: Plan, times: Times | None = None) -> tuple[Rule, ...]:
    """The alerts of each server, queue, exporter, processor, claim and certificate of a plan, with their times scaled."""
    scale = times or Times()
    return tuple(rule for kind in (down, restarts, pipeline, transport, traces, backends, cluster) for rule in kind(plan, scale))
