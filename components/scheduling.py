"""Rules for the pods of a workload on a cluster: the nodes that they may run on, and the order in which they are evicted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Zones = Literal["ignored", "preferred", "required"]
"""Spread of replicas over zones: none, one that gives way, one for which a replica waits."""


@dataclass(frozen=True, slots=True)
class Toleration:
    """A taint on which pods may run. None stands for every key, value or effect."""

    key: str | None
    value: str | None
    effect: str | None


@dataclass(frozen=True, slots=True)
class NodeAffinity:
    """A condition on the label ``key`` of a node, or with a ``weight`` of 1 to 100 a preference."""

    key: str
    operator: str
    values: tuple[str, ...]
    weight: int | None


@dataclass(frozen=True, slots=True)
class PodAffinity:
    """A condition on pods with these ``labels`` in the same topology, or with a ``weight`` of 1 to 100 a preference.

    ``apart`` says that pods stay away from them. Without ``namespaces`` those of the workload's own namespace are meant.
    """

    labels: Mapping[str, str]
    namespaces: tuple[str, ...]
    topology_key: str
    apart: bool
    weight: int | None


@dataclass(frozen=True, slots=True)
class Scheduling:
    """Rules for the pods of a workload. ``log_bytes`` is what the log of a pod may take of its node's disk."""

    priority_class: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    node_affinity: tuple[NodeAffinity, ...] = ()
    pod_affinity: tuple[PodAffinity, ...] = ()
    zones: Zones = "preferred"
    log_bytes: int = 128 * 2**20
