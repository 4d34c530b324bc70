"""NetworkPolicies: connections in the namespace follow the edges of the plan, and there are no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.kubernetes.names import NAMESPACE_LABEL, common_metadata, metadata, selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.kubernetes.names import Object
    from components.workload import Edge, Job, Outside, Plan, Workload

_API_VERSION = "networking.k8s.io/v1"


def deny_all(plan: Plan) -> Object:
    """The policy that closes the namespace: no pod is reached and none reaches anything, pods of others included."""
    return {
        "apiVersion": _API_VERSION,
        "kind": "NetworkPolicy",
        "metadata": common_metadata(plan, "default-deny", plan.namespace),
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def workload_policies(plan: Plan, workload: Workload | Job) -> list[Object]:
    """NetworkPolicies of a workload or a job: one for each direction in which anything is allowed.

    Probes come from the node itself and port-forwards through it; neither passes a policy.
    """
    rules = {
        "Ingress": _rules(plan, "from", ((edge.source, edge) for edge in plan.edges if edge.destination == workload.name)),
        "Egress": _rules(plan, "to", ((edge.destination, edge) for edge in plan.edges if edge.source == workload.name)),
    }
    if rules["Egress"]:
        rules["Egress"].append(_names())
    return [
        {
            "apiVersion": _API_VERSION,
            "kind": "NetworkPolicy",
            "metadata": metadata(plan, workload, f"{workload.name}-{direction.lower()}"),
            "spec": {"podSelector": {"matchLabels": selector(workload)}, "policyTypes": [direction], direction.lower(): allowed},
        }
        for direction, allowed in rules.items()
        if allowed
    ]


def _rules(plan: Plan, side: str, edges: Iterable[tuple[str, Edge]]) -> list[Object]:
    """A rule for each end that the edges have on the other side, with the ports that they name."""
    ports: dict[str, list[int]] = {}
    for other, edge in edges:
        ports.setdefault(other, []).append(edge.port.number)
    rules: list[Object] = []
    for other, numbers in ports.items():
        peers = _peers(plan, other)
        if peers is not None:
            rules.append(({side: peers} if peers else {}) | {"ports": [{"protocol": "TCP", "port": number} for number in numbers]})
    return rules


def _peers(plan: Plan, name: str) -> list[Object] | None:
    """Peers of an end of an edge: a list, empty for any address at all, or None for nobody."""
    for workload in plan.workloads:
        if workload.name == name:
            return [{"podSelector": {"matchLabels": selector(workload)}}]
    known = plan.outside.get(name)  # type: ignore[call-overload]  # an edge's end is a workload or an OutsideName
    if known is None:
        return None
    if known.anywhere:
        return []
    return [*_namespaces(known), *({"ipBlock": {"cidr": network}} for network in known.networks)] or None


def _namespaces(outside: Outside) -> Iterator[Object]:
    """Peers in namespaces: one for those that are named, however many they are, and one for those with certain labels."""
    match outside.namespaces:
        case ():
            pass
        case (only,):
            yield {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: only}}}
        case names:
            yield {"namespaceSelector": {"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": "In", "values": list(names)}]}}
    if outside.namespace_labels:
        yield {"namespaceSelector": {"matchLabels": dict(outside.namespace_labels)}}


def _names() -> Object:
    """Rule for DNS: the cluster's own, or the cache for it that some clusters run on each node."""
    return {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            },
            {"ipBlock": {"cidr": "169.254.20.10/32"}},
        ],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
