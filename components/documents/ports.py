"""Every port of every workload, named once. Services, probes, policies, port maps and documents all read these."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from components.workload import Port

if TYPE_CHECKING:
    from collections.abc import Mapping

OTLP_GRPC = Port("otlp-grpc", 4317, "grpc")
OTLP_HTTP = Port("otlp-http", 4318, "http")
HEALTH = Port("health", 13133, "http")
TELEMETRY = Port("telemetry", 8888, "http")
SPAN_METRICS = Port("span-metrics", 8889, "http")
STRATEGIES = Port("strategies", 5778, "http")
STRATEGIES_GRPC = Port("strategies-grpc", 5779, "grpc")
JAEGER_QUERY = Port("query", 16686, "http")
JAEGER_QUERY_GRPC = Port("query-grpc", 16685, "grpc")
TEMPO_QUERY = Port("query", 3200, "http")
TEMPO_GRPC = Port("tempo-grpc", 9095, "grpc")
TEMPO_METRICS = Port("telemetry", 3101, "http")
GRAFANA = Port("grafana", 3000, "http")
ACCESS = Port("access", 4180, "http")
ACCESS_METRICS = Port("telemetry", 44180, "http")

METRICS = (TELEMETRY.name, SPAN_METRICS.name)
"""Names of the ports on which servers serve metrics and nothing else: of their own state, then of traces."""

COPY, FLUSH = 4319, 4320
"""Ports on which a gateway calls itself, on loopback: nobody else reaches them, so they are no ports of the workload."""

BY_WORKLOAD: Mapping[str, tuple[Port, ...]] = {
    "agent": (OTLP_GRPC, OTLP_HTTP, SPAN_METRICS, HEALTH, TELEMETRY),
    "gateway": (OTLP_GRPC, OTLP_HTTP, SPAN_METRICS, HEALTH, TELEMETRY),
    "jaeger": (OTLP_GRPC, JAEGER_QUERY, JAEGER_QUERY_GRPC, HEALTH, TELEMETRY),
    "query": (JAEGER_QUERY, JAEGER_QUERY_GRPC, HEALTH, TELEMETRY),
    "tempo": (OTLP_GRPC, TEMPO_QUERY, TEMPO_GRPC, TEMPO_METRICS),
    "grafana": (GRAFANA,),
    "sampling": (STRATEGIES, STRATEGIES_GRPC, HEALTH, TELEMETRY),
    "access": (ACCESS, ACCESS_METRICS),
}
"""The ports of each workload; their numbers are those that the servers' own documentation uses."""

_APART = 10_000


def ports_of(workload: str) -> tuple[Port, ...]:
    """The ports of a workload. A store that has a name has it behind a hyphen in the names of its workloads."""
    return BY_WORKLOAD[workload.partition("-")[0]]


def ports_beside(workload: str) -> tuple[Port, ...]:
    """The same on a host that all workloads share, where those of a store with a name are ten thousand higher."""
    apart = _APART if "-" in workload else 0
    return tuple(replace(port, number=port.number + apart) for port in ports_of(workload))
