"""Names, labels and quantities of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import Family, Job, Plan, Workload

Object = dict[str, Any]
"""A Kubernetes object as its API has it, in plain values."""

PART_OF = "virtengine-tracing"
"""Name of the whole to which all objects belong, and of the ConfigMap and Secret in the namespaces of consumers."""

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label that the API server itself puts on each namespace, and that nobody can take for another."""

FAMILIES: Mapping[Family, Object] = {
    # Nothing is said where the cluster's own default does, so that Services which are there stay as they are.
    "ipv4": {},
    "ipv6": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]},
    # Not required: a cluster with one family would refuse the Service.
    "dual": {"ipFamilyPolicy": "PreferDualStack"},
}
"""Fields of a Service by the families of addresses."""

_BINARY = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))
_DECIMAL = (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3))


def quantity(value: int) -> str:
    """Bytes in the form that the API server keeps, so that what is read back equals what was written: ``512Mi``."""
    for unit, size in _BINARY + _DECIMAL:
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


def cpu(millicores: int) -> str:
    """Thousandths of a core in the form that the API server keeps: ``2`` or ``500m``."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def selector(workload: Workload | Job) -> dict[str, str]:
    """The labels that tell the pods of a workload or a job from all others of the namespace; they never change."""
    return {"app.kubernetes.io/name": workload.name, "app.kubernetes.io/part-of": PART_OF}


def common_labels(plan: Plan) -> dict[str, str]:
    """The labels of every object of a plan: the user's, and those that tell one backbone of a cluster from another."""
    # The namespace is what a cluster has once; two stacks may have one name.
    own = {"app.kubernetes.io/part-of": PART_OF, "app.kubernetes.io/instance": plan.namespace, "app.kubernetes.io/managed-by": PART_OF}
    return {**plan.labels, **own}


def labels(plan: Plan, workload: Workload | Job) -> dict[str, str]:
    """The labels of every object of a workload, its pods included."""
    own = {"app.kubernetes.io/component": workload.role, "app.kubernetes.io/version": workload.server.tag}
    return common_labels(plan) | selector(workload) | own


def common_metadata(plan: Plan, name: str, namespace: str | None) -> dict[str, Any]:
    """The metadata of an object that belongs to no workload; ``namespace`` is None for one that is in none."""
    inside = {} if namespace is None else {"namespace": namespace}
    return {"name": name, **inside, "labels": common_labels(plan), **_annotated(plan, {})}


def metadata(plan: Plan, workload: Workload | Job, name: str | None = None, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The metadata of an object of a workload or a job, named after it unless a name is given."""
    head = {"name": name or workload.name, "namespace": plan.namespace, "labels": labels(plan, workload)}
    return head | _annotated(plan, annotations or {})


def _annotated(plan: Plan, own: Mapping[str, str]) -> dict[str, Any]:
    """The annotations of an object, the user's and its own; no entry where there are none."""
    found = {**plan.annotations, **own}
    return {"annotations": found} if found else {}


def claim_name(workload: Workload, volume: str, ordinal: int) -> str:
    """The name of a claim: the one that a StatefulSet looks for on behalf of its replica ``ordinal``."""
    return f"{volume}-{workload.name}-{ordinal}"
