"""For each setting of the schema a pair of environments that differ in it alone, made from the setting's type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stacks.changes.diff import leaves
from stacks.environment.model import Environment
from stacks.environment.parse import BadEnvironmentError, parse
from stacks.environment.schema import settings
from stacks.environment.sizing import too_small
from stacks.environment.source import Named
from tests.components.kubernetes import plans, rules
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stacks.environment.schema import Setting

RICH = {
    "sampling.strategies.services.orders": {"traces_per_second": 20},
    "images": {"registry": "registry.example.org/mirror", "digests": {"jaeger": "sha256:" + "1" * 64}},
}
"""What prod does not need and a setting may be about."""


PLAIN: samples.Changes = {
    "backend": {"kind": "otlp", "endpoint": "http://store.example.org:4317", "ui_url": "http://ui.example.org"},
    "collectors.kafka": {"servers": ["kafka.example.org:9092"], "tls": False, "sasl": {"secret": "tracing-kafka"}},
}
"""A store and a Kafka without TLS."""

SCALED: samples.Changes = {"collectors.gateway.autoscaling": {"max_replicas": 12, "lag": 10_000}}
"""Gateways of a topic that are as many as the load asks for."""

LIMITS = {"trace_size": "50M", "intake_rate": "50M", "burst": "50M", "search_range": "7d"}


def ruled(backend: str = "tempo") -> dict[str, Any]:
    """Every setting that only a cluster has, with rules for the pods of each workload."""
    sections: dict[str, Any] = rules.settings()
    pods = {"pods": rules.PODS}
    stored = plans.settings("prod")
    sections["backend"] = sections["backend"] | pods | {"grafana": {"scraped": True} | pods}
    if backend == "cassandra":
        sections["backend"] = plans.settings("prod-cassandra")["backend"] | {
            "query": pods,
            "autoscaling": {"max_replicas": 4, "queue": "1Gi"},
        }
    if backend == "jaeger":
        sections["backend"] = stored["backend"] | pods
        sections["access"] = stored["access"] | {"certificate": rules.ISSUER}
    sections["access"] |= pods
    sections["collectors"] = {name: section | pods for name, section in stored["collectors"].items()}
    sections["sampling"] = sections["sampling"] | {"strategies": sections["sampling"]["strategies"] | pods}
    return sections


@dataclass(frozen=True)
class Pair:
    """Two environments, the path in which they differ and what stands there."""

    old: Named
    new: Named
    path: tuple[str, ...]
    was: object
    becomes: object


def each_once() -> list[Setting]:
    """Every setting; those of a second store are those of the backend, and stand once."""
    return [setting for setting in settings() if setting.path[:3] != ("backend", "also", "store")]


@cache
def bases() -> Mapping[str, Environment]:
    """Environments that together hold every setting."""
    return {
        "dev": samples.named("dev").environment,
        "prod": samples.named("prod", RICH).environment,
        "prod-tempo": samples.named("prod-tempo").environment,
        "prod-tempo-s3": samples.named("prod-tempo-s3").environment,
        "prod-cassandra": samples.named("prod-cassandra", {"backend.storage.keyspace": "jaeger"}).environment,
        "prod-opensearch": samples.named("prod-opensearch", {"backend.storage.index_prefix": "traces"}).environment,
        "prod-otlp": samples.named("prod-otlp").environment,
        "prod-otlp scaled": samples.named("prod-otlp", SCALED).environment,
        "prod-move": samples.named("prod-move").environment,
        "prod-otlp without TLS": samples.named("prod-otlp", PLAIN).environment,
        "prod-tempo-gcs": samples.named("prod-tempo-s3", {"backend.storage": samples.GCS, "backend.limits": LIMITS}).environment,
        "prod-tempo-azure": samples.named("prod-tempo-s3", {"backend.storage": samples.AZURE}).environment,
        "prod-tempo-azure of a node": samples.named(
            "prod-tempo-s3", {"backend.storage": samples.AZURE | {"identity": "node", "client_id": "0"}}
        ).environment,
        "ruled before OpenSearch": samples.named("prod-opensearch", {"backend.query.pods": rules.PODS}).environment,
        "ruled": parse(plans.settings("prod", **ruled()), source="ruled", name="ruled"),
        "ruled by an Ingress": parse(plans.settings("prod", **ruled("jaeger")), source="ruled", name="ruled"),
        "ruled before Cassandra": parse(plans.settings("prod", **ruled("cassandra")), source="ruled", name="ruled"),
        "local": samples.named("dev", {"target": {"kind": "local"}}).environment,
    }


@cache
def _dumped(base: str) -> dict[str, Any]:
    return bases()[base].model_dump(mode="json")


def candidates(shape: Mapping[str, Any], was: object) -> Iterator[object]:  # noqa: C901, PLR0912 - one branch for each type
    """Other values of the type that a schema describes, for want of knowing the rules that bind it."""
    for variant in shape.get("anyOf", [shape]):
        kind, pattern = variant.get("type"), variant.get("pattern", "")
        if kind == "boolean":
            yield not was
        elif "enum" in variant:
            yield from variant["enum"]
        elif kind in {"integer", "number"}:
            number = was if isinstance(was, int | float) else variant.get("minimum", 1)
            yield from (number + 1, number * 2, max(number - 1, 1))
        elif kind == "array":
            items = variant["items"]
            item = next(candidates(items, None))
            yield [*was, item] if isinstance(was, list) else [item]
        elif kind == "string" and "(ms|s|m|h|d)" in pattern:
            yield from ("59s", "61s", "7s", "11s", "41d", "13d")
        elif kind == "string" and pattern.endswith(" ?%$"):
            yield from ("41 %", "7 %", "61 %")
        elif kind == "string" and "Ki" in pattern:
            yield from ("900Gi", "3Gi", "64Ki")
        elif kind == "string" and r"(m|" in pattern:
            yield "1700m"
        elif kind == "string" and "sha256" in pattern:
            yield "sha256:" + "2" * 64
        elif kind == "string" and variant.get("format") == "hostname":
            yield "other.example.org"
        elif kind == "string" and variant.get("format") == "uri":
            yield "https://other.example.org/realm"
        elif kind == "string" and ":([0-9]" in pattern:
            yield "other.example.org:9999"
        elif kind == "string" and variant.get("format") == "date":
            yield "2026-12-24"
        elif kind == "string" and "/" in str(variant.get("examples", "")):
            yield "10.9.0.0/16"
        elif kind == "string" and "const" not in variant and (not pattern or re.search(pattern, "other")):
            yield "other"


def _changed(tree: dict[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    head, *rest = path
    return tree | {head: _changed(tree[head], tuple(rest), value) if rest else value}


def _at(tree: object, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON
    for part in path:
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _environment(tree: dict[str, Any], *, rules: bool) -> Environment | None:
    try:
        environment = parse(tree, source="mutated", name="mutated") if rules else Environment.model_validate(tree)
    except (BadEnvironmentError, ValidationError):
        return None
    return None if rules and list(too_small(environment)) else environment


def _matching(setting: Setting, tree: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], object]]:
    for path, value in leaves(tree):
        if len(path) == len(setting.path) and all(want in {"*", part} for want, part in zip(setting.path, path, strict=True)):
            yield path, value


def _values(setting: Setting, path: tuple[str, ...], was: object) -> Iterator[tuple[tuple[str, ...], object]]:
    """Where something is put in place, and what: another kind comes with the section that it belongs to."""
    if "const" not in setting.shape:
        yield from ((path, value) for value in candidates(setting.shape, was) if value != was)
        return
    for base in bases():
        section = _at(_dumped(base), path[:-1])
        if isinstance(section, dict) and section["kind"] != was:
            yield path[:-1], section


def pair(setting: Setting) -> Pair | None:
    """A change of that setting which the rules allow, or None where none was found."""
    # The replicas of a backend have one value today that no rule refuses, and a sentence all the same.
    return _pair(setting, rules=True) or _pair(setting, rules=False)


def _pair(setting: Setting, *, rules: bool) -> Pair | None:
    for base in bases():
        tree = _dumped(base)
        for path, was in _matching(setting, tree):
            for place, value in _values(setting, path, was):
                environment = _environment(_changed(tree, place, value), rules=rules)
                if environment is not None:
                    becomes = _at(environment.model_dump(mode="json"), path)
                    old, new = (Named("sample", "Pulumi.sample.yaml", side) for side in (bases()[base], environment))
                    return Pair(old, new, path, was, becomes)
    return None
