"""Every alert: fires and stays quiet by promtool, belongs to something in the plan, and has its section in the runbook."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pytest
import yaml

from benchmarks.alerts.page import LEFT_OUT, UNFIRED
from benchmarks.alerts.scenarios import SCENARIOS
from components.alerts.file import groups, rules_file, trials_file
from components.alerts.rule import PREFIX, Times
from components.alerts.rules import rules
from components.documents.images import TEST_SERVERS
from stacks.environment.source import ROOT
from tests.components.kubernetes import plans
from tests.components.kubernetes import rules as settings
from tests.servers.conftest import built
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from components.alerts.rule import Rule
    from components.workload import Plan

KINDS = ("a cluster with certificates", "Tempo", "one host", "agents without queues", "Jaeger before OpenSearch", "Kafka")


@cache
def planned(kind: str) -> Plan:
    match kind:
        case "one host":
            return samples.planned("dev", "docker")
        case "a cluster with certificates":
            return plans.planned_with("prod", ingest=settings.settings()["ingest"])
        case "Tempo":
            return samples.planned("prod-tempo", "kubernetes", {"backend.grafana.scraped": True})
        case "agents without queues":
            return samples.planned("prod", "kubernetes", {"collectors.agent.queue": None})
        case "Jaeger before OpenSearch":
            return samples.planned("prod-opensearch")
        case "Kafka":
            return samples.planned("prod-otlp")
    raise KeyError(kind)


def names() -> set[str]:
    return {rule.name for kind in KINDS for rule in rules(planned(kind))}


@pytest.fixture(scope="session")
def promtool() -> Path:
    return built({"promtool": TEST_SERVERS["promtool"]})["promtool"]


def tried(promtool: Path, folder: Path, plan: Plan, found: Sequence[Rule], **changed: str) -> subprocess.CompletedProcess[str]:
    """Try rules by promtool; texts in the file of the rules are ``changed`` before."""
    text = rules_file(plan, found)
    for was, becomes in changed.items():
        text = text.replace(was, becomes)
    (folder / "alerts.yaml").write_text(text)
    (folder / "alerts_test.yaml").write_text(trials_file(plan, found, "alerts.yaml"))
    command = [str(promtool), "test", "rules", "alerts_test.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.server
def test_every_alert_fires_with_its_series_and_stays_quiet_with_others(promtool: Path, tmp_path: Path) -> None:
    seen: set[tuple[str, str]] = set()
    for kind in KINDS:
        # What the plan before had word by word need not be tried again.
        found = [rule for rule in rules(planned(kind)) if (rule.name, rule.expression) not in seen]
        seen |= {(rule.name, rule.expression) for rule in found}
        done = tried(promtool, tmp_path, planned(kind), found)
        assert done.returncode == 0, f"{kind}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("kind", KINDS)
def test_each_rule_has_a_trial_in_which_it_fires_and_one_in_which_it_does_not(kind: str) -> None:
    plan = planned(kind)
    found = rules(plan)
    tests = yaml.safe_load(trials_file(plan, found, "alerts.yaml"))["tests"]
    tried = [(one["alertname"], bool(one["exp_alerts"])) for test in tests for one in test["alert_rule_test"]]
    loaded = [rule["alert"] for group in yaml.safe_load(rules_file(plan, found))["groups"] for rule in group["rules"]]
    assert sorted(tried) == sorted((name, fires) for name in loaded for fires in (True, False))


@pytest.mark.parametrize("name", [*samples.FILES, *samples.FURTHER])
def test_no_environment_here_has_an_alert_that_is_not_tried(name: str) -> None:
    targets = ("kubernetes", "docker") if name == "dev" else ("kubernetes",)
    assert {rule.name for target in targets for rule in rules(samples.planned(name, target))} <= names()


@pytest.mark.server
def test_a_trial_that_a_rule_does_not_pass_fails(promtool: Path, tmp_path: Path) -> None:
    found = [rule for rule in rules(planned("one host")) if rule.name == "TracingGatewayQueueFilling"]
    # A threshold that no queue reaches.
    done = tried(promtool, tmp_path, planned("one host"), found, **{"> 0.5": "> 1.5"})
    assert done.returncode != 0
    assert "TracingGatewayQueueFilling fires" in done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_alerts_have_names_of_their_own_and_tell_what_is_lost(kind: str) -> None:
    found = rules(planned(kind))
    assert len({rule.name for rule in found}) == len(found)
    for rule in found:
        assert re.fullmatch(rf"{PREFIX}[A-Z][A-Za-z]+", rule.name)
        assert re.search(r"\blost\b|\bloses\b|Nothing is lost|No span is lost|refused", rule.description), rule.name


@pytest.mark.parametrize("kind", KINDS)
def test_every_server_queue_and_claim_of_a_plan_has_its_alerts(kind: str) -> None:
    plan = planned(kind)
    found = {rule.name: rule for rule in rules(plan)}
    for workload in plan.workloads:
        assert bool(workload.metrics) == (f"{PREFIX}{workload.name.title()}Down" in found)
        for volume in workload.volumes:
            if volume.holds == "queue":
                assert f"{PREFIX}{workload.name.title()}QueueFull" in found
            if volume.survives == "workload" and plan.target == "kubernetes":
                assert f"{volume.name}-{workload.name}" in found[f"{PREFIX}VolumeFull"].expression
    assert (f"{PREFIX}CertificateExpires" in found) == bool(plan.certificates)


def test_every_alert_has_its_section_in_the_runbook_and_the_other_way_round() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    sections = dict(re.findall(rf"^### ({PREFIX}\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert sections.keys() == names()
    for name, section in sections.items():
        assert re.findall(r"^- (\w+): ", section, re.MULTILINE) == ["Cause", "Check", "Cure"], name


def test_every_alert_was_fired_by_its_fault_or_says_why_not() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text()
    rows = dict(re.findall(rf"^\| \[({PREFIX}\w+)\][^|]*\| \w+ \| ([^|]*) \|", text, re.MULTILINE))
    assert rows.keys() == names()
    unfired = {name: fault for name, fault in rows.items() if "not fired" in fault}
    assert UNFIRED.items() <= unfired.items() <= (UNFIRED | LEFT_OUT).items()
    assert "fired: none." in text


def test_every_alert_has_a_fault_that_is_to_fire_it_or_a_reason_why_not() -> None:
    wanted = [alert for scenario in SCENARIOS.values() for alert in scenario.alerts + scenario.after]
    assert len(wanted) == len(set(wanted))
    assert set(wanted) == names() - UNFIRED.keys()


def test_an_alert_leads_to_its_section_on_the_page_that_the_environment_names() -> None:
    for kind, page in (("one host", "docs/operating.md"), ("Tempo", "https://docs.virtengine.example/tracing/operating.html")):
        plan = planned(kind)
        for rule in groups(plan, rules(plan))["groups"][0]["rules"]:
            assert rule["annotations"]["runbook_url"] == f"{page}#{rule['alert'].lower()}"


def test_one_factor_scales_every_time_of_the_rules() -> None:
    plan = planned("a cluster with certificates")
    usual, quick = (groups(plan, rules(plan, times), times)["groups"][0]["rules"] for times in (Times(), Times(1 / 60)))
    assert [rule["alert"] for rule in usual] == [rule["alert"] for rule in quick]
    scaled = {"5m": "5s", "10m": "10s", "15m": "15s", "1h": "1m", "6h": "6m", "24h": "24m"}
    for one, other in zip(usual, quick, strict=True):
        assert scaled.get(one.get("for", "")) == other.get("for"), one["alert"]
        ranges = re.findall(r"\[(\w+)\]|offset (\w+)", one["expr"])
        assert [scaled["".join(found)] for found in ranges] == ["".join(f) for f in re.findall(r"\[(\w+)\]|offset (\w+)", other["expr"])]
