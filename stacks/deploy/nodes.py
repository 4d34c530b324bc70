"""The nodes of a cluster as the agents of a plan find them: whether the quota has room for one on each, and which nodes get none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.kubernetes.scheduling import selected, tolerated
from stacks.deploy import cluster
from stacks.deploy.cluster import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.workload import Plan, Workload

Node = dict[str, Any]

_FORBIDDEN = 403
_BY_CONTROLLER = "node.kubernetes.io/"
"""Taints of the state of a node, such as pressure on its disk, which every DaemonSet tolerates."""

_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
"""Taint of nodes where no service runs, so that no agent is missed there."""


def check_nodes(context: str, plan: Plan) -> list[str]:
    """Lines on nodes where services would reach no agent. A user who may not list nodes is told nothing.

    Raises ``ClusterError`` where the quota has no room for an agent on each node that takes one.
    """
    try:
        found = (cluster.ask(context, "GET", "/api/v1/nodes") or {}).get("items") or []
    except ClusterError as error:
        if error.status == _FORBIDDEN:
            return []
        raise
    lines: list[str] = []
    for workload in plan.workloads:
        if workload.spread == "every-node":
            chosen = [node for node in found if selected(node["metadata"].get("labels") or {}, workload.scheduling)]
            kept_off = {node["metadata"]["name"]: taints for node in chosen if (taints := list(_in_the_way(node, workload)))}
            _room(context, plan, workload, len(chosen) - len(kept_off))
            lines += _missed(workload, kept_off, len(chosen))
    return lines


def _in_the_way(node: Node, workload: Workload) -> Iterator[str]:
    """The taints that keep the pods of a workload off a node."""
    for taint in node["spec"].get("taints") or []:
        if not taint["key"].startswith(_BY_CONTROLLER) and not tolerated(taint, workload.scheduling.tolerations):
            yield f"{taint['key']}{'=' + taint['value'] if taint.get('value') else ''}:{taint['effect']}"


def _room(context: str, plan: Plan, agent: Workload, nodes: int) -> None:
    """Return when the quota has room for so many agents beside the other workloads. Raises ``ClusterError``."""
    others = [workload for workload in plan.workloads if workload.spread != "every-node"]
    rooms = (
        (plan.quota.pods - sum(w.replicas for w in others), 1),
        (plan.quota.cpu_millicores - sum(w.resources.cpu_millicores * w.replicas for w in others), agent.resources.cpu_millicores),
        (plan.quota.memory_bytes - sum(w.resources.memory_bytes * w.replicas for w in others), agent.resources.memory_bytes),
    )
    if nodes > (most := min(left // each for left, each in rooms)):
        raise ClusterError(
            f"environment.load.nodes: {nodes:,} nodes of {context} take an agent, and the quota has room for {most:,}, so on the others "
            f"there would be none\nthen: write nodes: {nodes}, or choose nodes in collectors.agent.pods, and try again"
        )


def _missed(agent: Workload, kept_off: dict[str, list[str]], nodes: int) -> Sequence[str]:
    missed = {name: taints for name, taints in kept_off.items() if not any(taint.startswith(f"{_CONTROL_PLANE}:") for taint in taints)}
    if not missed:
        return []
    taints = ", ".join(sorted({taint for those in missed.values() for taint in those}))
    line = f"{len(missed):,} of {nodes:,} nodes take no {agent.name}, because of {taints}; services there could send nothing"
    return [f"{line}: tolerate it in environment.collectors.agent.pods.tolerations, if any run there"]
