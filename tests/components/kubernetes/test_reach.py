"""Who reaches whom on a cluster is what the edges of the plan say, and every policy and selector is needed for it."""

from __future__ import annotations

import copy
import ipaddress
from typing import TYPE_CHECKING, Any

import pytest

from tests.components.kubernetes import plans, rules
from tests.components.kubernetes.reach import Actor, Flow, Port, may_receive, may_send, pods, served

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.kubernetes.names import Object
    from components.workload import Edge, Outside, Plan

RULED = "rules of its own"
"""Production with every setting of a cluster, its services in several namespaces by name and in others by their labels."""

DNS = {"k8s-app": "kube-dns"}
OTHERS = {
    "service": Actor("virtengine"),
    "developer's service": Actor("services"),
    "prometheus": Actor("monitoring"),
    "store of metrics": Actor("metrics"),
    "ingress controller": Actor("traefik"),
    "pod elsewhere": Actor("default"),
    "pod elsewhere that takes our names": Actor(
        "default", {"app.kubernetes.io/name": "gateway", "app.kubernetes.io/part-of": "virtengine-tracing"}
    ),
    "dns": Actor("kube-system", DNS),
    "dns of somebody": Actor("default", DNS),
    "pod of the system": Actor("kube-system"),
    "dns on the node": Actor(None, address="169.254.20.10"),
    "internet": Actor(None, address="198.51.100.7"),
    "service by label": Actor("shop", namespace_labels={"example.org/tracing": "on"}),
    "service with half of the labels": Actor("shop-too", namespace_labels={"example.org/tracing": "off"}),
    "second service": Actor("second"),
    "store": Actor("databases"),
    "identity of the node": Actor(None, address="169.254.169.254"),
    "identity of a pod on GKE": Actor(None, address="169.254.169.252"),
    "identity of the node by IPv6": Actor(None, address="fd00:ec2::254"),
    "identity of the pod": Actor(None, address="169.254.170.23"),
    "identity of the pod by IPv6": Actor(None, address="fd00:ec2::23"),
}
NAMES = {"dns", "dns on the node"}


def planned(variant: str) -> Plan:
    if variant != RULED:
        return plans.planned(variant)
    sections = rules.settings()
    ingest: Any = sections["ingest"]
    return plans.planned_with("prod", **sections | {"ingest": ingest | {"namespaces": ["virtengine", "second"]}})


def actors(plan: Plan, found: list[Object]) -> tuple[dict[str, Actor], dict[str, Actor]]:
    """Those in the namespace, one among them that somebody else has put there, and all."""
    inside = pods(found, plan.namespace) | {"stranger inside": Actor(plan.namespace, {"app.kubernetes.io/name": "debug"})}
    return inside, inside | OTHERS


def ports(plan: Plan) -> set[Port]:
    """Every port that anything here listens on, and some that nothing does."""
    numbers = {port.number for w in plan.workloads for port in w.ports} | {edge.port.number for edge in plan.edges} | {22, 53}
    return {("UDP", 53)} | {("TCP", number) for number in numbers}


def members(plan: Plan, end: str, everybody: dict[str, Actor]) -> set[str]:
    """The actors that an end of an edge stands for."""
    if end in everybody:
        return {end}
    outside = plan.outside[end]  # type: ignore[index]  # no workload, hence an OutsideName
    if outside.anywhere:
        return set(everybody)
    return {name for name, actor in everybody.items() if stands_there(actor, outside)}


def stands_there(actor: Actor, outside: Outside) -> bool:
    """Whether an actor is one of a peer outside of the plan."""
    if actor.namespace is None:
        return any(ipaddress.ip_address(actor.address) in ipaddress.ip_network(network) for network in outside.networks)
    labelled = bool(outside.namespace_labels) and outside.namespace_labels.items() <= actor.namespace_labels.items()
    return labelled or actor.namespace in outside.namespaces


def expected(plan: Plan, inside: dict[str, Actor], everybody: dict[str, Actor]) -> tuple[set[Flow], set[Flow]]:
    """What the edges of the plan allow to come in and to go out."""

    def flows(edges: Iterable[Edge]) -> set[Flow]:
        return {
            (source, target, ("TCP", edge.port.number))
            for edge in edges
            for source in members(plan, edge.source, everybody)
            for target in members(plan, edge.destination, everybody)
            if source != target
        }

    leaving = [edge for edge in plan.edges if edge.source in inside]
    names = {(edge.source, name, (protocol, 53)) for edge in leaving for name in NAMES for protocol in ("TCP", "UDP")}
    return flows(edge for edge in plan.edges if edge.destination in inside), flows(leaving) | names


def answers(plan: Plan, found: list[Object]) -> tuple[set[Flow], set[Flow], set[tuple[str, int, str, int]]]:
    inside, everybody = actors(plan, found)
    numbers = ports(plan)
    return may_receive(found, inside, everybody, numbers), may_send(found, inside, everybody, numbers), served(found)


def wanted(plan: Plan, found: list[Object]) -> tuple[set[Flow], set[Flow], set[tuple[str, int, str, int]]]:
    inside, everybody = actors(plan, found)
    called = {(e.destination, e.port.number, e.destination, e.port.number) for e in plan.edges if e.destination in inside}
    # A pod's annotations have room for one page of metrics, so Services tell a Prometheus of the others.
    if plan.monitoring.scraping == "annotations":
        pages = [
            (workload.name, page.port, workload.port(page.port).number) for workload in plan.workloads for page in workload.metrics[1:]
        ]
        called |= {(f"{name}-{port}", number, name, number) for name, port, number in pages}
    return (*expected(plan, inside, everybody), called)


@pytest.mark.parametrize("variant", [*plans.VARIANTS, RULED])
def test_connections_are_possible_along_the_edges_of_the_plan_and_nowhere_else(variant: str) -> None:
    plan = planned(variant)
    found = plans.objects(plan)
    told, right = answers(plan, found), wanted(plan, found)
    assert [sorted(told[0] - right[0]), sorted(told[1] - right[1]), sorted(told[2] - right[2])] == [[], [], []]
    assert [sorted(right[0] - told[0]), sorted(right[1] - told[1]), sorted(right[2] - told[2])] == [[], [], []]


def test_who_reaches_the_user_interface_the_intake_of_the_backend_and_the_strategies() -> None:
    plan = plans.planned("prod")
    received, sent, _ = answers(plan, plans.objects(plan))
    inside, _ = actors(plan, plans.objects(plan))

    def who(target: str, port: int) -> set[str]:
        flows = {flow for flow in received if flow[1:] == (target, ("TCP", port)) and (flow[0] not in inside or flow in sent)}
        return {source for source, _, _ in flows}

    assert who("jaeger", 16686) == {"access"}
    assert who("jaeger", 4317) == {"gateway"}
    assert who("gateway", 4318) == {"agent"}
    assert who("sampling", 5778) == {"service"}
    assert who("agent", 4317) == who("agent", 4318) == {"service"}
    assert who("access", 4180) == {"ingress controller"}
    assert who("gateway", 8889) == {"prometheus"}
    assert {source for source, target, _ in received if target == "stranger inside"} == set()


def test_without_a_login_nobody_reaches_the_user_interface() -> None:
    plan = plans.planned("dev")
    received, _, _ = answers(plan, plans.objects(plan))
    assert [flow for flow in received if flow[2] == ("TCP", 16686)] == []


def _without(tree: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - any part of an object
    changed = copy.deepcopy(tree)
    node = changed
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    return changed


def _parts(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 - any part of an object
    """The places of what decides on connections: policies' types, rules, peers, ports and selectors; selectors of Services."""
    items: list[tuple[str | int, Any]] = (
        list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    )
    for key, child in items:
        place = (*path, key)
        decides = key in {"matchLabels", "selector", "podSelector", "namespaceSelector", "ports", "from", "to"} or isinstance(key, int)
        # The pods that a policy is about are chosen by a selector that must be there; without labels it chooses all.
        if decides and place[-2:] != ("spec", "podSelector"):
            yield place
        yield from _parts(child, place)


def weakened(found: list[Object]) -> Iterator[tuple[str, list[Object]]]:
    """The objects with one thing taken away that decides on connections, and what that is."""
    for index, mapping in enumerate(found):
        if mapping["kind"] not in {"NetworkPolicy", "Service"}:
            continue
        name = f"{mapping['kind']} {mapping['metadata']['name']}"
        yield name, found[:index] + found[index + 1 :]
        for place in _parts(mapping["spec"], ("spec",)):
            rest = _without(mapping, place)
            yield f"{name}: {'.'.join(map(str, place))}", [*found[:index], rest, *found[index + 1 :]]


@pytest.mark.parametrize("variant", [*plans.VARIANTS, RULED])
def test_without_any_one_policy_rule_or_selector_the_answer_is_another(variant: str) -> None:
    plan = planned(variant)
    found = plans.objects(plan)
    right = wanted(plan, found)
    unneeded = []
    count = 0
    for what, changed in weakened(found):
        count += 1
        try:
            same = answers(plan, changed) == right
        except KeyError:
            same = False  # a Service without ports is refused
        if same:
            unneeded.append(what)
    assert count > 40
    assert unneeded == []
