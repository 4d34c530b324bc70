"""A look at the cluster while the engine deploys: what it waits for is said, and an engine that waits in vain is stopped."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stacks.deploy import cluster
from stacks.deploy.pods import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stacks.deploy.hints import Place
    from stacks.deploy.pods import Waiting

POLL_SECONDS = 2.0
SAID_AGAIN_SECONDS = 30.0
HOPELESS_SECONDS = 60.0
"""Age of a failure that is then taken for lasting: a registry that is away for a moment, or a first start that fails, costs less."""

HOPELESS_RESTARTS = 3
"""Starts again of a container that ended, before it is taken for broken; the kubelet has made three within 75 s."""

_CONTROLLERS = ("daemonsets", "deployments", "statefulsets")


@dataclass
class ClusterWatch:
    """A watch over the pods of one namespace. A failure is taken for lasting after ``hopeless_seconds``."""

    place: Place
    context: str
    say: Callable[[str], None]
    hopeless_seconds: float = HOPELESS_SECONDS
    poll_seconds: float = POLL_SECONDS
    verdict: str | None = None
    _seen: dict[tuple[str, str], float] = field(default_factory=dict)
    _said: tuple[str, float] = ("", 0.0)

    @contextmanager
    def beside(self, stop: Callable[[], None]) -> Iterator[None]:
        """Watch until the context ends; ``stop`` is called once, when a pod cannot come to be."""
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(stop, ended), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join(timeout=cluster.ANSWER_SECONDS)

    def _watch(self, stop: Callable[[], None], ended: threading.Event) -> None:
        begun, started = time.monotonic(), datetime.now(UTC).isoformat()
        while not ended.wait(self.poll_seconds):
            try:
                found = self._waiting(started)
            except cluster.ClusterError:
                continue  # the engine meets the same, and says it
            hopeless = self._judge(found)
            if hopeless is not None:
                self.verdict = self._told(hopeless)
                stop()
                return
            self._progress(found, time.monotonic() - begun)

    def _waiting(self, started: str) -> list[Waiting]:
        within, apps = f"/api/v1/namespaces/{self.place.namespace}", f"/apis/apps/v1/namespaces/{self.place.namespace}"
        pods = self._items(f"{within}/pods")
        events = [event for event in self._items(f"{within}/events?fieldSelector=type%3DWarning") if _last(event) >= started[:19]]
        templates = {
            found["metadata"]["name"]: found["spec"]["template"] for kind in _CONTROLLERS for found in self._items(f"{apps}/{kind}")
        }
        return waiting(pods, events, templates)

    def _items(self, path: str) -> list[dict[str, Any]]:
        return (cluster.ask(self.context, "GET", path) or {}).get("items") or []

    def _judge(self, found: list[Waiting]) -> Waiting | None:
        """The first failure that has lasted too long. The age of one that went away begins anew."""
        now, failures = time.monotonic(), [one for one in found if one.kind != "wait"]
        self._seen = {(one.name, one.kind): self._seen.get((one.name, one.kind), now) for one in failures}
        for one in failures:
            lasts = now - self._seen[one.name, one.kind]
            if lasts >= self.hopeless_seconds and (one.kind != "crash" or one.restarts >= HOPELESS_RESTARTS):
                return one
        return None

    def _progress(self, found: list[Waiting], seconds: float) -> None:
        """Say what is waited for when that changes, and now and then when it does not."""
        told = "; ".join(map(str, found))
        said, at = self._said
        if told and (told != said or seconds - at >= SAID_AGAIN_SECONDS):
            self.say(f"waiting for {told} [{seconds:.0f} s]")
            self._said = (told, seconds)

    def _told(self, one: Waiting) -> str:
        within = f"{self.place.kubectl} --namespace {self.place.namespace}"
        again = f"python -m stacks up {self.place.name}"
        what = f"{self.place.name}: {self.place.namespace}/{one.name}: {one.cause}"
        if one.kind == "pull":
            fields = "environment.images (registry, digests, pull_secret)"
            return f"{what}\nthen: correct {fields} in Pulumi.{self.place.name}.yaml, or push the image there, and {again}"
        if one.kind == "crash":
            said = [f"  {line}" for line in cluster.last_words(self.context, self.place.namespace, one.name)]
            what = "\n".join([f"{what}, image {one.image}", *said])
            return f"{what}\nthen: {within} logs {one.name} --previous, correct what it says, and {again}"
        return (
            f"{what}\nthen: {within} describe {one.name.lower().replace(' ', '/') if ' ' in one.name else f'pod/{one.name}'}, and {again}"
        )


def _last(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")[:19]
