"""Remote write of metrics: the agent of a node scrapes the backbone's pods there, and writes their series to a store of metrics.

The series have the names and labels that a Prometheus with PodMonitors has, so that the same rules hold: ``namespace``, ``job`` (the
workload), ``pod`` and ``endpoint`` (the name of the port).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.documents.scraping import scrape_configs
from components.documents.text import Quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from components.documents.scraping import Page

Part = dict[str, Any]

_EXPORTER, _RECEIVER, _TOKEN, _NAMES = "prometheusremotewrite", "prometheus", "bearertokenauth/metrics", "transform/target_info"

_HIDDEN = "virtengine_target_info"
"""Name of ``target_info`` on its way through the collector, which would make attributes of a resource of it, without its labels."""


@dataclass(frozen=True, slots=True)
class OnNode:
    """The pods of a namespace on the agent's own node, of which the Kubernetes API tells, and the names of their ports with metrics."""

    namespace: str
    ports: Sequence[str]


@dataclass(frozen=True, slots=True)
class RemoteWrite:
    """The ``url`` of the store, what is scraped how often, and the paths of a bearer token and of an authority, None for no such file.

    ``tenant`` is the value of the header ``X-Scope-OrgID``, by which Mimir and Cortex tell tenants apart.
    """

    url: str
    scraped: OnNode | Sequence[Page]
    interval_seconds: int
    token: str | None
    authority: str | None
    tenant: str | None


def with_remote_write(document: Mapping[str, Any], remote: RemoteWrite) -> Part:
    """The document of a collector with the parts that scrape and write."""
    service = document["service"]
    guard: Part = {_TOKEN: {"filename": remote.token}} if remote.token else {}
    pipeline = {"receivers": [_RECEIVER], "processors": ["memory_limiter", _NAMES], "exporters": [_EXPORTER]}
    return {
        **document,
        "receivers": document["receivers"] | {_RECEIVER: {"config": {"scrape_configs": _jobs(remote)}}},
        "processors": document["processors"] | {_NAMES: _renaming()},
        "exporters": document["exporters"] | {_EXPORTER: _exporter(remote)},
        "extensions": document["extensions"] | guard,
        "service": service
        | {"extensions": [*service["extensions"], *guard], "pipelines": service["pipelines"] | {"metrics/remote": pipeline}},
    }


def _jobs(remote: RemoteWrite) -> list[Part]:
    scraped = remote.scraped
    found = [_discovered(scraped)] if isinstance(scraped, OnNode) else scrape_configs(scraped)
    hidden = _relabelled(["__name__"], "target_info", "__name__", _HIDDEN)
    return [job | {"scrape_interval": f"{remote.interval_seconds}s", "metric_relabel_configs": [hidden]} for job in found]


def _discovered(node: OnNode) -> Part:
    """The scrape configuration for pods that the Kubernetes API tells of."""
    pod = "__meta_kubernetes_pod"
    selected = {"role": "pod", "field": Quoted("spec.nodeName=${env:NODE_NAME}")}
    return {
        "job_name": "backbone",
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [node.namespace]}, "selectors": [selected]}],
        "relabel_configs": [
            {"action": "keep", "source_labels": [f"{pod}_container_port_name"], "regex": "|".join(node.ports)},
            {"action": "drop", "source_labels": [f"{pod}_phase"], "regex": "Succeeded|Failed"},
            _relabelled(["__meta_kubernetes_namespace"], "(.+)", "namespace", "$1"),
            _relabelled([f"{pod}_label_app_kubernetes_io_name"], "(.+)", "job", "$1"),
            _relabelled([f"{pod}_name"], "(.+)", "pod", "$1"),
            _relabelled([f"{pod}_container_port_name"], "(.+)", "endpoint", "$1"),
        ],
    }


def _relabelled(sources: Iterable[str], pattern: str, target: str, value: str) -> Part:
    return {"source_labels": list(sources), "regex": pattern, "target_label": target, "replacement": value}


def _renaming() -> Part:
    return {"error_mode": "propagate", "metric_statements": [f'set(metric.name, "target_info") where metric.name == "{_HIDDEN}"']}


def _exporter(remote: RemoteWrite) -> Part:
    http: Part = {"endpoint": remote.url}
    if remote.authority:
        http["tls"] = {"ca_file": remote.authority}
    if remote.token:
        http["auth"] = {"authenticator": _TOKEN}
    if remote.tenant:
        http["headers"] = {"X-Scope-OrgID": remote.tenant}
    return {
        "http": http,
        # Names are those of the pages already.
        "translation_strategy": "UnderscoreEscapingWithoutSuffixes",
        "target_info": {"enabled": False},
        "disable_scope_info": True,
        # One request at a time, because samples of a series that come out of order are refused. Metrics of an outage that lasts longer than
        # the queue are lost; spans are not held up by it.
        "remote_write_queue": {"enabled": True, "queue_size": _QUEUED, "num_consumers": 1},
        "max_batch_request_parallelism": 1,
    }


_QUEUED = 500
"""Requests that wait while the store is away, in memory; each has the pages of one scrape of one pod."""
