"""Rules for the nodes of pods, in the form of the Kubernetes API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.kubernetes.names import selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.kubernetes.names import Object
    from components.scheduling import NodeAffinity, PodAffinity, Scheduling, Toleration
    from components.workload import Workload

_WEIGHED = "preferredDuringSchedulingIgnoredDuringExecution"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def scheduling(workload: Workload) -> Object:
    """The fields of a pod of a workload that decide on its node."""
    spread = _spread(workload)
    return node_rules(workload.scheduling) | ({"topologySpreadConstraints": spread} if spread else {})


def node_rules(rules: Scheduling) -> Object:
    """The fields of a pod that say on which nodes it may be."""
    fields: Object = {"nodeSelector": {**rules.node_selector, "kubernetes.io/os": "linux"}}
    if rules.priority_class is not None:
        fields["priorityClassName"] = rules.priority_class
    if rules.tolerations:
        fields["tolerations"] = [_toleration(taint) for taint in rules.tolerations]
    if affinity := _affinity(rules.node_affinity, rules.pod_affinity):
        fields["affinity"] = affinity
    return fields


def tolerated(taint: Mapping[str, str], tolerations: tuple[Toleration, ...]) -> bool:
    """Whether pods with these tolerations may be put on a node with a taint."""
    return taint["effect"] == "PreferNoSchedule" or any(
        found.key in {None, taint["key"]} and found.value in {None, taint.get("value", "")} and found.effect in {None, taint["effect"]}
        for found in tolerations
    )


def selected(labels: Mapping[str, str], rules: Scheduling) -> bool:
    """Whether a node with these labels is one of those that the rules ask for."""
    wanted = rules.node_selector.items() <= labels.items() and labels.get("kubernetes.io/os", "linux") == "linux"
    return wanted and all(_holds(labels.get(one.key), one) for one in rules.node_affinity if one.weight is None)


def _holds(value: str | None, condition: NodeAffinity) -> bool:
    match condition.operator:
        case "In":
            return value in condition.values
        case "NotIn":
            return value not in condition.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    if value is None or not value.isdigit():
        return False
    return int(value) > int(condition.values[0]) if condition.operator == "Gt" else int(value) < int(condition.values[0])


def _toleration(taint: Toleration) -> Object:
    given = {"key": taint.key, "value": taint.value, "effect": taint.effect}
    return {"operator": "Exists" if taint.value is None else "Equal", **{name: value for name, value in given.items() if value is not None}}


def _affinity(nodes: tuple[NodeAffinity, ...], pods: tuple[PodAffinity, ...]) -> Object:
    found: Object = {}
    if nodes:
        found["nodeAffinity"] = _node_affinity(nodes)
    for name, apart in (("podAffinity", False), ("podAntiAffinity", True)):
        if those := [one for one in pods if one.apart is apart]:
            found[name] = _pod_affinity(those)
    return found


def _node_affinity(conditions: tuple[NodeAffinity, ...]) -> Object:
    required = [_expression(one) for one in conditions if one.weight is None]
    weighed = [
        {"weight": one.weight, "preference": {"matchExpressions": [_expression(one)]}} for one in conditions if one.weight is not None
    ]
    # The terms of a selector are alternatives, and the expressions of one term hold together.
    selection = {_REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": required}]}} if required else {}
    return selection | ({_WEIGHED: weighed} if weighed else {})


def _expression(condition: NodeAffinity) -> Object:
    return {"key": condition.key, "operator": condition.operator} | ({"values": list(condition.values)} if condition.values else {})


def _pod_affinity(conditions: list[PodAffinity]) -> Object:
    required = [_term(one) for one in conditions if one.weight is None]
    weighed = [{"weight": one.weight, "podAffinityTerm": _term(one)} for one in conditions if one.weight is not None]
    return ({_REQUIRED: required} if required else {}) | ({_WEIGHED: weighed} if weighed else {})


def _term(condition: PodAffinity) -> Object:
    term = {"labelSelector": {"matchLabels": dict(condition.labels)}, "topologyKey": condition.topology_key}
    return term | ({"namespaces": list(condition.namespaces)} if condition.namespaces else {})


def _spread(workload: Workload) -> list[Object]:
    """Constraints that keep replicas on nodes of their own, and over zones; none for a workload with one pod a node, or one in all."""
    if workload.spread not in {"replicated", "ordered"}:
        return []
    # A rollout of a Deployment has pods of two kinds; each kind is spread by itself.
    own_kind = {"matchLabelKeys": ["pod-template-hash"]} if workload.spread == "replicated" else {}
    own = own_kind | {"labelSelector": {"matchLabels": selector(workload)}, "maxSkew": 1}
    # A node that is being emptied takes no pod and must not count as one that could.
    spread = [own | {"topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule", "nodeTaintsPolicy": "Honor"}]
    zones = workload.scheduling.zones
    if zones != "ignored":
        whatever = "DoNotSchedule" if zones == "required" else "ScheduleAnyway"
        spread.append(own | {"topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": whatever, "nodeTaintsPolicy": "Honor"})
    return spread
