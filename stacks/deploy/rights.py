"""The rights that a deployment needs on a cluster, derived from its objects, and those that the user of a context lacks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from stacks.deploy import cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from components.kubernetes.names import Object
    from components.workload import Plan

RESOURCES: Mapping[str, str] = {
    "ConfigMap": "configmaps",
    "LimitRange": "limitranges",
    "Namespace": "namespaces",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ResourceQuota": "resourcequotas",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "DaemonSet": "daemonsets",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "CronJob": "cronjobs",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "HTTPRoute": "httproutes",
    "Certificate": "certificates",
    "ExternalSecret": "externalsecrets",
    "Instrumentation": "instrumentations",
    "PodMonitor": "podmonitors",
    "ServiceMonitor": "servicemonitors",
    "PrometheusRule": "prometheusrules",
}
"""The name in paths and rules of each kind that a plan has."""

_MADE = ("create", "delete", "get", "patch")
_READ = ("get", "list", "watch")
_AWAITED = (("", "events"), ("", "persistentvolumeclaims"), ("", "pods"), ("apps", "replicasets"), ("discovery.k8s.io", "endpointslices"))
_AWAITED_KINDS = frozenset({"DaemonSet", "Deployment", "Ingress", "PersistentVolumeClaim", "Service", "StatefulSet", "Namespace"})
_AT_ONCE = 8


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """A verb on a resource (``pods``, or ``pods/log``) of an API group, in a namespace, or in the whole cluster where that is empty."""

    namespace: str
    group: str
    resource: str
    verb: str


def needed(plan: Plan, objects: Iterable[Object]) -> set[Right]:
    """The rights to make, await, change and delete the objects of a plan, to grant the roles among them, and to send a probe through."""
    found = set(_for_secrets(plan))
    for mapping in objects:
        group = mapping["apiVersion"].rpartition("/")[0]
        namespace, resource = mapping["metadata"].get("namespace", ""), RESOURCES[mapping["kind"]]
        verbs = {*_MADE, *(_READ if mapping["kind"] in _AWAITED_KINDS else ())}
        found |= {Right(namespace, group, resource, verb) for verb in verbs}
        found |= set(_granted(mapping, namespace))
    inside = plan.namespace
    found |= {Right(inside, group, resource, verb) for group, resource in _AWAITED for verb in _READ}
    return found | {Right(inside, "", "pods/log", "get")} | {Right(inside, "", "pods/portforward", verb) for verb in ("create", "get")}


def _for_secrets(plan: Plan) -> Iterator[Right]:
    if plan.secrets:
        for namespace in dict.fromkeys((plan.namespace, *plan.told_namespaces)):
            yield from (Right(namespace, "", "secrets", verb) for verb in _MADE)


def _granted(mapping: Object, namespace: str) -> Iterator[Right]:
    """Return the rights that a role grants, because the API server lets nobody grant a right that they do not have."""
    for rule in mapping.get("rules") or []:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield from (Right(namespace, group, resource, verb) for verb in rule["verbs"])


def missing(context: str, rights: Iterable[Right]) -> list[Right]:
    """The rights that the user of a context does not have, in order. Raises ``ClusterError``."""
    if _allowed(context, Right("", "*", "*", "*")):
        return []
    asked = set(rights)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # A right in the whole cluster is one in each namespace, of which there may be many.
        wide = sorted({replace(right, namespace="") for right in asked})
        everywhere = {right for right, yes in zip(wide, pool.map(lambda one: _allowed(context, one), wide), strict=True) if yes}
        left = sorted(right for right in asked if replace(right, namespace="") not in everywhere)
        inside = [right for right in left if right.namespace]
        there = {right for right, yes in zip(inside, pool.map(lambda one: _allowed(context, one), inside), strict=True) if yes}
    return [right for right in left if right not in there]


def _allowed(context: str, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "namespace": right.namespace,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "verb": right.verb,
    }
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    answered = cluster.ask(context, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answered and answered["status"]["allowed"])


def told(rights: Sequence[Right]) -> list[str]:
    """A line for each place: the resources there, those with the same verbs together."""
    lines = []
    for namespace, inside in groupby(sorted(rights), key=lambda right: right.namespace):
        verbs: dict[tuple[str, str], list[str]] = {}
        for right in inside:
            verbs.setdefault((right.group, right.resource), []).append(right.verb)
        by_verbs: dict[str, list[str]] = {}
        for (group, resource), allowed in verbs.items():
            by_verbs.setdefault(", ".join(allowed), []).append(f"{resource}.{group}" if group else resource)
        place = f"in {namespace}" if namespace else "in the whole cluster"
        lines.append(f"  {place}: " + "; ".join(f"{which} {', '.join(what)}" for which, what in by_verbs.items()))
    return lines
