"""Alerts of every server: it does not answer, or it is started again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alerts.parts import collectors
from components.alerts.rule import PREFIX, Rule, Trial, selected, store_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.alerts.rule import Severity, Times
    from components.workload import Plan, Workload

_MINUTES_5, _MINUTES_15 = 300, 900
_CRITICAL = frozenset({"agent", "gateway", "backend"})
"""Roles without which spans are not taken, decided on or stored."""

UPTIME = "otelcol_process_uptime_seconds_total"


def down(plan: Plan, _times: Times) -> Iterator[Rule]:
    """A server that does not answer its scraper."""
    for workload in plan.workloads:
        if workload.metrics:
            yield _down(plan, workload)


def _down(plan: Plan, workload: Workload) -> Rule:
    own = {"namespace": plan.namespace, "job": workload.name}
    up = selected("up", **own)
    one = {
        selected("up", **own, pod=f"{workload.name}-{index}", endpoint=page.port): "1x150"
        for index in range(workload.replicas)
        for page in workload.metrics
    }
    lacking = dict(one)
    lacking[next(iter(lacking))] = "0x150"
    if workload.spread == "every-node":
        # How many there are is known to the cluster alone.
        expression = f"min by (pod) ({up}) == 0 or sum by (pod) (absent({up}))"
        labels, wrong = {"pod": f"{workload.name}-0"}, "A server does not answer its scraper"
    else:
        expression = f"(count(min by (pod) ({up}) == 1) or vector(0)) < {workload.replicas}"
        labels, wrong = {}, f"Fewer servers answer their scraper than the plan has, which is {workload.replicas}"
    severity: Severity = "critical" if workload.role in _CRITICAL else "warning"
    return Rule(
        name=f"{PREFIX}{workload.name.partition('-')[0].title()}Down",
        store=store_of(workload.name),
        workload=workload.name,
        expression=expression,
        pending=_MINUTES_5,
        severity=severity,
        summary=f"{wrong}: {workload.name}",
        description=_lost_while_down(plan, workload),
        firing=Trial(lacking, labels),
        quiet=one,
    )


def _lost_while_down(plan: Plan, workload: Workload) -> str:
    """Sentences of what is lost while a server is down."""
    match workload.role:
        case "agent":
            return (
                "Services of its node are refused. Nothing is lost while they repeat; their own queues drop spans when they are full. "
                "What waits in the agent is lost if its pod is deleted."
            )
        case "gateway":
            if any(found.writes_topic for found in collectors(plan)):
                return "Nothing is lost: the others take over its share, and what it had taken comes when it is back."
            return _lost_without_gateway({found.name: bool(found.queues) for found in collectors(plan)})
        case "backend":
            elsewhere = any(edge.source == workload.name and edge.destination.endswith("trace-store") for edge in plan.edges)
            unread = "No trace can be read. " if len(plan.stores) == 1 else "What this store alone has cannot be read. "
            readable = "" if elsewhere else unread
            return f"{readable}Nothing is lost while the gateways' queues have room; what is kept after that is lost."
        case "sampling":
            return "No span is lost. Services keep the strategies that they have, and those that start have the head ratio of the outputs."
        case "ui" | "access":
            return "No span is lost. Nobody can look at traces until it is back."


def _lost_without_gateway(queues: Mapping[str, bool]) -> str:
    """Sentences for a gateway; ``queues`` tells by collector whether it has any."""
    if "agent" not in queues:
        return "Services are refused. Nothing is lost while they repeat; their own queues drop spans when they are full."
    if queues["agent"]:
        return "Nothing is lost: its share of the traces waits in the agents' queues, and comes late. It is lost once these are full."
    return "Agents hold nothing, so services are refused and repeat. Spans are lost once services give up."


def restarts(plan: Plan, times: Times) -> Iterator[Rule]:
    """A server that is started again and again."""
    told = [
        workload.name
        for workload in plan.workloads
        if workload.role in {"agent", "gateway", "sampling"} or workload.server.program == "jaeger"
    ]
    own = {"namespace": plan.namespace, "job": "|".join(told)}
    first = {"namespace": plan.namespace, "job": told[0], "pod": f"{told[0]}-0"}
    yield Rule(
        name=f"{PREFIX}ServerRestarts",
        workload="",
        expression=f"sum by (job, pod) (resets({selected(UPTIME, **own)}[{times.range(_MINUTES_15)}])) >= 3",
        pending=0,
        severity="warning",
        summary="{{ $labels.pod }} was started again three times within a quarter of an hour",
        description="What it held in memory is lost each time, unless its sender still has it. A gateway's agents and an agent's disk do.",
        firing=Trial({selected(UPTIME, **first): "0+60x10 5+60x2 5+60x2 5+60x30"}, {"job": told[0], "pod": f"{told[0]}-0"}),
        quiet={selected(UPTIME, **first): "0+60x10 5+60x30"},
    )
