"""Resources that policies look at, of Kubernetes and of Docker, and the parts of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

COMPONENT = "app.kubernetes.io/component"
"""Label that names the role of a workload."""
_CONTAINER, _IMAGE = "docker:index/container:Container", "docker:index/remoteImage:RemoteImage"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack. ``kind`` is that of a Kubernetes object, or ``Container`` or ``RemoteImage`` of Docker.

    ``protected`` tells whether the engine refuses to delete it.
    """

    kind: str
    name: str
    properties: Mapping[str, Any] = field(repr=False)
    protected: bool = False

    @property
    def component(self) -> str:
        """Role of the workload that an object belongs to; empty where it has none."""
        return str(at(self.properties, "metadata", "labels").get(COMPONENT, ""))

    def __str__(self) -> str:
        """Kind and name, as people write them."""
        return f"{self.kind} {self.name}"


def at(value: Any, *path: str) -> Mapping[str, Any]:  # noqa: ANN401  what documents hold
    """Return the mapping at a path of keys; an empty one where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def of_engine(kind: str, name: str, properties: Mapping[str, Any], *, protected: bool) -> Resource | None:
    """Return a resource as the engine tells of it, or None for one that no policy looks at. ``kind`` is its type token."""
    if kind.startswith("kubernetes:"):
        return Resource(kind.rpartition(":")[2], str(at(properties, "metadata").get("name", name)), properties, protected)
    if kind in {_CONTAINER, _IMAGE}:
        return Resource(kind.rpartition(":")[2], str(properties.get("name", name)), properties, protected)
    return None


def of_kind(resources: Iterable[Resource], *kinds: str) -> list[Resource]:
    """Return the resources of some kinds."""
    return [resource for resource in resources if resource.kind in kinds]


def pod_specs(resources: Iterable[Resource]) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
    """Yield each controller of pods with the specification of its pods."""
    for resource in of_kind(resources, "DaemonSet", "Deployment", "StatefulSet", "Job"):
        yield resource, at(resource.properties, "spec", "template", "spec")
    for resource in of_kind(resources, "CronJob"):
        yield resource, at(resource.properties, "spec", "jobTemplate", "spec", "template", "spec")
    for resource in of_kind(resources, "Pod"):
        yield resource, at(resource.properties, "spec")


def containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the containers of a pod, those that prepare it first."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def documents(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str, Mapping[str, Any]]]:
    """Yield each server's document in YAML with the resource that holds it and its name."""
    for resource in resources:
        if resource.kind == "ConfigMap":
            texts = list(at(resource.properties, "data").items())
        else:
            texts = [(str(one.get("file", "")).rpartition("/")[2], one.get("content")) for one in resource.properties.get("uploads") or ()]
        for name, text in texts:
            if isinstance(text, str) and re.search(r"\.ya?ml$", name):
                document = yaml.safe_load(text)
                if isinstance(document, dict):
                    yield resource, name, document
