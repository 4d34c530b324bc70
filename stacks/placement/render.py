"""The plan, its documents and its Kubernetes objects as files, byte for byte the same for the same environment."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

from components.alerts.file import rules_file, trials_file
from components.alerts.rules import rules
from components.documents.scraping import Page, scrape_configs
from components.documents.text import yaml_text
from components.local.instances import LOOPBACK
from stacks.placement.manifests import FOLDER, manifests
from stacks.plan.addresses import OnDocker
from stacks.plan.plan_text import plan_json

if TYPE_CHECKING:
    from pathlib import Path

    from components.workload import Plan

MONITORING, ALERTS = "monitoring", "alerts.yaml"
"""The folder of alerts and scrape configurations, and the file of the alerts in it."""


def files(plan: Plan, *, certificate: str | None = None) -> dict[str, str]:
    """Every file of a rendered plan by its path; ``certificate`` is the PEM of the authority behind the intake."""
    documents = {f"{w.name}/{d.name}": d.text for w in plan.workloads for d in w.documents}
    return {"plan.json": plan_json(plan)} | documents | _monitoring(plan) | manifests(plan, certificate=certificate)


def _monitoring(plan: Plan) -> dict[str, str]:
    """The alerts with their trials; and what a Prometheus is to scrape, where no object of a cluster tells it."""
    found = {}
    if plan.monitoring.alerts:
        alerts = rules(plan)
        found[f"{MONITORING}/{ALERTS}"] = rules_file(plan, alerts)
        found[f"{MONITORING}/alerts_test.yaml"] = trials_file(plan, alerts, ALERTS)
    if plan.target != "kubernetes":
        found[f"{MONITORING}/scrape.yaml"] = yaml_text({"scrape_configs": scrape_configs(_pages(plan))})
    return found


def _pages(plan: Plan) -> list[Page]:
    """Every page of metrics of a plan on one host: from its Docker network, or from this machine."""
    return [
        Page(plan.namespace, workload.name, workload.name, page.port, f"{host}:{workload.port(page.port).number}", page.path)
        for workload in plan.workloads
        for host in [OnDocker(plan.namespace).call_host(workload.name) if plan.target == "docker" else LOOPBACK]
        for page in workload.metrics
    ]


def render(plan: Plan, folder: Path, *, certificate: str | None = None) -> list[Path]:
    """Write a plan into ``folder`` and remove the files of an earlier one.

    Raises ``FileExistsError`` when the folder holds something else than a rendered plan.
    """
    if folder.exists() and any(folder.iterdir()):
        _remove(folder)
    written = []
    for name, text in files(plan, certificate=certificate).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        written.append(path)
    return written


def _remove(folder: Path) -> None:
    """Remove the files that the plan in a folder lists, and no others."""
    try:
        names = [workload["name"] for workload in json.loads((folder / "plan.json").read_text())["workloads"]]
        ours = all(re.fullmatch("[a-z]+(-[a-z0-9]+)?", name) for name in names)
    except (OSError, ValueError, TypeError, KeyError):
        ours, names = False, []
    if not ours:
        raise FileExistsError(f"{folder}: holds files that are no rendered plan; name another folder, or empty it")
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
    for written in (FOLDER, MONITORING):
        shutil.rmtree(folder / written, ignore_errors=True)
    (folder / "plan.json").unlink()
