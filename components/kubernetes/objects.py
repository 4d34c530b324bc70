"""A plan as Kubernetes objects: plain mappings, made by pure functions that know no role.

Services, probes, policies and claims follow from a workload's ports, edges, volumes and spread. What is placed by Pulumi and what is
rendered for GitOps are these same mappings; Secrets are not among them, since a plan holds none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.kubernetes.instrumentation import instrumentation_objects
from components.kubernetes.issued import issued_objects
from components.kubernetes.names import FAMILIES, PART_OF, claim_name, common_metadata, cpu, metadata, quantity, selector
from components.kubernetes.pods import document_key, template
from components.kubernetes.policies import deny_all, workload_policies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.kubernetes.names import Object
    from components.workload import Gateway, Job, Plan, Site, Volume, Workload

CONTROLLERS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
"""The kinds that make pods."""

_READ = ["get", "list", "watch"]
_RBAC = "rbac.authorization.k8s.io"

_UNAWAITED = {"pulumi.com/skipAwait": "true"}
"""Annotation that tells Pulumi's provider not to wait until an object is in use."""

_ROUNDS = 10
"""Rounds in which the pods of all nodes are replaced, a tenth of them at a time."""

_ENGINE_SECONDS, _PULL_SECONDS = 600, 60
"""Time that Pulumi waits for a controller unless it is told otherwise, and for which an image may have to be pulled."""

_SLOWLY: Object = {"scaleDown": {"stabilizationWindowSeconds": 1800, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 600}]}}
"""How replicas with a volume of their own become fewer: one at a time and not soon, because each has a share that moves."""

_TEMPLATE_BYTES = 2**30
"""Size in the claim template of a StatefulSet. It never changes, since Kubernetes lets no template change, and is used for no replica
of a plan: their claims exist before them, with the size that the plan says."""


def namespace_objects(plan: Plan) -> list[Object]:
    """The namespace, what holds for everything in it (the profile ``restricted``, a quota, default limits, no traffic), and its Secrets."""
    profile = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    whole = common_metadata(plan, plan.namespace, None)
    inside = common_metadata(plan, "backbone", plan.namespace)
    unset = {"memory": quantity(128 * 2**20)}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": whole | {"labels": whole["labels"] | profile}},
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": inside, "spec": {"hard": _quota(plan)}},
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": inside,
            # The quota refuses pods that say nothing; those that others put here, for a certificate say, need not know it.
            "spec": {"limits": [{"type": "Container", "default": unset, "defaultRequest": unset | {"cpu": "10m"}}]},
        },
        deny_all(plan),
        *issued_objects(plan),
    ]


def _quota(plan: Plan) -> Object:
    quota = plan.quota
    return {
        "pods": str(quota.pods),
        "requests.cpu": cpu(quota.cpu_millicores),
        "requests.memory": quantity(quota.memory_bytes),
        "limits.memory": quantity(quota.memory_bytes),
        "requests.storage": quantity(quota.storage_bytes),
        "persistentvolumeclaims": str(quota.claims),
        # Nothing here is offered outside of the cluster but through an Ingress.
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }


def workload_objects(plan: Plan, workload: Workload) -> list[Object]:
    """The objects of a workload, in the order in which they are needed: the controller of its pods comes after all that the pods use."""
    return [
        service_account(plan, workload),
        *_access_rules(plan, workload),
        _documents(plan, workload),
        *_claims(plan, workload),
        *workload_policies(plan, workload),
        *_service(plan, workload),
        *_disruption_budget(plan, workload),
        _controller(plan, workload),
        *_autoscaler(plan, workload),
        *_way_in(plan, workload),
    ]


def consumer_objects(plan: Plan, variables: Mapping[str, str]) -> list[Object]:
    """A ConfigMap in each namespace that is told where to send: the ``variables`` that configure a service, for its ``envFrom``.

    Where the plan has the OpenTelemetry operator configure services, its Instrumentation stands beside each.
    """
    found: list[Object] = []
    for namespace in plan.told_namespaces:
        head = common_metadata(plan, PART_OF, namespace)
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": head, "data": dict(variables)})
        found += instrumentation_objects(plan, namespace, variables)
    return found


def service_account(plan: Plan, workload: Workload | Job) -> Object:
    """The account of the pods of a workload or a job, which may pull images from the mirror."""
    # On the account and not in the pods: another pull secret restarts nothing.
    pull = {"imagePullSecrets": [{"name": plan.pull_secret}]} if plan.pull_secret else {}
    head = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(plan, workload, annotations=workload.identity.annotations)}
    return head | {"automountServiceAccountToken": False} | pull


def _access_rules(plan: Plan, workload: Workload) -> Iterator[Object]:
    """A cluster role and its binding for the resources that a workload reads, in all namespaces."""
    if not workload.identity.reads:
        return
    # An object in no namespace carries the namespace in its name, so that two backbones can live in one cluster.
    head = metadata(plan, workload, f"{plan.namespace}-{workload.name}")
    del head["namespace"]
    subject = {"kind": "ServiceAccount", "name": workload.name, "namespace": plan.namespace}
    rules = [{"apiGroups": [group], "resources": list(resources), "verbs": _READ} for group, resources in workload.identity.reads.items()]
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": head["name"]}
    yield {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": head, "rules": rules}
    yield {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": head, "roleRef": reference, "subjects": [subject]}


def _documents(plan: Plan, workload: Workload) -> Object:
    data = {document_key(document.name): document.text for document in workload.documents}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(plan, workload), "data": data}


def _claims(plan: Plan, workload: Workload) -> Iterator[Object]:
    """The claims of all replicas. They are objects of their own, so that they can be protected, grown and seen."""
    for volume in workload.volumes:
        if volume.survives == "workload":
            for ordinal in range(workload.most_replicas):
                head = metadata(plan, workload, claim_name(workload, volume.name, ordinal))
                spec = _claim_spec(volume, volume.size_bytes)
                yield {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": head, "spec": spec}


def protected_claims(workload: Workload) -> frozenset[str]:
    """The names of the claims of a workload that must not be deleted by a deployment."""
    return frozenset(
        claim_name(workload, volume.name, ordinal)
        for volume in workload.volumes
        if volume.protect and volume.survives == "workload"
        for ordinal in range(workload.most_replicas)
    )


def _claim_spec(volume: Volume, size_bytes: int) -> Object:
    chosen = {"storageClassName": volume.storage_class} if volume.storage_class else {}
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": quantity(size_bytes)}}} | chosen


def _service(plan: Plan, workload: Workload) -> Iterator[Object]:
    """A Service with the ports that an edge leads to: on the sender's own node, of each replica by itself, or of all alike."""
    asked = {edge.port.name for edge in plan.edges if edge.destination == workload.name}
    ports = [
        {"name": port.name, "port": port.number, "targetPort": port.name, "protocol": "TCP"}
        for port in workload.ports
        if port.name in asked
    ]
    if not ports:
        return
    spec: Object = {"type": "ClusterIP", "selector": selector(workload), "ports": ports, **FAMILIES[plan.addresses]}
    if workload.spread == "every-node":
        spec["internalTrafficPolicy"] = "Local"
    if workload.spread == "ordered":
        spec["clusterIP"] = "None"
    # Its pods come after it and are waited for themselves.
    yield {"apiVersion": "v1", "kind": "Service", "metadata": metadata(plan, workload, annotations=_UNAWAITED), "spec": spec}


def _disruption_budget(plan: Plan, workload: Workload) -> Iterator[Object]:
    """PodDisruptionBudget: one replica at a time goes while nodes are emptied. None for a single replica."""
    if workload.spread not in {"replicated", "ordered"} or workload.most_replicas == 1:
        return
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": selector(workload)},
        # A replica that does not run anyway must not keep a node from being emptied.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    yield {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(plan, workload), "spec": spec}


def _controller(plan: Plan, workload: Workload) -> Object:
    """Controller of the pods: a DaemonSet, a Deployment, or a StatefulSet, which alone never runs one replica twice."""
    # The new one takes over before the old one goes.
    gapless = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    # One after the other a rollout over hundreds of nodes would last for hours. The share is rounded up.
    by_tenths = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": f"{100 // _ROUNDS}%", "maxUnavailable": 0}}
    spec: Object = {"selector": {"matchLabels": selector(workload)}, "template": template(plan, workload)}
    if workload.spread == "every-node":
        kind, spec = "DaemonSet", spec | {"updateStrategy": by_tenths}
    elif workload.spread == "replicated":
        kind, spec = "Deployment", spec | _fixed(workload) | {"strategy": gapless}
    else:
        kind, spec = "StatefulSet", spec | _stateful(workload)
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata(plan, workload, annotations=_awaited(workload)), "spec": spec}


def _awaited(workload: Workload) -> dict[str, str]:
    """The time that Pulumi waits for a rollout, where its own is too short: each round has a grace, a start, and an image to pull.

    Source: https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/#pulumicomtimeoutseconds.
    """
    rounds = _ROUNDS if workload.spread == "every-node" else workload.most_replicas
    seconds = rounds * (workload.grace_seconds + _PULL_SECONDS + workload.health.start_seconds)
    return {"pulumi.com/timeoutSeconds": str(seconds)} if seconds > _ENGINE_SECONDS else {}


def _fixed(workload: Workload) -> Object:
    """The number of replicas. Of one that the cluster decides on nothing is said, because each deployment would set it back."""
    return {"replicas": workload.replicas} if workload.autoscaling is None else {}


def _autoscaler(plan: Plan, workload: Workload) -> Iterator[Object]:
    """HorizontalPodAutoscaler of a workload, by CPU and by what waits for it.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2.
    """
    scale = workload.autoscaling
    if scale is None:
        return
    cpu_use = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": scale.cpu_percent}}
    metrics: list[Object] = [{"type": "Resource", "resource": cpu_use}]
    if (found := scale.waiting) is not None:
        series = {"name": found.series, "selector": {"matchLabels": dict(found.labels)}}
        waiting = {"metric": series, "target": {"type": "AverageValue", "averageValue": quantity(found.each)}}
        metrics.append({"type": "External", "external": waiting})
    ordered = workload.spread == "ordered"
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet" if ordered else "Deployment", "name": workload.name},
        "minReplicas": workload.replicas,
        "maxReplicas": scale.max_replicas,
        "metrics": metrics,
        **({"behavior": _SLOWLY} if ordered else {}),
    }
    # Without a metrics server it would never be ready.
    head = metadata(plan, workload, annotations=_UNAWAITED)
    yield {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": head, "spec": spec}


def _stateful(workload: Workload) -> Object:
    claimed = _claim_templates(workload) if workload.spread == "ordered" else []
    return {
        **_fixed(workload),
        "serviceName": workload.name,
        # In order, a replica that cannot start would keep its own repair from being rolled out.
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        **({"volumeClaimTemplates": claimed} if claimed else {}),
    }


def _claim_templates(workload: Workload) -> list[Object]:
    """Templates that tell a StatefulSet to look for the claim of each replica by its name."""
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": volume.name},
            "spec": _claim_spec(volume, _TEMPLATE_BYTES),
        }
        for volume in workload.volumes
        if volume.survives == "workload"
    ]


def _way_in(plan: Plan, workload: Workload) -> Iterator[Object]:
    """The object by which browsers reach a workload under a host name: an HTTPRoute of a Gateway, or an Ingress."""
    if workload.site is not None:
        site = workload.site
        yield _ingress(plan, workload, site) if site.gateway is None else _route(plan, workload, site, site.gateway)


def _ingress(plan: Plan, workload: Workload, site: Site) -> Object:
    # Some controllers never write an address back, and there may be none yet; nothing that is deployed waits for it.
    head = metadata(plan, workload, annotations=_UNAWAITED)
    backend = {"service": {"name": workload.name, "port": {"name": site.port}}}
    spec: Object = {
        "tls": [{"hosts": [site.host], "secretName": site.tls_secret}],
        "rules": [{"host": site.host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
    }
    if site.ingress_class is not None:
        spec["ingressClassName"] = site.ingress_class
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": head, "spec": spec}


def _route(plan: Plan, workload: Workload, site: Site, gateway: Gateway) -> Object:
    """HTTPRoute of a Gateway (source: https://gateway-api.sigs.k8s.io/reference/spec/#httproute)."""
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": gateway.namespace, "name": gateway.name}
    listener = {"sectionName": gateway.listener} if gateway.listener is not None else {}
    backend = {"group": "", "kind": "Service", "name": workload.name, "port": workload.port(site.port).number, "weight": 1}
    spec: Object = {
        "parentRefs": [parent | listener],
        "hostnames": [site.host],
        "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [backend]}],
    }
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata(plan, workload), "spec": spec}
