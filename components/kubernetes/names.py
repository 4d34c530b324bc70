"""Names, labels and quantities of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.workload import Plan, Workload

Object = dict[str, Any]
"""A Kubernetes object as its API has it, in plain values."""

PART_OF = "virtengine-tracing"
"""Name of the whole to which all objects belong, and of the ConfigMap and Secret in the namespaces of consumers."""

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label that the API server itself puts on each namespace, and that nobody can take for another."""

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


def selector(workload: Workload) -> dict[str, str]:
    """The labels that tell the pods of a workload from all others of the namespace; they never change."""
    return {"app.kubernetes.io/name": workload.name, "app.kubernetes.io/part-of": PART_OF}


def labels(workload: Workload) -> dict[str, str]:
    """The labels of every object of a workload."""
    return selector(workload) | {"app.kubernetes.io/component": workload.role}


def metadata(plan: Plan, workload: Workload, name: str | None = None, **more: object) -> dict[str, Any]:
    """The metadata of an object of a workload, named after it unless a name is given."""
    return {"name": name or workload.name, "namespace": plan.namespace, "labels": labels(workload), **more}


def claim_name(workload: Workload, volume: str, ordinal: int) -> str:
    """The name of a claim: the one that a StatefulSet looks for on behalf of its replica ``ordinal``."""
    return f"{volume}-{workload.name}-{ordinal}"
