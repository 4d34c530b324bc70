"""Arguments of a workload's containers: plain values, made by pure functions that know no role.

Each workload is two containers. The second serves. The first is made of a toolbox image and prepares what the second finds: it
carries the documents into a volume and gives the volumes to the user id that serves. So a changed document replaces the first
container, and the second is replaced too when, and only when, it reads that document at its start.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from components.damage import guarded, queue_folders
from components.documents.text import go_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.workload import Health, Job, Plan, Workload

LOOPBACK = "127.0.0.1"
"""The only address on which anything is published: a developer's machine has neighbours."""

TOOLS = "/virtengine-tracing-tools"
"""Folder of the toolbox in a server's container, because the servers' own images hold no program that could check their health."""

OUTSIDE = frozenset({"consumers", "operators"})
"""Peers outside of the plan that reach it from the host itself; the ports that the plan lets them reach are published."""

HOLDS = "virtengine.tracing/holds"
"""Label of a volume: ``traces``, ``queue`` or ``scratch``, as the plan says; ``documents`` and ``tools`` can be made again."""

PART_OF = "virtengine.tracing/part-of"
"""Label of the network and of every container: the namespace of the backbone that it belongs to."""

RESTARTS_WITH = "virtengine.tracing/restarts-with"
"""Label of a container: the checksum of what its server reads at its start."""

_LOGS = {"log_driver": "json-file", "log_opts": {"max-size": "10m", "max-file": "3"}}
_CONFINED = {"read_only": True, "security_opts": ["no-new-privileges:true"]}


def physical_name(plan: Plan, *parts: str) -> str:
    """The name on the host; it begins with the namespace, so that two backbones can stand side by side."""
    return "-".join((plan.namespace, *parts))


def published(plan: Plan, workload: Workload) -> list[dict[str, Any]]:
    """Ports of a workload that are published, on loopback under their own numbers."""
    numbers = sorted({edge.port.number for edge in plan.edges if edge.destination == workload.name and edge.source in OUTSIDE})
    return [{"internal": number, "external": number, "ip": LOOPBACK, "protocol": "tcp"} for number in numbers]


def belonging(plan: Plan) -> dict[str, str]:
    """Label of everything that belongs to this backbone; a name alone would not prove it."""
    return {"label": PART_OF, "value": plan.namespace}


def volumes(plan: Plan, workload: Workload) -> dict[str, dict[str, Any]]:
    """The volumes of a workload by their names in it: what it keeps, and ``documents``."""
    kept = {volume.name: volume.holds for volume in workload.volumes} | {"documents": "documents"}
    return {
        name: {"name": physical_name(plan, workload.name, name), "labels": [{"label": HOLDS, "value": holds}]}
        for name, holds in kept.items()
    }


def server(plan: Plan, workload: Workload) -> dict[str, Any]:
    """The container that serves; image, network and secret variables are added where it is placed.

    Raises ``ValueError`` for a workload with secret files, which no plan for one host has.
    """
    if workload.secret_files:
        raise ValueError(f"{workload.name}: wants secrets as files, which a container on one host is not given; use variables")
    user = workload.identity.user_id
    return {
        "name": physical_name(plan, workload.name),
        "hostname": workload.name,
        **_command(workload),
        "envs": [f"{name}={value}" for name, value in sorted(workload.environment.items())],
        "user": f"{user}:{user}",
        "memory": workload.resources.memory_bytes // 2**20,
        # Memory and swap together: no swap, which would hide that the limit is too small.
        "memory_swap": workload.resources.memory_bytes // 2**20,
        # The weight of a full core is 1024; it is a share and no limit.
        "cpu_shares": workload.resources.cpu_millicores * 1024 // 1000,
        "capabilities": {"drops": ["ALL"]},
        "tmpfs": {"/tmp": "size=64m"},  # noqa: S108 - a folder in the container, for a server that wants one
        "ports": published(plan, workload),
        "volumes": list(_mounts(plan, workload, documents_read_only=True)),
        "healthcheck": _healthcheck(workload, workload.health),
        "wait": True,
        "wait_timeout": workload.health.start_seconds,
        "restart": "unless-stopped",
        # The volumes are the host's and outlive the container.
        "destroy_grace_seconds": workload.grace_in_place,
        "stop_timeout": workload.grace_in_place,
        "labels": [belonging(plan), {"label": RESTARTS_WITH, "value": workload.restart_checksum}],
        **_CONFINED,
        **_LOGS,
    }


def _command(workload: Workload) -> dict[str, Any]:
    """The program that starts and its arguments; a server that keeps queues is started by a script that sets damaged ones aside."""
    program, folders = workload.server.entrypoint, queue_folders(workload)
    if program is None:
        return {"command": list(workload.arguments)}
    if not folders:
        return {"entrypoints": [program], "command": list(workload.arguments)}
    first, *rest = guarded([program, *workload.arguments], folders=folders, busybox=f"{TOOLS}/busybox")
    return {"entrypoints": [first], "command": rest}


def preparation(plan: Plan, workload: Workload) -> dict[str, Any]:
    """The container that prepares the volumes of a workload and ends."""
    folders, user = [volume.path for volume in workload.volumes], workload.identity.user_id
    return {
        "name": physical_name(plan, workload.name, "preparation"),
        "entrypoints": ["/bin/busybox"],
        "command": ["chown", f"{user}:{user}", *folders] if folders else ["true"],
        "uploads": [{"file": f"{workload.documents_path}/{document.name}", "content": document.text} for document in workload.documents],
        "volumes": [mount for mount in _mounts(plan, workload, documents_read_only=False) if mount["container_path"] != TOOLS],
        "user": "0:0",
        "network_mode": "none",
        "capabilities": {"drops": ["ALL"], "adds": ["CAP_CHOWN"]},
        "attach": True,
        "must_run": False,
        "restart": "no",
        "labels": [belonging(plan)],
        # Not read-only: a daemon takes files for such a container on no path, not even on that of a volume.
        "security_opts": ["no-new-privileges:true"],
        **_LOGS,
    }


def repeated(plan: Plan, job: Job) -> dict[str, Any]:
    """The container that runs a job once a day; a host has no other clock for containers.

    Raises ``ValueError`` for a job with secret files, which no plan for one host has.
    """
    if job.secret_files or job.server.entrypoint is None:
        raise ValueError(f"{job.name}: wants secrets as files, or names no program; a container on one host cannot run it")
    user = job.identity.user_id
    command = shlex.join([job.server.entrypoint, *job.arguments])
    return {
        "name": physical_name(plan, job.name),
        "hostname": job.name,
        "entrypoints": [f"{TOOLS}/busybox", "sh", "-c"],
        # A run that fails is told of in the log, and the next day's makes up for it.
        "command": [f"trap 'exit 0' TERM; while :; do {command}; {TOOLS}/busybox sleep {DAY_SECONDS} & wait $!; done"],
        "envs": [f"{name}={value}" for name, value in sorted(job.environment.items())],
        "user": f"{user}:{user}",
        "memory": job.resources.memory_bytes // 2**20,
        "memory_swap": job.resources.memory_bytes // 2**20,
        "capabilities": {"drops": ["ALL"]},
        "volumes": [{"volume_name": physical_name(plan, "tools"), "container_path": TOOLS, "read_only": True}],
        "restart": "unless-stopped",
        "labels": [belonging(plan)],
        **_CONFINED,
        **_LOGS,
    }


DAY_SECONDS = 86_400


def toolbox(plan: Plan) -> dict[str, Any]:
    """The toolbox container, which is never started: a daemon fills its empty volume with the files of the image at that place."""
    return {
        "name": physical_name(plan, "tools"),
        "entrypoints": ["/bin/busybox"],
        "command": ["true"],
        "volumes": [{"volume_name": physical_name(plan, "tools"), "container_path": "/bin"}],
        "network_mode": "none",
        "capabilities": {"drops": ["ALL"]},
        "start": False,
        "must_run": False,
        "restart": "no",
        "labels": [belonging(plan)],
        **_CONFINED,
        **_LOGS,
    }


def _mounts(plan: Plan, workload: Workload, *, documents_read_only: bool) -> Iterator[Mapping[str, Any]]:
    for volume in workload.volumes:
        yield {"volume_name": physical_name(plan, workload.name, volume.name), "container_path": volume.path}
    documents = physical_name(plan, workload.name, "documents")
    yield {"volume_name": documents, "container_path": workload.documents_path, "read_only": documents_read_only}
    yield {"volume_name": physical_name(plan, "tools"), "container_path": TOOLS, "read_only": True}


def _healthcheck(workload: Workload, health: Health) -> dict[str, Any]:
    url = f"http://{LOOPBACK}:{workload.port(health.port).number}{health.path}"
    return {
        "tests": ["CMD", f"{TOOLS}/busybox", "wget", "-q", "-O", "/dev/null", "-T", "2", url],
        "interval": "2s",
        "timeout": "3s",
        "start_period": go_duration(health.start_seconds * 1000, as_printed=True),
        "retries": 3,
    }
