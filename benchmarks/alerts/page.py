"""The page of the alerts that were fired, ``docs/alerts.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.alerts.environments import shape
from benchmarks.alerts.scenarios import SCENARIOS
from components.alerts.rules import rules
from stacks.plan.addresses import OnKubernetes
from stacks.plan.plan import plan
from tests.stacks import samples

if TYPE_CHECKING:
    from components.alerts.rule import Rule

Kept = dict[str, Any]
"""``healthy``: what fired while all was well; ``fired``: by alert its fault, its seconds, and the pass in which it fired; ``passes``: when
each began, in seconds since 1970, how long it took, and the load of the machine."""

UNFIRED = {
    "TracingGrafanaDown": "not fired: Grafana cannot be built here. promtool tries the rule with series of the names that are in its source"
}
"""Alerts that are not fired, with the reason."""

LEFT_OUT = {
    alert: f"not fired: {' and '.join(f'`{program}`' for program in sorted(needs))} was not on PATH. promtool tries the rule"
    for scenario in SCENARIOS.values()
    if (needs := shape(scenario.environment).needs)
    for alert in scenario.alerts + scenario.after
}
"""Alerts that are fired where a program is on PATH that cannot be built here, with the reason where it was not."""

HEAD = """# Alerts, fired

Each alert, but those that say why not, was fired on the [shape in small](in-small.md) by the fault that it is for, on the real Prometheus
with the rules that a cluster has, a minute in a second (with Kafka in three). `make alerts` does it anew, as root, because a disk is filled
too. What to do: [operating.md](operating.md#alerts). A load that is to fill a memory is doubled until the number that the rule reads is
above its threshold.
"""


def every_rule() -> dict[str, Rule]:
    """The rules of production on each store and each transport, by their names."""
    plans = [plan(shape(name).named.environment, OnKubernetes("prod"), name="prod") for name in ("usual", "search", "kafka")]
    plans.append(samples.planned("prod-tempo", "kubernetes", {"backend.grafana.scraped": True}))
    found: dict[str, Rule] = {}
    for one in plans:
        for rule in rules(one):
            found.setdefault(rule.name, rule)
    return found


def page(kept: Kept) -> str:
    """The page of what was ``kept``."""
    lines = []
    for name, rule in every_rule().items():
        one = kept["fired"].get(name)
        fault = one["title"] if one is not None else (UNFIRED | LEFT_OUT).get(name, "was not fired yet")
        lines.append(f"| [{name}](operating.md#{name.lower()}) | {rule.severity} | {fault} | {rule.description} |")
    table = "| Alert | Severity | Fault that fired it | What is lost |\n|---|---|---|---|\n"
    return f"{HEAD}\n{_passes(kept)}\n\n{_healthy(kept)}\n\n{table}" + "\n".join(lines) + "\n"


def _healthy(kept: Kept) -> str:
    healthy = kept["healthy"]
    quiet = f"In {healthy.get('seconds')} s without a fault, which is an hour there, fired"
    return f"{quiet}: {', '.join(healthy['fired']) if healthy.get('fired') else 'none'}."


def _passes(kept: Kept) -> str:
    """Sentences of the passes in which the alerts fired."""
    found: dict[str, list[str]] = {}
    for alert, one in kept["fired"].items():
        found.setdefault(one["pass"], []).append(alert)
    told = []
    for begun, alerts in sorted(found.items()):
        about = kept["passes"].get(begun)
        many = "All of them" if len(found) == 1 else f"{len(alerts)} of them" if len(alerts) > 3 else ", ".join(sorted(alerts))  # noqa: PLR2004
        told.append(f"{many} fired in {_told(about)}.")
    return " ".join(told)


def _told(about: dict[str, Any] | None) -> str:
    """Words for a pass."""
    if about is None:
        return "passes of which no time was kept"
    return f"one pass of {about['minutes']} minutes on {about['day']}, at a load of {about['load']:.0f} on two cores"
