"""Who may talk to whom under NetworkPolicies and Services, told from rendered objects as a cluster would.

Source of the rules: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.components.kubernetes.plans import of_kind, templates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.kubernetes.names import Object

Port = tuple[str, int]
"""Protocol and number."""

Flow = tuple[str, str, Port]
"""From, to, port."""


@dataclass(frozen=True)
class Actor:
    """A pod of a namespace, or with none an address outside of the cluster.

    ``namespace_labels`` are those that the owner of the namespace gave it.
    """

    namespace: str | None
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)


def pods(found: list[Object], namespace: str) -> dict[str, Actor]:
    """The pods that the objects make."""
    return {name: Actor(namespace, template["metadata"]["labels"]) for name, template in templates(found).items()}


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}, "teach this test the other kinds of selectors"
    expressions = selector.get("matchExpressions", [])
    assert {expression["operator"] for expression in expressions} <= {"In"}, "teach this test the other operators"
    listed = all(labels.get(expression["key"]) in expression["values"] for expression in expressions)
    return listed and all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())


def _is_peer(peer: Object, actor: Actor, own_namespace: str) -> bool:
    if "ipBlock" in peer:
        return bool(actor.address) and ipaddress.ip_address(actor.address) in ipaddress.ip_network(peer["ipBlock"]["cidr"])
    if actor.namespace is None:
        return False
    if "namespaceSelector" in peer:
        # The API server gives each namespace this label itself.
        if not _selects(peer["namespaceSelector"], {**actor.namespace_labels, "kubernetes.io/metadata.name": actor.namespace}):
            return False
    elif actor.namespace != own_namespace:
        return False
    return _selects(peer.get("podSelector", {}), actor.labels)


def _applying(found: list[Object], direction: str, actor: Actor) -> list[Object]:
    return [
        policy["spec"]
        for policy in found
        if policy["kind"] == "NetworkPolicy"
        and policy["metadata"]["namespace"] == actor.namespace
        and direction in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], actor.labels)
    ]


def _open(applying: list[Object], direction: str, actor: Actor, other: Actor, ports: set[Port]) -> set[Port]:
    """The ports on which the policies that apply to ``actor`` let connections through, whatever those on the other end say."""
    if not applying:
        return ports
    side = {"Ingress": "from", "Egress": "to"}[direction]
    found: set[Port] = set()
    for rule in (rule for spec in applying for rule in spec.get(direction.lower(), [])):
        if side not in rule or any(_is_peer(peer, other, str(actor.namespace)) for peer in rule[side]):
            found |= {(entry["protocol"], entry["port"]) for entry in rule["ports"]} if "ports" in rule else ports
    return found & ports


def may_receive(found: list[Object], inside: Mapping[str, Actor], actors: Mapping[str, Actor], ports: set[Port]) -> set[Flow]:
    """What the policies on those inside let in."""
    flows = set()
    for target, actor in inside.items():
        applying = _applying(found, "Ingress", actor)
        for source in actors.keys() - {target}:
            flows |= {(source, target, port) for port in _open(applying, "Ingress", actor, actors[source], ports)}
    return flows


def may_send(found: list[Object], inside: Mapping[str, Actor], actors: Mapping[str, Actor], ports: set[Port]) -> set[Flow]:
    """What the policies on those inside let out."""
    flows = set()
    for source, actor in inside.items():
        applying = _applying(found, "Egress", actor)
        for target in actors.keys() - {source}:
            flows |= {(source, target, port) for port in _open(applying, "Egress", actor, actors[target], ports)}
    return flows


def served(found: list[Object]) -> set[tuple[str, int, str, int]]:
    """For each port of each Service the workloads behind it, with the port of their container: service, port, workload, port."""
    answers = set()
    for service in of_kind(found, "Service"):
        chosen = service["spec"].get("selector")
        for name, template in templates(found).items():
            numbers = {p["name"]: p["containerPort"] for c in template["spec"]["containers"] for p in c.get("ports", ())}
            # A Service without a selector has no pods behind it.
            if chosen and _selects({"matchLabels": chosen}, template["metadata"]["labels"]):
                for port in service["spec"]["ports"]:
                    answers.add((service["metadata"]["name"], port["port"], name, numbers[port["targetPort"]]))
    return answers
