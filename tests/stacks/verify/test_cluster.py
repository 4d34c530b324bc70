"""A backbone on a real API server, held against its environment: objects, documents and pods, each broken by hand and told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from components.kubernetes.pods import CHECKSUM
from stacks.deploy.cluster import ClusterError
from stacks.deploy.rights import RESOURCES
from stacks.placement.manifests import kubernetes_objects
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from stacks.verify.cluster import Cluster as Site
from stacks.verify.findings import CannotTellError
from stacks.verify.look import look
from stacks.verify.verify import verify
from tests.components.kubernetes import plans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.kubernetes.names import Object
    from stacks.environment.source import Named
    from stacks.verify.findings import Name
    from tests.stacks.deploy.clusters import Cluster


def path_of(mapping: Object) -> str:
    version, head = mapping["apiVersion"], mapping["metadata"]
    within = f"/namespaces/{head['namespace']}" if "namespace" in head else ""
    return f"/{'apis' if '/' in version else 'api'}/{version}{within}/{RESOURCES[mapping['kind']]}/{head['name']}"


def apply(cluster: Cluster, mapping: Object) -> None:
    head = {"Content-Type": "application/apply-patch+yaml"}
    cluster.ask("PATCH", f"{path_of(mapping)}?fieldManager=test&force=true", content=json.dumps(mapping), headers=head)


def change(cluster: Cluster, path: str, merged: Any) -> None:  # noqa: ANN401 - JSON
    cluster.ask("PATCH", path, content=json.dumps(merged), headers={"Content-Type": "application/merge-patch+json"})


@pytest.fixture
def deployed(cluster: Cluster) -> Iterator[Named]:
    """Production as objects, with a pod of each workload that is said to be ready, since no kubelet runs any."""
    named = cluster.environment(cluster.namespace("verify"))
    wanted = plan(named.environment, addresses_of(named), name=named.name)
    for mapping in (one for those in kubernetes_objects(wanted).values() for one in those):
        apply(cluster, mapping)
        template = (mapping.get("spec") or {}).get("template")
        if template is None:
            continue
        for number in range(wanted.workload(mapping["metadata"]["name"]).replicas):
            name = f"{mapping['metadata']['name']}-{number}"
            # Neither quota nor claims are what is looked at here.
            spec = {**template["spec"], "nodeName": "node", "volumes": [], "containers": template["spec"]["containers"]}
            containers = [{**one, "volumeMounts": []} for one in spec["containers"]]
            head = {**template["metadata"], "name": name, "namespace": wanted.namespace}
            pods = f"/api/v1/namespaces/{wanted.namespace}/pods"
            cluster.ask("POST", pods, {"metadata": head, "spec": {**spec, "containers": containers, "initContainers": []}})
            ready = [{"type": "Ready", "status": "True"}]
            cluster.status(f"{pods}/{name}", {"phase": "Running", "conditions": ready})
    yield named
    # A consumer belongs to one backbone, and its namespace here is that of other tests too.
    for mapping in (one for those in kubernetes_objects(wanted).values() for one in those):
        if mapping["kind"] != "Namespace" and mapping["metadata"].get("namespace") != wanted.namespace:
            cluster.ask("DELETE", path_of(mapping))


def test_objects_and_pods_as_planned_are_told_to_be_so(cluster: Cluster, deployed: Named) -> None:
    site = Site(deployed)
    assert cluster.context in site.where
    assert site.troubles() == []
    assert site.deviations() == []
    seen = look(site)
    assert dict(seen.differing) == {}
    assert dict(seen.read) == {"agent": 1, "gateway": 3, "jaeger": 1, "sampling": 2 * len(seen.running("sampling")), "access": 1}
    assert all(site.version(one).running in site.version(one).right for one in site.instances())
    # Nobody but a stranger's pod knows whether the network minds the policies.
    with pytest.raises(CannotTellError, match="are those of the plan; whether the cluster's network enforces them"):
        site.openings()


def test_each_thing_that_is_changed_by_hand_on_a_cluster_is_told(cluster: Cluster, deployed: Named) -> None:
    inside = f"namespaces/{deployed.environment.namespace}"
    documents = cluster.ask("GET", f"/api/v1/{inside}/configmaps/jaeger")["data"]
    change(cluster, f"/api/v1/{inside}/configmaps/jaeger", {"data": {"jaeger.yaml": documents["jaeger.yaml"].replace("720h", "24h")}})
    change(cluster, f"/api/v1/{inside}/pods/gateway-1", {"metadata": {"annotations": {CHECKSUM: "0" * 64}}})
    change(cluster, f"/api/v1/{inside}/pods/gateway-2", {"spec": {"containers": [image_changed(cluster, inside)]}})
    change(cluster, f"/apis/apps/v1/{inside}/statefulsets/gateway", {"spec": {"replicas": 4}})
    cluster.ask("DELETE", f"/apis/networking.k8s.io/v1/{inside}/networkpolicies/jaeger-ingress")
    policies = f"/apis/networking.k8s.io/v1/{inside}/networkpolicies"
    cluster.ask("POST", policies, {"metadata": {"name": "all"}, "spec": {"podSelector": {}, "ingress": [{}]}})
    change(cluster, f"/api/v1/{inside}/services/sampling", {"spec": {"type": "NodePort"}})
    cluster.status(f"/api/v1/{inside}/pods/access-0", {"conditions": [{"type": "Ready", "status": "False"}]})

    site, seen = Site(deployed), look(Site(deployed))
    retention = 'jaeger-0: jaeger/jaeger.yaml: extensions.jaeger_storage.backends.traces.badger.ttl.spans is "24h", planned "720h"'
    late = "gateway-1: gateway/collector.yaml: the pod was started before its ConfigMap had this text, and runs with an older one"
    assert dict(seen.differing) == {"retention": [retention], "documents": [late]}
    assert [one.name for one in site.instances() if site.version(one).running not in site.version(one).right] == ["gateway-2"]
    assert site.deviations() == ["StatefulSet gateway: spec.replicas is 4, planned 3"]
    assert site.troubles() == ["access: 0 of 1 pods are ready"]
    assert site.openings()[0] == [
        "NetworkPolicy jaeger-ingress is missing",
        "Service sampling: spec.type is NodePort, planned ClusterIP",
        "NetworkPolicy all is not planned, and opens what it says",
    ]


def test_a_job_that_is_suspended_or_has_not_ended_for_days_is_told(cluster: Cluster) -> None:
    named = cluster.environment(cluster.namespace("verify"), backend=plans.ELSEWHERE["prod-opensearch"])
    wanted = plan(named.environment, addresses_of(named), name=named.name)
    (job,) = (one for those in kubernetes_objects(wanted).values() for one in those if one["kind"] == "CronJob")
    apply(cluster, job)
    site = Site(named)
    assert site.idle_jobs() == []
    change(cluster, path_of(job), {"spec": {"suspend": True}})
    cluster.status(path_of(job), {"lastSuccessfulTime": "2026-01-01T00:15:30Z"})
    assert site.idle_jobs() == ["the job cleaner is suspended", "the job cleaner has not come to its end since 2026-01-01T00:15:30Z"]


def image_changed(cluster: Cluster, inside: str) -> Object:
    container: Object = cluster.ask("GET", f"/api/v1/{inside}/pods/gateway-2")["spec"]["containers"][0]
    return container | {"image": "docker.io/otel/opentelemetry-collector-contrib:0.1.0"}


def test_of_an_empty_namespace_nothing_is_kept(cluster: Cluster) -> None:
    found = verify(Site(cluster.environment(cluster.namespace("empty"))))
    assert [one.promise for one in found if one.verdict == "kept"] == []
    # What is not there cannot keep a promise, but it does not break those that nobody could look at.
    assert {one.promise for one in found if one.verdict == "broken"} == {"servers", "documents", "ports"}


def test_pods_that_nobody_can_reach_are_told_as_such(cluster: Cluster, deployed: Named) -> None:
    # No kubelet is there, so that every way to a pod ends at the API server.
    names: tuple[Name, ...] = ("intake", "strategies", "share", "queue", "disk", "delivery", "privacy", "certificates")
    assert cluster.context
    found = {one.promise: one.verdict for one in verify(Site(deployed), names)}
    assert found == dict.fromkeys(names, "cannot be told") | {"delivery": found["delivery"]}
    assert found["delivery"] != "kept"


def test_a_namespace_that_is_not_there_is_told_with_the_command_that_deploys(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="nothing is deployed\nthen: python -m stacks up"):
        Site(cluster.environment("not-there"))
