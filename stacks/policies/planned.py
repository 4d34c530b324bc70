"""The resources that deploying a plan makes, for policies without an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.docker.containers import repeated, server
from components.kubernetes.objects import protected_claims
from stacks.placement.manifests import kubernetes_objects
from stacks.policies.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.workload import Job, Plan, Workload


def of_plan(plan: Plan) -> list[Resource]:
    """Return the resources that deploying a plan makes."""
    if plan.target == "kubernetes":
        protected = {name for workload in plan.workloads for name in protected_claims(workload)}
        return [
            Resource(mapping["kind"], mapping["metadata"]["name"], mapping, mapping["metadata"]["name"] in protected)
            for objects in kubernetes_objects(plan).values()
            for mapping in objects
        ]
    if plan.target == "docker":
        servers = [resource for workload in plan.workloads for resource in _of_docker(plan, workload)]
        return [*servers, *(resource for job in plan.jobs for resource in _of_docker_job(plan, job))]
    return []


def _of_docker_job(plan: Plan, job: Job) -> Iterator[Resource]:
    container = repeated(plan, job)
    yield Resource("Container", container["name"], container)
    yield Resource("RemoteImage", container["name"], {"name": job.server.image})


def _of_docker(plan: Plan, workload: Workload) -> Iterator[Resource]:
    container = server(plan, workload)
    documents = [{"file": document.name, "content": document.text} for document in workload.documents]
    yield Resource("Container", container["name"], container | {"uploads": documents})
    yield Resource("RemoteImage", container["name"], {"name": workload.server.image})
