"""A deployment that waits in vain: its pods on a real API server, their statuses as a kubelet writes them, and an engine that waits."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stacks.deploy.engine import Engine, EngineStoppedError
from stacks.deploy.hints import Place
from stacks.deploy.watch import ClusterWatch
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.stacks.deploy.clusters import Cluster

IMAGE = "127.0.0.1:1/none/jaeger:2.20.0"
REFUSED = f'failed to pull and unpack image "{IMAGE}": dial tcp 127.0.0.1:1: connect: connection refused'
PROGRAM = """#!{python}
import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(255))
print("StatefulSet jaeger creating", flush=True)
signal.pause()
"""
LOST = {
    "state": {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{IMAGE}": ErrImagePull: {REFUSED}'}},
}
CRASHED = {
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
    "restartCount": 3,
}


class Jaeger:
    """A StatefulSet with one pod, in a namespace of its own."""

    def __init__(self, cluster: Cluster, *, image: str = IMAGE, of_pod: str | None = None) -> None:
        self.cluster, self.namespace = cluster, cluster.namespace()
        self.place = Place("prod", self.namespace, cluster.context)
        labels = {"app.kubernetes.io/name": "jaeger"}
        spec = {"selector": {"matchLabels": labels}, "serviceName": "jaeger", "template": _template(labels, image)}
        cluster.ask("POST", f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets", {"metadata": {"name": "jaeger"}, "spec": spec})
        pod = _template(labels, of_pod or image)
        pod["metadata"]["name"] = "jaeger-0"
        cluster.ask("POST", f"/api/v1/namespaces/{self.namespace}/pods", pod)

    def says(self, container: dict[str, Any]) -> None:
        """Write the status of the pod's container, as its kubelet would."""
        whole = {"name": "jaeger", "image": IMAGE, "imageID": "", "ready": False, "restartCount": 0} | container
        status = {"phase": "Pending", "containerStatuses": [whole]}
        self.cluster.status(f"/api/v1/namespaces/{self.namespace}/pods/jaeger-0", status)

    def warned(self, about: tuple[str, str, str], reason: str, message: str) -> None:
        """Write an event, as a controller or a kubelet would."""
        version, kind, name = about
        event = {
            "metadata": {"generateName": "test-"},
            "involvedObject": {"apiVersion": version, "kind": kind, "name": name, "namespace": self.namespace},
            "type": "Warning",
            "reason": reason,
            "message": message,
        }
        self.cluster.ask("POST", f"/api/v1/namespaces/{self.namespace}/events", event)

    def watch(self, said: list[str], *, hopeless_seconds: float = 0.0) -> ClusterWatch:
        """A watch over it."""
        return ClusterWatch(self.place, self.cluster.context, said.append, hopeless_seconds=hopeless_seconds, poll_seconds=0.05)


def _template(labels: dict[str, str], image: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels, "annotations": {"virtengine.io/documents": "1"}},
        "spec": {"containers": [{"name": "jaeger", "image": image}]},
    }


def _stopped(watch: ClusterWatch, then: Callable[[], None] = lambda: None) -> str | None:
    """The verdict of a watch on what happens ``then``, waited for."""
    stopped = threading.Event()
    with watch.beside(stopped.set):
        then()
        assert stopped.wait(STALL_SECONDS)
    return watch.verdict


def test_an_engine_that_waits_for_an_image_in_vain_is_stopped_and_says_why(cluster: Cluster, tmp_path: Path) -> None:
    said: list[str] = []
    jaeger = Jaeger(cluster)
    jaeger.says(LOST)
    program = tmp_path / "pulumi"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    engine = Engine(str(program), {}, jaeger.place, tmp_path / "Pulumi.prod.yaml")
    with pytest.raises(EngineStoppedError) as stopped:
        engine.operate("up", watch=jaeger.watch(said, hopeless_seconds=1))
    told = str(stopped.value)
    assert f"prod: {jaeger.namespace}/jaeger-0: image {IMAGE} cannot be pulled" in told
    assert "connection refused" in told
    assert told.splitlines()[-1].startswith("then: correct environment.images (registry, digests, pull_secret) in Pulumi.prod.yaml")
    assert "waiting for jaeger-0 (image" in said[0]


def test_a_server_that_ends_at_its_start_is_told_with_its_exit_code(cluster: Cluster) -> None:
    jaeger = Jaeger(cluster)
    jaeger.says(CRASHED)
    told = str(_stopped(jaeger.watch([])))
    assert "jaeger-0: ended with exit code 1 (Error), 3 restarts" in told
    assert f"image {IMAGE}" in told
    assert f"kubectl --context {cluster.context} --namespace {jaeger.namespace} logs jaeger-0 --previous" in told


def test_pods_that_their_controller_may_not_make_are_told(cluster: Cluster) -> None:
    jaeger = Jaeger(cluster)
    about, message = ("apps/v1", "StatefulSet", "jaeger"), 'pods "jaeger-1" is forbidden: exceeded quota: backbone'
    told = str(_stopped(jaeger.watch([]), lambda: jaeger.warned(about, "FailedCreate", message)))
    assert "StatefulSet jaeger: " in told
    assert "exceeded quota: backbone" in told
    assert "describe statefulset/jaeger" in told


@pytest.mark.parametrize(
    "container",
    [
        CRASHED | {"restartCount": 1},
        {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "intake" not found'}}},
        {"state": {"waiting": {"reason": "ContainerCreating"}}},
    ],
)
def test_what_may_still_come_is_said_and_waited_for(cluster: Cluster, container: dict[str, Any]) -> None:
    said: list[str] = []
    jaeger = Jaeger(cluster)
    jaeger.says(container)
    watch = jaeger.watch(said)
    with watch.beside(lambda: said.append("stopped")):
        until(lambda: said, "progress to be said")
        jaeger.warned(("v1", "Pod", "jaeger-0"), "FailedMount", 'secret "intake" not found')
        jaeger.says({"state": {"waiting": {"reason": "ContainerCreating"}}})
        until(lambda: any("FailedMount" in line for line in said), lambda: said)
    assert watch.verdict is None
    assert "stopped" not in said


def test_a_failure_that_goes_away_in_time_stops_nothing(cluster: Cluster) -> None:
    said: list[str] = []
    jaeger = Jaeger(cluster)
    jaeger.says(LOST)
    watch = jaeger.watch(said, hopeless_seconds=STALL_SECONDS)
    with watch.beside(lambda: said.append("stopped")):
        until(lambda: any("cannot be pulled" in line for line in said), lambda: said)
        jaeger.says({"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}})
        until(lambda: any("is starting" in line for line in said), lambda: said)
    assert watch.verdict is None
    assert watch._seen == {}


def test_a_pod_of_an_older_template_is_on_its_way_out_and_not_judged(cluster: Cluster) -> None:
    said: list[str] = []
    jaeger = Jaeger(cluster, image="registry.example/jaeger:2", of_pod=IMAGE)
    jaeger.says(LOST)
    jaeger.warned(("v1", "Pod", "another"), "FailedMount", "no matter")
    watch = jaeger.watch(said)
    looked = threading.Event()
    found = watch._waiting

    def look(started: str) -> list[Any]:
        waits = found(started)
        looked.set()
        return waits

    watch._waiting = look  # type: ignore[method-assign]
    with watch.beside(lambda: said.append("stopped")):
        assert looked.wait(STALL_SECONDS)
    assert said == []


def test_a_cluster_that_is_away_stops_nothing() -> None:
    said: list[str] = []
    watch = ClusterWatch(Place("prod", "nowhere", "no-such-context"), "no-such-context", said.append, poll_seconds=0.01)
    with watch.beside(lambda: said.append("stopped")):
        pass
    assert said == []
