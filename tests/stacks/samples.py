"""Environments to test with: the two stack files, variants of prod on other stores, and changes of any of them."""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from components.documents.ports import BY_WORKLOAD
from stacks.environment.model import KEY
from stacks.environment.parse import parse
from stacks.environment.source import ROOT, Named
from stacks.plan.addresses import InSmall, OnDocker, OnKubernetes, OnThisMachine
from stacks.plan.plan import plan

if TYPE_CHECKING:
    from pathlib import Path

    from components.workload import Plan
    from stacks.plan.addresses import Addresses

FILES: Mapping[str, Path] = {
    "dev": ROOT / "Pulumi.dev.yaml",
    "prod": ROOT / "Pulumi.prod.yaml",
    "prod-tempo": ROOT / "tests/fixtures/Pulumi.prod-tempo.yaml",
    "prod-tempo-s3": ROOT / "tests/fixtures/Pulumi.prod-tempo-s3.yaml",
    "prod-cassandra": ROOT / "tests/fixtures/Pulumi.prod-cassandra.yaml",
    "prod-opensearch": ROOT / "tests/fixtures/Pulumi.prod-opensearch.yaml",
}

FURTHER: Mapping[str, Path] = {name: ROOT / f"tests/fixtures/Pulumi.{name}.yaml" for name in ("prod-otlp", "prod-move")}
"""Files with golden documents that are not tried on every target: with Kafka before a store that is there already, and with two stores."""

GCS = {"kind": "gcs", "bucket": "virtengine-traces", "service_account_annotations": {"iam.gke.io/gcp-service-account": "tracing"}}
AZURE = {
    "kind": "azure",
    "account": "virtenginetraces",
    "bucket": "traces",
    "service_account_annotations": {"azure.workload.identity/client-id": "0"},
}
"""Storages of Tempo besides those of the files."""

ABSENT = object()
"""Stands for a key that is taken away."""

Key = str | tuple[str, ...]
Changes = Mapping[Any, object]
"""New values by ``Key``; a mapping's own keys cannot be typed as a union that a mapping of plain texts would fit."""


@cache
def _stored(name: str) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load({**FILES, **FURTHER}[name].read_text())["config"][KEY]
    return settings


def settings(base: str = "prod", changes: Changes | None = None) -> dict[str, Any]:
    """The settings of a file with some of them changed; a key is a path with dots, or a tuple where names hold dots."""
    tree = copy.deepcopy(_stored(base))
    for key, value in (changes or {}).items():
        *above, last = key.split(".") if isinstance(key, str) else key
        node = tree
        for part in above:
            node = node.setdefault(part, {})
        if value is ABSENT:
            del node[last]
        else:
            node[last] = value
    return tree


def text(tree: object) -> str:
    """A stack file with these settings."""
    return yaml.safe_dump({"config": {KEY: tree}}, sort_keys=False, allow_unicode=True)


def named(base: str = "prod", changes: Changes | None = None, *, name: str = "sample") -> Named:
    return Named(name, f"Pulumi.{name}.yaml", parse(settings(base, changes), source=f"Pulumi.{name}.yaml", name=name))


@cache
def numbers() -> Mapping[tuple[str, str], int]:
    """Ports of a local run, each number given once."""
    names = [(workload, port.name) for workload, ports in BY_WORKLOAD.items() for port in ports]
    return {name: 21_000 + index for index, name in enumerate(names)}


def addresses() -> Mapping[str, tuple[str, ...]]:
    """Addresses of the shape of a cluster on one machine: three of each workload, each given once."""
    return {name: (f"127.64.0.{index}", f"127.64.1.{index}", f"127.64.2.{index}") for index, name in enumerate(BY_WORKLOAD, start=10)}


TARGETS: Mapping[str, Addresses] = {
    "kubernetes": OnKubernetes("virtengine-observability"),
    "docker": OnDocker("virtengine-observability"),
    "local": OnThisMachine("/state/sample", numbers()),
    "small": InSmall("/state/sample", addresses()),
}


def planned(base: str = "prod", target: str = "kubernetes", changes: Changes | None = None) -> Plan:
    return plan(named(base, changes).environment, TARGETS[target], name="sample") if changes else _unchanged(base, target)


@cache
def _unchanged(base: str, target: str) -> Plan:
    return plan(named(base).environment, TARGETS[target], name="sample")


def document(plan_: Plan, workload: str, name: str) -> str:
    """The text of a document of a plan."""
    return next(d.text for d in plan_.workload(workload).documents if d.name == name)


def git(folder: Path, *arguments: str) -> None:
    """Run git as nobody in particular, whatever the person who runs the tests has configured."""
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
    alone = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"} | who
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=alone)
