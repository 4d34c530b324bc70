"""The Kubernetes objects of a plan as files, for deployments from git: the same that ``pulumi up`` places, Secrets excepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.documents.text import yaml_text
from components.kubernetes.jobs import job_objects
from components.kubernetes.monitoring import monitoring_objects
from components.kubernetes.objects import consumer_objects, namespace_objects, workload_objects
from stacks.placement.outputs import consumer_config, outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.kubernetes.names import Object
    from components.workload import Plan

FOLDER = "kubernetes"


def kubernetes_objects(plan: Plan, *, certificate: str | None = None) -> dict[str, list[Object]]:
    """The objects of a plan by the file that they belong in; in the order of their names the files can be applied.

    ``certificate`` is the PEM of the authority behind the intake's certificate: configuration of the stack and not part of a plan.
    """
    watching = monitoring_objects(plan)
    return {
        "0-namespace": namespace_objects(plan),
        **{f"1-{workload.name}": workload_objects(plan, workload) for workload in plan.workloads},
        **{f"1-{job.name}": job_objects(plan, job) for job in plan.jobs},
        "2-consumers": consumer_objects(plan, consumer_config(outputs(plan, certificate=certificate))),
        **({"3-monitoring": watching} if watching else {}),
    }


def manifests(plan: Plan, *, certificate: str | None = None) -> dict[str, str]:
    """The files by their path, byte for byte the same for the same plan; none for a plan of another target."""
    if plan.target != "kubernetes":
        return {}
    found = {f"{FOLDER}/{name}.yaml": _documents(objects) for name, objects in kubernetes_objects(plan, certificate=certificate).items()}
    first = next(iter(found))
    return found | {first: _expected_secrets(plan) + found[first]}


def _documents(objects: Sequence[Object]) -> str:
    return "---\n".join(yaml_text(mapping) for mapping in objects)


def _expected_secrets(plan: Plan) -> str:
    """A comment that names the Secrets that the objects use and that no file holds."""
    lines = [f"# Secret {name} of this namespace, which is not rendered: {', '.join(keys)}\n" for name, keys in plan.secrets.items()]
    return "".join(lines)
