"""The rules of a plan as files: for Prometheus, and with the trials of each for promtool.

Sources: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ and
https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.alerts.rule import Times, filled
from components.documents.text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.alerts.rule import Rule
    from components.workload import Plan

Part = dict[str, Any]

GROUP = "virtengine-tracing"
"""Name of the group of rules; they are evaluated in turn, at the scrape interval of the Prometheus that has them."""

_MINUTE, _MINUTES_5, _MINUTES_20 = 60, 300, 1200


def rules_file(plan: Plan, rules: Sequence[Rule], times: Times | None = None) -> str:
    """The file that Prometheus loads by ``rule_files``."""
    return yaml_text(groups(plan, rules, times))


def groups(plan: Plan, rules: Sequence[Rule], times: Times | None = None) -> Part:
    """The rules as Prometheus has them, in a file or in a PrometheusRule."""
    scale = times or Times()
    return {"groups": [{"name": GROUP, "rules": [_rule(plan, rule, scale) for rule in rules]}]}


def _rule(plan: Plan, rule: Rule, times: Times) -> Part:
    pending = {"for": times.text(rule.pending)} if rule.pending else {}
    return {"alert": rule.alert, "expr": rule.expression, **pending, "labels": _labels(plan, rule), "annotations": _annotations(plan, rule)}


def _labels(plan: Plan, rule: Rule) -> dict[str, str]:
    named = {"workload": rule.workload} if rule.workload else {}
    return {"severity": rule.severity, "namespace": plan.namespace, **named}


def _annotations(plan: Plan, rule: Rule) -> dict[str, str]:
    runbook = f"{plan.monitoring.runbook}#{rule.name.lower()}"
    return {"summary": rule.summary, "description": rule.description, "runbook_url": runbook}


def trials_file(plan: Plan, rules: Sequence[Rule], rules_name: str, times: Times | None = None) -> str:
    """The file that ``promtool test rules`` takes: each rule of the file ``rules_name`` fires with its series, and not with others."""
    scale = times or Times()
    step, looks = scale.text(_MINUTE), scale.text(_MINUTES_5)
    tests = [
        {
            "name": f"{rule.alert} {'fires' if fires else 'stays quiet'}",
            "interval": step,
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [
                # Longer than any range, and then for as long as it must hold.
                {
                    "eval_time": scale.text(_MINUTES_20 + rule.pending),
                    "alertname": rule.alert,
                    "exp_alerts": [_expected(plan, rule)] if fires else [],
                }
            ],
        }
        for rule in rules
        for fires, series in ((True, rule.firing.series), (False, rule.quiet))
    ]
    return yaml_text({"rule_files": [rules_name], "evaluation_interval": looks, "tests": tests})


def _expected(plan: Plan, rule: Rule) -> Mapping[str, Mapping[str, str]]:
    labels = dict(rule.firing.labels) | _labels(plan, rule)
    told = {name: filled(text, labels) for name, text in _annotations(plan, rule).items()}
    return {"exp_labels": labels, "exp_annotations": told}
