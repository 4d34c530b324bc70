"""The alerts that a Prometheus has loaded, against those that the plan has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.alerts.rules import rules
from stacks.verify.requests import FAILURES, ask
from stacks.verify.site import Way

if TYPE_CHECKING:
    from components.workload import Plan
    from stacks.verify.findings import Account
    from stacks.verify.look import Look


def alerts(look: Look, account: Account) -> None:
    """Ask Prometheus for its rules."""
    site, wanted = look.site, look.site.alerts
    account.then = f"see what Prometheus says of its rules: {site.prometheus}/rules"
    if not wanted:
        account.absent = "the environment wants no alerts (monitoring.alerts)"
        return
    if site.prometheus is None:
        account.unseen.append("no Prometheus belongs to this backbone; ask your own")
        return
    parts = urlsplit(site.prometheus)
    try:
        answer = ask(Way(str(parts.hostname), parts.port or 9090, str(parts.hostname)), "/api/v1/rules?type=alert", trust=None)
    except FAILURES as error:
        account.unseen.append(f"{site.prometheus}: cannot be asked: {error}")
        return
    loaded = {rule["name"] for group in json.loads(answer.text)["data"]["groups"] for rule in group["rules"]}
    missing = sorted(wanted - loaded)
    account.faults += [f"{name} is not loaded" for name in missing]
    account.facts.append(f"{len(wanted)} alerts are loaded")


def planned(plan: Plan) -> frozenset[str]:
    """The names of the alerts of a plan; none where the environment wants none."""
    return frozenset(rule.alert for rule in rules(plan)) if plan.monitoring.alerts else frozenset()
