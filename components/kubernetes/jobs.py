"""A job of a plan as objects: a CronJob with its account and what it may reach.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/cron-job-v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.documents.text import kubernetes
from components.kubernetes.names import cpu, labels, metadata, quantity
from components.kubernetes.objects import service_account
from components.kubernetes.pods import CONFINED, secret_environment, secret_mounts, secret_volumes, security_context
from components.kubernetes.policies import workload_policies
from components.kubernetes.scheduling import node_rules

if TYPE_CHECKING:
    from components.kubernetes.names import Object
    from components.workload import Job, Plan

_TRIES, _MOST_SECONDS, _LATE_SECONDS = 3, 3600, 43_200
"""Attempts of a run, its longest duration, and how late it may begin where the cluster was away at its time."""


def job_objects(plan: Plan, job: Job) -> list[Object]:
    """The objects of a job, in the order in which they are needed."""
    return [service_account(plan, job), *workload_policies(plan, job), _cron_job(plan, job)]


def _cron_job(plan: Plan, job: Job) -> Object:
    spec = {
        "schedule": f"{job.minute} {job.hour} * * *",
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": _LATE_SECONDS,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {
            "metadata": {"labels": labels(plan, job)},
            "spec": {
                "backoffLimit": _TRIES - 1,
                "activeDeadlineSeconds": _MOST_SECONDS,
                "template": {"metadata": {"labels": labels(plan, job)}, "spec": _pod(job)},
            },
        },
    }
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata(plan, job), "spec": spec}


def _pod(job: Job) -> Object:
    capped = {"memory": quantity(job.resources.memory_bytes), "ephemeral-storage": quantity(job.scheduling.log_bytes)}
    program = {"command": [job.server.entrypoint]} if job.server.entrypoint is not None else {}
    plain = [{"name": name, "value": kubernetes(value)} for name, value in job.environment.items()]
    container = {
        "name": job.name,
        "image": job.server.image,
        **program,
        "args": [kubernetes(argument) for argument in job.arguments],
        "env": [*plain, *secret_environment(job)],
        "resources": {"requests": {"cpu": cpu(job.resources.cpu_millicores), **capped}, "limits": capped},
        "securityContext": CONFINED,
        "volumeMounts": secret_mounts(job),
    }
    return {
        "serviceAccountName": job.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": security_context(job.identity.user_id),
        "containers": [container],
        "volumes": secret_volumes(job),
        **node_rules(job.scheduling),
    }
