"""Plans on a cluster: the two stack files and the variants of prod with other stores."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from stacks.environment.model import KEY, Environment
from stacks.environment.parse import parse
from stacks.environment.source import ROOT, Named
from stacks.placement.manifests import kubernetes_objects
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.kubernetes.names import Object
    from components.workload import Plan

VOLUME = {"kind": "tempo", "storage": {"kind": "volume", "size": "500Gi", "storage_class": "fast-ssd"}}
BUCKET = {
    "kind": "tempo",
    "storage": {"kind": "s3", "bucket": "virtengine-traces", "endpoint": "s3.example.org", "credentials_secret": "tracing-bucket"},
}

ELSEWHERE = {
    name: yaml.safe_load((ROOT / f"tests/fixtures/Pulumi.{name}.yaml").read_text())["config"][KEY]["backend"]
    for name in ("prod-cassandra", "prod-opensearch")
}

VARIANTS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "prod": ("prod", {}),
    "prod-tempo": ("prod", {"backend": VOLUME}),
    "prod-tempo-s3": ("prod", {"backend": BUCKET}),
    "prod-cassandra": ("prod", {"backend": ELSEWHERE["prod-cassandra"]}),
    "prod-opensearch": ("prod", {"backend": ELSEWHERE["prod-opensearch"]}),
    "dev": (
        "dev",
        {
            "target": {"kind": "kubernetes", "context": "test"},
            "ingest": {"namespaces": ["services"]},
            "load": {"spans_per_second": 20, "nodes": 1},
        },
    ),
}
"""A stack file and the sections of it that are replaced."""

FURTHER: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "prod-otlp": ("prod", {name: samples.settings("prod-otlp").get(name) for name in ("backend", "collectors", "access")}),
    "prod-tempo-azure": ("prod", {"backend": BUCKET | {"storage": samples.AZURE}}),
    "prod-move": ("prod", {"backend": samples.settings("prod-move")["backend"]}),
}
"""Variants that a real API server alone is asked for: before a store that is there already with Kafka, on Azure, and with two stores."""


def settings(variant: str, **sections: object) -> dict[str, Any]:
    """The settings of a variant with more sections replaced."""
    base, changed = {**VARIANTS, **FURTHER}[variant]
    stored: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{base}.yaml").read_text())["config"][KEY]
    return {**stored, **changed, **sections}


def environment(variant: str, **sections: object) -> Environment:
    return parse(settings(variant, **sections), source="test", name=variant)


@cache
def planned(variant: str) -> Plan:
    return planned_with(variant)


def planned_with(variant: str, **sections: object) -> Plan:
    named = Named(variant, "test", environment(variant, **sections))
    return plan(named.environment, addresses_of(named), name=variant)


def objects(plan_: Plan) -> list[Object]:
    """Every object of a plan."""
    return [mapping for group in kubernetes_objects(plan_).values() for mapping in group]


def of_kind(found: list[Object], *kinds: str) -> list[Object]:
    return [mapping for mapping in found if mapping["kind"] in kinds]


def templates(found: list[Object]) -> dict[str, Object]:
    """The pod template of each workload and job."""
    jobs = {m["metadata"]["name"]: m["spec"]["jobTemplate"]["spec"]["template"] for m in of_kind(found, "CronJob")}
    return {m["metadata"]["name"]: m["spec"]["template"] for m in of_kind(found, "Deployment", "StatefulSet", "DaemonSet")} | jobs
