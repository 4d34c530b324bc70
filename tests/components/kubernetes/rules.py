"""Settings of a cluster with rules of its own: every one of them set."""

from __future__ import annotations

from typing import Any

from tests.components.kubernetes import plans

ROUTED = {"name": "public", "namespace": "gateways", "listener": "https"}
ISSUER = {"name": "company", "kind": "ClusterIssuer"}
STORED = {"store": "vault", "kind": "SecretStore", "refresh": "15m", "secrets": {"tracing-access": "tracing/login", "mirror": "registry"}}
IDENTITY = {
    "kind": "tempo",
    "storage": {
        "kind": "s3",
        "bucket": "virtengine-traces",
        "endpoint": "storage.example.org",
        "port": 9000,
        "ca_secret": "storage-ca",
        "service_account_annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/tracing"},
    },
    "grafana": {"scraped": True},
}
WATCHED = {
    "scraping": "monitors",
    "interval": "15s",
    "labels": {"release": "prometheus", "example.org/team": "tracing"},
    "runbook": "https://docs.example.org/tracing/operating.html",
    "dashboards": {"labels": {"grafana_dashboard": "1"}},
    "prometheus": "http://prometheus-operated.monitoring.svc:9090",
    "loki": "https://logs.example.org",
    "remote_write": {
        "url": "https://mimir.metrics.svc:8443/api/v1/push",
        "token_secret": "metrics-token",
        "ca_secret": "metrics-ca",
        "tenant": "tracing",
    },
}
PODS: dict[str, Any] = {
    "priority_class": "business-critical",
    "node_selector": {"example.org/pool": "tracing"},
    "tolerations": {
        "pool": {"key": "dedicated", "value": "tracing", "effect": "NoSchedule"},
        "gpu": {"key": "nvidia.com/gpu"},
        "all that evicts": {"effect": "NoExecute"},
    },
    "node_affinity": {
        "not spot": {"key": "example.org/lifecycle", "operator": "NotIn", "values": ["spot"]},
        "disk": {"key": "example.org/disk-gb", "operator": "Gt", "values": ["100"]},
        "new": {"key": "example.org/generation", "operator": "Exists", "weight": 10},
    },
    "pod_affinity": {
        "database": {"labels": {"app": "database"}, "namespaces": ["data"]},
        "cache": {"labels": {"app": "cache"}, "apart": False, "topology_key": "topology.kubernetes.io/zone", "weight": 100},
    },
    "zones": "required",
    "log_space": "512Mi",
}
TARGET: dict[str, Any] = {
    "kind": "kubernetes",
    "context": "test",
    "labels": {"example.org/cost-centre": "4711", "team": ""},
    "annotations": {"example.org/contact": "tracing@example.org: day and night"},
    "addresses": "dual",
    "pods": PODS,
    "external_secrets": STORED,
}


def settings(**more: object) -> dict[str, object]:
    """Sections of production with every setting that only a cluster has."""
    stored = plans.settings("prod")
    access = {name: value for name, value in stored["access"].items() if name not in {"tls_secret", "ingress_class"}}
    sampling = stored["sampling"] | {"strategies": stored["sampling"]["strategies"] | {"replicas": 2}}
    ingest = stored["ingest"] | {"namespace_labels": {"example.org/tracing": "on"}, "certificate": ISSUER, "instrumentation": True}
    sections = {
        "target": TARGET,
        "backend": IDENTITY,
        "access": access | {"gateway": ROUTED, "replicas": 3},
        "ingest": ingest,
        "sampling": sampling,
        "images": {"pull_secret": "mirror"},
        "monitoring": WATCHED,
    }
    return sections | more
