"""Scrape configurations of Prometheus for servers with fixed addresses.

Their series have the labels that a PodMonitor gives on a cluster, so that the same rules hold: ``namespace``, ``job`` (the workload),
``pod`` (the instance) and ``endpoint`` (the name of the port).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Page:
    """A page of metrics of an instance of a workload, at ``path`` of ``address``, which is ``host:port``."""

    namespace: str
    workload: str
    instance: str
    endpoint: str
    address: str
    path: str = "/metrics"


def scrape_configs(pages: Sequence[Page]) -> list[dict[str, Any]]:
    """The entries of ``scrape_configs``, one for each page of a workload."""
    jobs = dict.fromkeys((page.workload, page.endpoint, page.path) for page in pages)
    return [
        {
            "job_name": f"{workload}-{endpoint}",
            "metrics_path": path,
            "static_configs": [_target(page) for page in pages if (page.workload, page.endpoint) == (workload, endpoint)],
        }
        for workload, endpoint, path in jobs
    ]


def _target(page: Page) -> dict[str, Any]:
    labels = {"namespace": page.namespace, "job": page.workload, "pod": page.instance, "endpoint": page.endpoint}
    return {"targets": [page.address], "labels": labels}
