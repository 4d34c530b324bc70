"""Placing mappings: each becomes the Pulumi resource of its kind, and nothing in it is changed on the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_kubernetes import apiextensions, apps, autoscaling, batch, core, networking, policy, rbac

from components.kubernetes.jobs import job_objects
from components.kubernetes.objects import CONTROLLERS, protected_claims, workload_objects
from components.kubernetes.pods import SECRETS, secrets_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.kubernetes.names import Object
    from components.workload import Job, Plan, Workload

    Secrets = Mapping[tuple[str, str], pulumi.Output[str]]

_KINDS: Mapping[tuple[str, str], type[pulumi.CustomResource]] = {
    ("v1", "ConfigMap"): core.v1.ConfigMap,
    ("v1", "LimitRange"): core.v1.LimitRange,
    ("v1", "Namespace"): core.v1.Namespace,
    ("v1", "PersistentVolumeClaim"): core.v1.PersistentVolumeClaim,
    ("v1", "ResourceQuota"): core.v1.ResourceQuota,
    ("v1", "Secret"): core.v1.Secret,
    ("v1", "Service"): core.v1.Service,
    ("v1", "ServiceAccount"): core.v1.ServiceAccount,
    ("apps/v1", "DaemonSet"): apps.v1.DaemonSet,
    ("apps/v1", "Deployment"): apps.v1.Deployment,
    ("apps/v1", "StatefulSet"): apps.v1.StatefulSet,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): autoscaling.v2.HorizontalPodAutoscaler,
    ("batch/v1", "CronJob"): batch.v1.CronJob,
    ("networking.k8s.io/v1", "Ingress"): networking.v1.Ingress,
    ("networking.k8s.io/v1", "NetworkPolicy"): networking.v1.NetworkPolicy,
    ("policy/v1", "PodDisruptionBudget"): policy.v1.PodDisruptionBudget,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): rbac.v1.ClusterRole,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): rbac.v1.ClusterRoleBinding,
}


def place(mapping: Object, name: str, options: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """The object of a mapping, as the resource ``name``.

    A kind that Kubernetes does not have itself is one of a controller's.
    """
    kind = _KINDS.get((mapping["apiVersion"], mapping["kind"]))
    if kind is None:
        parts = {field: value for field, value in mapping.items() if field != "apiVersion"}
        return apiextensions.CustomResource(name, api_version=mapping["apiVersion"], **parts, opts=options)
    # The classes take the fields of an object by names of Python's form; below that a mapping is sent as it is.
    fields: dict[str, Any] = {_snake(field): value for field, value in mapping.items() if field not in {"apiVersion", "kind"}}
    return kind(name, opts=options, **fields)


def _snake(field: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", field)


def place_workloads(
    plan: Plan,
    workloads: Sequence[Workload],
    *,
    parent: pulumi.ComponentResource,
    name: str,
    after: Sequence[pulumi.Resource],
    secrets: Secrets,
) -> None:
    """Place workloads below a component named ``name``, each after those that it calls, all after the resources ``after``.

    ``secrets`` are the values that the stack fills; pods restart when one that they read changes. Deletion goes the other way: senders
    stop before what they send to, pods before what they use.
    """
    controllers: dict[str, pulumi.Resource] = {}

    def placed(workload: Workload) -> pulumi.Resource:
        if workload.name not in controllers:
            called = {edge.destination for edge in plan.edges if edge.source == workload.name}
            before = [placed(other) for other in workloads if other.name in called]
            controllers[workload.name] = _place_workload(
                plan, workload, parent=parent, name=name, after=[*after, *before], digest=_digest(plan, workload, secrets)
            )
        return controllers[workload.name]

    for workload in workloads:
        placed(workload)


def place_job(plan: Plan, job: Job, *, parent: pulumi.ComponentResource, name: str, after: Sequence[pulumi.Resource]) -> None:
    """Place the objects of a job below a component named ``name``, after the resources ``after``; its pods read Secrets at each start."""
    for mapping in job_objects(plan, job):
        options = pulumi.ResourceOptions(parent=parent, depends_on=list(after))
        place(mapping, f"{name}-{mapping['metadata']['name']}", options)


def _digest(plan: Plan, workload: Workload, secrets: Secrets) -> pulumi.Output[str] | None:
    """The digest of what a workload reads of the stack's secrets; None when it reads none."""
    read = {(file.secret, file.key) for file in workload.secret_files}
    read |= {(variable.secret, variable.key) for variable in workload.secret_variables}
    read &= set(secrets)
    if not read:
        return None
    values = pulumi.Output.all(**{f"{secret}.{key}": secrets[secret, key] for secret, key in read})
    # No secret itself, and as one it would hide every other change of the pods in a preview.
    return pulumi.Output.unsecret(values.apply(lambda known: secrets_digest(f"{plan.namespace}/{workload.name}", known)))


def _place_workload(
    plan: Plan,
    workload: Workload,
    *,
    parent: pulumi.ComponentResource,
    name: str,
    after: Sequence[pulumi.Resource],
    digest: pulumi.Output[str] | None,
) -> pulumi.Resource:
    """Place the objects of a workload and return the controller of its pods, which waits for all that the pods use."""
    needed: list[pulumi.Resource] = list(after)
    protected = protected_claims(workload)
    controller: pulumi.Resource | None = None
    for mapping in workload_objects(plan, workload):
        named, makes_pods = mapping["metadata"]["name"], mapping["kind"] in CONTROLLERS
        options = pulumi.ResourceOptions(
            parent=parent,
            depends_on=list(needed) if makes_pods else list(after),
            protect=mapping["kind"] == "PersistentVolumeClaim" and named in protected,
        )
        if makes_pods and digest is not None:
            mapping["spec"]["template"]["metadata"]["annotations"][SECRETS] = digest
        resource = place(mapping, f"{name}-{named}", options)
        needed.append(resource)
        controller = resource if makes_pods else controller
    if controller is None:
        raise ValueError(f"{workload.name}: none of its objects makes pods; add its spread to components/kubernetes/objects.py")
    return controller
