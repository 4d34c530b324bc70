"""Leases as Jobs of a Kubernetes cluster."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from kubernetes import client as k8s
from kubernetes.config import load_config

from examples.virtengine.daemon.adapters import ProvisioningError
from tracing_lib.instrument.remote import TracedApiClient

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_TIMEOUT_SECONDS: Final = 30.0
"""For one request, so that a backend that hangs fails the job. Far more than one takes, because a loaded machine is no failure."""
_NOT_FOUND: Final = 404


class KubernetesAdapter:
    """The handle is the Job's name, which is made from the order's id."""

    def __init__(self, client: TracedApiClient, namespace: str, image: str) -> None:
        self._jobs: Any = k8s.BatchV1Api(client)
        self._namespace = namespace
        self._image = image

    async def create(self, order_id: str, cpu_units: int) -> str:
        """Make a Job of one Pod."""
        work = {"name": "work", "image": self._image, "resources": {"requests": {"cpu": str(cpu_units)}}}
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"lease-{order_id}", "labels": {"app.kubernetes.io/managed-by": "provider-daemon"}},
            "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [work]}}},
        }
        made = await self._ask(self._jobs.create_namespaced_job, self._namespace, job)
        return str(made.metadata.name)

    async def find(self, order_id: str) -> str | None:
        """Look for the Job that has the name."""
        selector = f"metadata.name=lease-{order_id}"
        found = (await self._ask(self._jobs.list_namespaced_job, self._namespace, field_selector=selector)).items
        return str(found[0].metadata.name) if found else None

    async def ready(self, handle: str) -> bool:
        """Whether the Job's Pod is active, or has done its work already."""
        status = (await self._ask(self._jobs.read_namespaced_job_status, handle, self._namespace)).status
        conditions = {condition.type for condition in status.conditions or () if condition.status == "True"}
        if "Failed" in conditions:
            raise ProvisioningError("the Job failed")
        return "Complete" in conditions or (status.active or 0) >= 1

    async def release(self, handle: str) -> None:
        """Delete the Job with its Pod."""
        try:
            await self._ask(self._jobs.delete_namespaced_job, handle, self._namespace, propagation_policy="Background")
        except k8s.ApiException as error:
            if error.status != _NOT_FOUND:
                raise

    @staticmethod
    async def _ask(method: Any, *arguments: object, **options: object) -> Any:  # noqa: ANN401  the generated client has no types
        return await asyncio.to_thread(method, *arguments, **options, _request_timeout=_TIMEOUT_SECONDS)


@contextmanager
def adapter(options: argparse.Namespace) -> Iterator[KubernetesAdapter]:
    """The adapter for the cluster of ``--kubeconfig``; without it, of ``KUBECONFIG``, ``~/.kube/config`` or the Pod that this runs in."""
    configuration = k8s.Configuration()
    file = str(options.kubeconfig) if options.kubeconfig else None
    load_config(config_file=file, client_configuration=configuration)  # type: ignore[no-untyped-call]  # without types
    with TracedApiClient(configuration) as client:
        yield KubernetesAdapter(client, options.namespace, options.image)
