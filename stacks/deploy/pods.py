"""The condition of pods, read from the mappings of the API: what one waits for, and whether waiting can help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Kind = Literal["pull", "crash", "create", "wait"]

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"})
_REFUSED = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pod that does not take traffic, or a controller that cannot make one.

    ``kind`` tells what it waits for: an image (``pull``), a process that ends again and again (``crash``), leave to be made or started
    (``create``), or what may still come by itself (``wait``). ``restarts`` is how often its container was started again.
    """

    name: str
    kind: Kind
    cause: str
    image: str = ""
    restarts: int = 0

    def __str__(self) -> str:
        return f"{self.name} ({self.cause})"


def waiting(pods: Iterable[Mapping[str, Any]], events: Iterable[Mapping[str, Any]], templates: Mapping[str, Any]) -> list[Waiting]:
    """Return the causes for which pods of the present templates wait, and the controllers that cannot create pods.

    ``events`` are warnings, ``templates`` the pod templates of controllers by the name of their workload. A pod of an older template is
    on its way out and says nothing of the new one.
    """
    warned = {_about(event): event for event in sorted(events, key=_when)}
    found = [_pod(pod, warned) for pod in pods if _current(pod, templates)]
    return [one for one in found if one is not None] + list(_controllers(warned))


def _current(pod: Mapping[str, Any], templates: Mapping[str, Any]) -> bool:
    head = pod["metadata"]
    template = templates.get(str((head.get("labels") or {}).get("app.kubernetes.io/name")))
    if head.get("deletionTimestamp") or template is None:
        return False
    annotations = template["metadata"].get("annotations") or {}
    return _images(pod) == _images(template) and annotations.items() <= (head.get("annotations") or {}).items()


def _images(pod: Mapping[str, Any]) -> list[str]:
    return [container["image"] for container in pod["spec"]["containers"]]


def _pod(pod: Mapping[str, Any], warned: Mapping[tuple[str, str], Mapping[str, Any]]) -> Waiting | None:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    conditions = {found["type"]: found for found in status.get("conditions") or []}
    if (conditions.get("Ready") or {}).get("status") == "True" or status.get("phase") == "Succeeded":
        return None
    if (scheduled := conditions.get("PodScheduled") or {}).get("status") == "False":
        return Waiting(name, "wait", f"no node takes it: {scheduled.get('message', scheduled.get('reason', 'no reason is given'))}")
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if (found := _container(name, container)) is not None:
            return found
    warning = warned.get(("Pod", name))
    return Waiting(name, "wait", f"{warning['reason']}: {_line(warning['message'])}" if warning else "is starting")


def _container(pod: str, status: Mapping[str, Any]) -> Waiting | None:
    """Return the fault of a container, or None when its state tells none."""
    state, image, restarts = status.get("state") or {}, str(status.get("image", "")), int(status.get("restartCount", 0))
    held = state.get("waiting") or {}
    reason, message = str(held.get("reason", "")), _line(str(held.get("message", "")))
    if reason in _PULL:
        return Waiting(pod, "pull", f"image {image} cannot be pulled: {message or reason}", image)
    if reason in _REFUSED:
        # A Secret or a ConfigMap may still come; what the kubelet or the runtime refuses stays refused.
        kind: Kind = "wait" if "not found" in message else "create"
        return Waiting(pod, kind, f"its container cannot be made: {message or reason}", image)
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
    if ended and not status.get("ready"):
        said = f": {_line(ended['message'])}" if ended.get("message") else ""
        cause = f"ended with exit code {ended.get('exitCode')} ({ended.get('reason', 'no reason is given')}){said}, {restarts} restarts"
        return Waiting(pod, "crash", cause, image, restarts)
    return None


def _controllers(warned: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[Waiting]:
    for (kind, name), event in warned.items():
        if event["reason"] == "FailedCreate":
            yield Waiting(f"{kind} {name}", "create", _line(event["message"]))


def _about(event: Mapping[str, Any]) -> tuple[str, str]:
    told = event["involvedObject"]
    return str(told.get("kind")), str(told.get("name"))


def _when(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _line(text: str) -> str:
    return " ".join(text.split())
