"""Checks of a cluster before anything is touched there: it answers, names are free or there, rights are had, no claim is on its way out."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from stacks.deploy import cluster, rights
from stacks.deploy.cluster import ClusterError
from stacks.deploy.nodes import check_nodes
from stacks.placement.manifests import kubernetes_objects
from stacks.placement.outputs import CONSUMER_OBJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.kubernetes.names import Object
    from components.workload import Plan

_OPERATOR = ("the Prometheus operator", "https://prometheus-operator.dev/docs/getting-started/installation/")

CONTROLLERS = {
    "HTTPRoute": ("access.gateway", "the Gateway API", "https://gateway-api.sigs.k8s.io/guides/"),
    "Certificate": ("ingest.certificate or access.certificate", "cert-manager", "https://cert-manager.io/docs/installation/"),
    "Instrumentation": (
        "ingest.instrumentation",
        "the OpenTelemetry operator",
        "https://opentelemetry.io/docs/platforms/kubernetes/operator/",
    ),
    "PodMonitor": ("monitoring.scraping", *_OPERATOR),
    "ServiceMonitor": ("monitoring.scraping", *_OPERATOR),
    "PrometheusRule": ("monitoring.alerts", *_OPERATOR),
    "ExternalSecret": ("target.external_secrets", "the External Secrets Operator", "https://external-secrets.io/latest/"),
}
"""By each kind that a controller brings: the setting that asks for it, the controller, and its page."""

_FORBIDDEN = 403
_AT_ONCE = 8


def reachable(context: str) -> None:
    """Return when the cluster answers. Raises ``ClusterError``."""
    cluster.ask(context, "GET", "/version")


def check(context: str, plan: Plan, *, new: bool) -> list[str]:
    """Return when a plan can be deployed, with what is worth knowing; ``new`` says that nothing of it is there by this stack.

    Raises ``ClusterError``. What is missing of one kind is said at once, all of it.
    """
    reachable(context)
    _consumers_there(context, plan)
    objects = [mapping for those in kubernetes_objects(plan).values() for mapping in those]
    _kinds_there(context, objects)
    _rights(context, plan, objects)
    if new:
        _namespace_free(context, plan.namespace)
    else:
        _claims_stay(context, plan)
    _consumers_ours(context, plan)
    return check_nodes(context, plan)


def _namespace_free(context: str, namespace: str) -> None:
    found = cluster.ask(context, "GET", f"/api/v1/namespaces/{namespace}")
    if found is None:
        return
    if found["metadata"].get("deletionTimestamp"):
        raise ClusterError(
            f"environment.namespace: {namespace} is being deleted in {context}\n"
            f"then: kubectl --context {context} wait --for=delete namespace/{namespace} --timeout=5m, and try again"
        )
    raise ClusterError(
        f"environment.namespace: {namespace} exists already in {context}, and this stack did not make it\n"
        f"then: choose another name, or delete it with all that is in it: kubectl --context {context} delete namespace {namespace}"
    )


def _consumers_there(context: str, plan: Plan) -> None:
    names = plan.outside["consumers"].namespaces
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = list(pool.map(lambda name: _exists(context, name), names))
    if absent := [name for name, found in zip(names, there, strict=True) if not found]:
        raise ClusterError(
            f"environment.ingest.namespaces: {', '.join(absent)}: not in {context}; the services' own namespaces have to be there\n"
            f"then: {' && '.join(f'kubectl --context {context} create namespace {name}' for name in absent)}"
        )


def _exists(context: str, namespace: str) -> bool:
    """Whether a namespace is there; one of which its user may not ask is taken to be."""
    try:
        found = cluster.ask(context, "GET", f"/api/v1/namespaces/{namespace}")
    except ClusterError as error:
        if error.status == _FORBIDDEN:
            return True
        raise
    return found is not None and not found["metadata"].get("deletionTimestamp")


def _kinds_there(context: str, objects: Sequence[Object]) -> None:
    """Return when the cluster has each kind of a controller's that the objects are of. Raises ``ClusterError``."""
    for version, kind in sorted({(mapping["apiVersion"], mapping["kind"]) for mapping in objects if mapping["kind"] in CONTROLLERS}):
        served = cluster.ask(context, "GET", f"/apis/{version}") or {"resources": []}
        if kind not in {resource["kind"] for resource in served["resources"]}:
            key, controller, page = CONTROLLERS[kind]
            raise ClusterError(
                f"environment.{key}: {context} does not know the kind {kind} of {version}, which is {controller}'s\n"
                f"then: install it, {page}, or take {key} out of the environment"
            )


def _rights(context: str, plan: Plan, objects: Sequence[Object]) -> None:
    if lacking := rights.missing(context, rights.needed(plan, objects)):
        lines = [f"{context}: its user lacks rights that this deployment needs", *rights.told(lacking)]
        raise ClusterError(
            "\n".join([*lines, "then: give it the ClusterRole in docs/deploying.md, or name another context, and try again"])
        )


def _claims_stay(context: str, plan: Plan) -> None:
    """Refuse while a claim is on its way out: it goes with its last pod, and a rollout would end that."""
    found = cluster.ask(context, "GET", f"/api/v1/namespaces/{plan.namespace}/persistentvolumeclaims") or {}
    going = [claim for claim in found.get("items") or [] if claim["metadata"].get("deletionTimestamp")]
    if going:
        raise ClusterError("\n".join(_going(context, plan, going)))


def _going(context: str, plan: Plan, claims: list[dict[str, Any]]) -> list[str]:
    names = ", ".join(claim["metadata"]["name"] for claim in claims)
    volumes = " ".join(claim["spec"]["volumeName"] for claim in claims if claim["spec"].get("volumeName"))
    retain = """--patch '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'"""
    keep = f"keep the volume: kubectl --context {context} patch persistentvolume {volumes} {retain}; then " if volumes else ""
    return [
        f"{plan.namespace}: {names}: being deleted in {context}, with what it holds, as soon as its pod ends, which this deployment may do",
        f"then: {keep}end the pod, which lets the claim go, and: python -m stacks recover {plan.environment}",
    ]


def _consumers_ours(context: str, plan: Plan) -> None:
    """Refuse a consumer's namespace that another backbone, or anybody else, tells where to send."""
    names = plan.outside["consumers"].namespaces
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        owners = dict(zip(names, pool.map(lambda name: _owner(context, name), names), strict=True))
    taken = {name: owner for name, owner in owners.items() if owner not in {None, plan.namespace}}
    if taken:
        told = ", ".join(f"{name} (by {owner})" for name, owner in taken.items())
        raise ClusterError(
            f"environment.ingest.namespaces: {told}: told already where to send, by the ConfigMap {CONSUMER_OBJECT} there; services of a "
            "namespace send to one backbone\n"
            f"then: take {', '.join(taken)} out of ingest.namespaces here, or out of the other backbone's and deploy that first"
        )


def _owner(context: str, namespace: str) -> str | None:
    """The namespace of the backbone that has told the services of a namespace where to send; None when none has."""
    found = cluster.ask(context, "GET", f"/api/v1/namespaces/{namespace}/configmaps/{CONSUMER_OBJECT}")
    if found is None:
        return None
    try:
        return str(json.loads((found.get("data") or {})["VIRTENGINE_TRACING_OUTPUTS_JSON"])["namespace"])
    except (KeyError, TypeError, ValueError):
        return "something else than a backbone"
