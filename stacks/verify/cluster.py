"""A backbone on a cluster, as its API tells of it."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.kubernetes.names import PART_OF
from components.kubernetes.pods import CHECKSUM, document_key
from stacks.deploy import cluster
from stacks.deploy.cluster import ClusterError
from stacks.deploy.probe import in_cluster
from stacks.placement.manifests import kubernetes_objects
from stacks.placement.outputs import CERTIFICATE_KEY, CONSUMER_OBJECT, outputs, with_token
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from stacks.verify.alerts import planned
from stacks.verify.differences import subset
from stacks.verify.findings import CannotTellError
from stacks.verify.site import Instance, Loaded, Use, Version, Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.workload import Document, Port
    from stacks.environment.model import Environment
    from stacks.environment.source import Named
    from stacks.placement.outputs import Outputs

    Object = dict[str, Any]

_AT_ONCE = 8
_TWO_RUNS = timedelta(days=2)
"""Time after which a job of every day has missed a run."""
_NETWORK = frozenset({"NetworkPolicy", "Service", "Ingress", "HTTPRoute"})
_LISTED = {
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Service": "/api/v1/namespaces/{}/services",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
}
"""The paths of the kinds of which one more opens something, since policies add up."""
_TOKEN = "VIRTENGINE_TRACING_TOKEN"  # noqa: S105 - the name of an entry


class Cluster:
    """The backbone of ``named`` on the cluster that its environment names. Raises ``ClusterError`` where there is none."""

    def __init__(self, named: Named) -> None:
        target = named.environment.target
        assert target.kind == "kubernetes"  # noqa: S101 - tells mypy
        self._context = target.context
        self.environment: Environment = named.environment
        self.plan = plan(named.environment, addresses_of(named), name=named.name)
        self.alerts = planned(self.plan)
        self.where = f"{named.name} in {self.plan.namespace} of {self._context}"
        self.again = f"python -m stacks up {named.name}"
        if cluster.ask(self._context, "GET", f"/api/v1/namespaces/{self.plan.namespace}") is None:
            raise ClusterError(f"{self.where}: nothing is deployed\nthen: {self.again}")
        self._certificate = self._entry("ConfigMap", CERTIFICATE_KEY) or named.certificate
        self._pods = {pod["metadata"]["name"]: pod for pod in self._items("/api/v1/namespaces/{}/pods")}
        self._documents: dict[str, Object | None] = {}
        self.outputs = self._outputs()

    @property
    def prometheus(self) -> str | None:
        """The Prometheus that the environment names."""
        return self.environment.monitoring.prometheus

    def instances(self) -> Sequence[Instance]:
        """The pods of the plan's workloads that run and are not on their way out."""
        workloads = {workload.name: workload for workload in self.plan.workloads}
        return [
            Instance(name, workloads[_workload(pod)])
            for name, pod in sorted(self._pods.items())
            if _workload(pod) in workloads and pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
        ]

    def troubles(self) -> list[str]:
        """Workloads with fewer ready pods than planned, and why their pods are not ready."""
        told = []
        for workload in self.plan.workloads:
            ready = [name for name, pod in self._pods.items() if _workload(pod) == workload.name and _is_ready(pod)]
            wanted = workload.replicas
            if workload.spread == "every-node":
                wanted = int(((self._get("DaemonSet", workload.name) or {}).get("status") or {}).get("desiredNumberScheduled", 1))
            if len(ready) < wanted:
                told.append(f"{workload.name}: {len(ready)} of {wanted} pods are ready")
        return told

    def version(self, instance: Instance) -> Version:
        """The image of the pod."""
        return Version(self._pods[instance.name]["spec"]["containers"][0]["image"], (instance.workload.server.image,))

    def loaded(self, instance: Instance, document: Document) -> Loaded:
        """The entry of the ConfigMap, and whether the pod was started with it."""
        workload = instance.workload
        if workload.name not in self._documents:
            self._documents[workload.name] = self._get("ConfigMap", workload.name)
        held = self._documents[workload.name]
        text = ((held or {}).get("data") or {}).get(document_key(document.name))
        started_with = (self._pods[instance.name]["metadata"].get("annotations") or {}).get(CHECKSUM)
        # A text that is not the planned one is said by itself.
        if text == document.text and document.on_change == "restart" and started_with != workload.restart_checksum:
            return Loaded(text, "the pod was started before its ConfigMap had this text, and runs with an older one")
        return Loaded(text)

    def deviations(self) -> list[str]:
        """Objects that are missing or not as planned, but for documents, and what opens the network."""
        documents = {workload.name for workload in self.plan.workloads}
        wanted = [
            one
            for one in self._objects()
            if one["kind"] not in _NETWORK and not (one["kind"] == "ConfigMap" and one["metadata"]["name"] in documents)
        ]
        return self._compared(wanted)

    def openings(self) -> tuple[list[str], str]:
        """Policies and Services that are missing, not as planned, or too many."""
        wanted = [one for one in self._objects() if one["kind"] in _NETWORK]
        told = self._compared(wanted)
        for kind, path in _LISTED.items():
            planned = {one["metadata"]["name"] for one in wanted if one["kind"] == kind}
            there = {one["metadata"]["name"] for one in self._items(path, ours=False)}
            told += [f"{kind} {name} is not planned, and opens what it says" for name in sorted(there - planned)]
        if told:
            return told, ""
        raise CannotTellError(
            f"{len(wanted)} policies, Services and ways in are those of the plan; whether the cluster's network enforces them "
            "is known to a stranger's pod alone"
        )

    @contextmanager
    def reach(self, instance: Instance, port: Port) -> Iterator[Way]:
        """A port-forward to the pod, past its policies."""
        name = f"{instance.workload.name}.{self.plan.namespace}.svc"
        try:
            with cluster.forwarded_pod(
                self._context, self.plan.namespace, instance.name, instance.workload.port(port.name).number
            ) as found:
                yield Way("127.0.0.1", found, name)
        except ClusterError as error:
            raise CannotTellError(str(error).partition("\n")[0]) from None

    @contextmanager
    def way(self, url: str) -> Iterator[tuple[str, int]]:
        """A port-forward to a pod behind the Service in the URL; the address itself where it is outside of the cluster."""
        parts = urlsplit(url)
        if not in_cluster(str(parts.hostname)):
            yield str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
            return
        service, namespace, *_ = str(parts.hostname).split(".")
        try:
            with cluster.forwarded(self._context, namespace, service, parts.port or 443) as found:
                yield "127.0.0.1", found
        except ClusterError as error:
            raise CannotTellError(str(error).partition("\n")[0]) from None

    def use(self, instance: Instance, volume: str) -> Use:
        """Bytes on a volume as the node's kubelet tells them, against the planned size."""
        node = self._pods[instance.name]["spec"].get("nodeName")
        if node is None:
            raise CannotTellError(f"{instance.name} is on no node")
        try:
            summary = cluster.ask(self._context, "GET", f"/api/v1/nodes/{node}/proxy/stats/summary") or {}
        except ClusterError as error:
            raise CannotTellError(f"the kubelet of {node} cannot be asked for volumes: {str(error).partition(chr(10))[0]}") from None
        planned = next(one for one in instance.workload.volumes if one.name == volume)
        for pod in summary.get("pods", ()):
            if pod["podRef"]["name"] == instance.name and pod["podRef"]["namespace"] == self.plan.namespace:
                for found in pod.get("volume", ()):
                    if found["name"] == volume and "usedBytes" in found:
                        return Use(int(found["usedBytes"]), planned.size_bytes)
        raise CannotTellError(f"the kubelet of {node} tells nothing of volume {volume} of {instance.name}")

    def idle_jobs(self) -> list[str]:
        """Jobs that are suspended, or have not come to their end for two days."""
        return [told for job in self.plan.jobs for told in _idle(job.name, self._get("CronJob", job.name))]

    def logs(self, workload: str) -> str:
        """The logs of its pods."""
        label = f"app.kubernetes.io/name={workload}" if workload else f"app.kubernetes.io/part-of={PART_OF}"
        return f"kubectl --context {self._context} --namespace {self.plan.namespace} logs --selector {label} --tail 50"

    def _outputs(self) -> Outputs:
        contract = outputs(self.plan, certificate=self._certificate)
        if self.plan.endpoints.strategies_user is None:
            return contract
        token = self._entry("Secret", _TOKEN)
        return contract if token is None else with_token(contract, token)

    def _entry(self, kind: str, key: str) -> str | None:
        """An entry of the ConfigMap or Secret that tells services where to send; None where it is not there, or may not be read."""
        for namespace in self.plan.told_namespaces[:1]:
            mapping = {"apiVersion": "v1", "kind": kind, "metadata": {"name": CONSUMER_OBJECT, "namespace": namespace}}
            try:
                value = ((cluster.object_of(self._context, mapping) or {}).get("data") or {}).get(key)
            except ClusterError:
                return None
            return value if value is None or kind == "ConfigMap" else base64.b64decode(value).decode()
        return None

    def _get(self, kind: str, name: str) -> Object | None:
        version = {"ConfigMap": "v1", "CronJob": "batch/v1"}.get(kind, "apps/v1")
        mapping = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": self.plan.namespace}}
        try:
            return cluster.object_of(self._context, mapping)
        except ClusterError as error:
            raise CannotTellError(str(error).partition("\n")[0]) from None

    def _items(self, path: str, *, ours: bool = True) -> list[Object]:
        chosen = f"?labelSelector=app.kubernetes.io%2Fpart-of%3D{PART_OF}" if ours else ""
        found: list[Object] = (cluster.ask(self._context, "GET", path.format(self.plan.namespace) + chosen) or {}).get("items") or []
        return found

    def _objects(self) -> list[Object]:
        return [one for those in kubernetes_objects(self.plan, certificate=self._certificate).values() for one in those]

    def _compared(self, wanted: Sequence[Mapping[str, Any]]) -> list[str]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [told for those in pool.map(self._compare, wanted) for told in those]

    def _compare(self, planned: Mapping[str, Any]) -> list[str]:
        name = f"{planned['kind']} {planned['metadata']['name']}"
        try:
            found = cluster.object_of(self._context, planned)
        except ClusterError as error:
            raise CannotTellError(str(error).partition("\n")[0]) from None
        if found is None:
            return [f"{name} is missing"]
        return [f"{name}: {told}" for told in subset(planned, found)]


def _idle(name: str, job: Object | None) -> Iterator[str]:
    """Sentences on a CronJob; none on one that is not there, which is told as an object that is missing."""
    if job is None:
        return
    if job["spec"].get("suspend"):
        yield f"the job {name} is suspended"
    last = (job.get("status") or {}).get("lastSuccessfulTime")
    since = datetime.fromisoformat(last or job["metadata"]["creationTimestamp"])
    if datetime.now(UTC) - since > _TWO_RUNS:
        yield f"the job {name} has not come to its end since {last or 'it was made'}"


def _workload(pod: Mapping[str, Any]) -> str:
    return str((pod["metadata"].get("labels") or {}).get("app.kubernetes.io/name"))


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)
