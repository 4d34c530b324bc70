"""The pods of a workload: one container under the PodSecurity profile ``restricted``, made of the plan's values alone."""

from __future__ import annotations

import hashlib
import json
import math
from itertools import groupby
from posixpath import basename, dirname
from typing import TYPE_CHECKING, Any

from components.damage import guarded, queue_folders
from components.documents.text import kubernetes
from components.kubernetes.monitoring import scrape_annotations
from components.kubernetes.names import claim_name, cpu, labels, quantity
from components.kubernetes.scheduling import scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.kubernetes.names import Object
    from components.workload import Job, Plan, SecretFile, Server, Workload

CHECKSUM = "virtengine.io/documents"
"""Annotation of the pods with the checksum of what a server reads at its start: they restart when, and only when, that changes."""

SECRETS = "virtengine.io/secrets"
"""Annotation of the pods with a digest of the secrets that the stack fills and the server reads: a rotated one restarts who reads it."""

_DIGEST_BYTES = 5
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}

_TEMPORARY = "/tmp"  # noqa: S108 - a volume of the pod's own
_TEMPORARY_BYTES = 64 * 2**20

_TOOLS = "/virtengine-tracing-tools"
_TOOLS_BYTES = 16 * 2**20
"""Most bytes of the toolbox, on disk and, as it is copied, in memory."""

CONFINED: Mapping[str, Any] = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
"""Security context of every container."""


def document_key(name: str) -> str:
    """The entry of a ConfigMap that holds a document; an entry's name has no slash."""
    return name.replace("/", ".")


def template(plan: Plan, workload: Workload) -> Object:
    """The pod template of a workload."""
    return {
        "metadata": {"labels": {**workload.identity.labels, **labels(plan, workload)}, "annotations": _annotations(plan, workload)},
        "spec": _pod(workload, plan.toolbox),
    }


def _annotations(plan: Plan, workload: Workload) -> dict[str, str]:
    return {**plan.annotations, **scrape_annotations(plan, workload), CHECKSUM: workload.restart_checksum}


def secrets_digest(salt: str, values: Mapping[str, str]) -> str:
    """A digest that changes with any of the values and tells nothing of them to who reads the pods.

    A guess costs 16 MiB and 50 ms because of scrypt, holds for one backbone alone because of the salt, and cannot be confirmed because
    40 bits fit many texts. Two values in succession are the same once in 10^12 rotations.
    """
    text = json.dumps(values, sort_keys=True).encode()
    return hashlib.scrypt(text, salt=salt.encode(), dklen=_DIGEST_BYTES, **_SCRYPT).hex()


def security_context(user: int) -> Object:
    """The security context of a pod whose servers run as ``user``."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        # A volume full of traces is not walked through at each start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _pod(workload: Workload, toolbox: Server) -> Object:
    return {
        "serviceAccountName": workload.name,
        "automountServiceAccountToken": uses_api(workload),
        # A variable for each Service of the namespace would change with every one that comes and goes.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": workload.grace_seconds,
        "securityContext": security_context(workload.identity.user_id),
        **({"initContainers": [_tools(toolbox)]} if queue_folders(workload) else {}),
        "containers": [_container(workload)],
        "volumes": _volumes(workload),
        **scheduling(workload),
    }


def uses_api(workload: Workload) -> bool:
    """Whether a workload asks the Kubernetes API anything, for which it needs a token."""
    return bool(workload.identity.reads)


def _tools(toolbox: Server) -> Object:
    """The init container that puts the toolbox where the container of a server, whose own image holds no other program, finds it."""
    capped = {"memory": quantity(_TOOLS_BYTES), "ephemeral-storage": quantity(_TOOLS_BYTES)}
    return {
        "name": "tools",
        "image": toolbox.image,
        "command": ["/bin/busybox", "cp", "/bin/busybox", f"{_TOOLS}/busybox"],
        "resources": {"requests": {"cpu": "10m", **capped}, "limits": capped},
        "securityContext": CONFINED,
        "volumeMounts": [{"name": "tools", "mountPath": _TOOLS}],
    }


def _command(workload: Workload) -> Object:
    """The program that starts and its arguments; a server that keeps queues is started by a script that sets damaged ones aside."""
    program, folders = workload.server.entrypoint, queue_folders(workload)
    arguments = list(workload.arguments)
    if program is None:
        return {"args": [kubernetes(argument) for argument in arguments]}
    if folders:
        program, *arguments = guarded([program, *arguments], folders=folders, busybox=f"{_TOOLS}/busybox")
    return {"command": [program], "args": [kubernetes(argument) for argument in arguments]}


def _container(workload: Workload) -> Object:
    capped = {"memory": quantity(workload.resources.memory_bytes), "ephemeral-storage": quantity(_ephemeral_bytes(workload))}
    return {
        "name": workload.name,
        "image": workload.server.image,
        **_command(workload),
        "env": _environment(workload),
        "ports": [{"name": port.name, "containerPort": port.number, "protocol": "TCP"} for port in workload.ports],
        "resources": {"requests": {"cpu": cpu(workload.resources.cpu_millicores), **capped}, "limits": capped},
        "securityContext": CONFINED,
        "volumeMounts": _mounts(workload),
        **_probes(workload),
    }


def _ephemeral_bytes(workload: Workload) -> int:
    """Bytes of the node's disk that a pod may take: its volumes there and its log. Its own file system is read-only."""
    volumes = sum(volume.size_bytes for volume in workload.volumes if volume.survives == "instance")
    return volumes + _TEMPORARY_BYTES + workload.scheduling.log_bytes


def _environment(workload: Workload) -> list[Object]:
    variables: list[Object] = [{"name": name, "value": kubernetes(value)} for name, value in workload.environment.items()]
    for variable, field in ((workload.node_variable, "spec.nodeName"), (workload.instance_variable, "metadata.name")):
        if variable is not None:
            variables.append({"name": variable, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": field}}})
    return [*variables, *secret_environment(workload)]


def secret_environment(workload: Workload | Job) -> list[Object]:
    """The variables whose values are entries of Secrets."""
    secret = [(entry.variable, {"name": entry.secret, "key": entry.key}) for entry in workload.secret_variables]
    return [{"name": name, "valueFrom": {"secretKeyRef": reference}} for name, reference in secret]


def _probes(workload: Workload) -> Object:
    """Probes of the one request that tells health: it may take its time at the start, and a long failure restarts the server."""
    health, every = workload.health, 5
    request = {"httpGet": {"path": health.path, "port": health.port}, "timeoutSeconds": 3, "periodSeconds": every}
    # A probe that fails restarts the container within its pod, whose volumes stay.
    in_place = workload.grace_in_place != workload.grace_seconds
    ending = {"terminationGracePeriodSeconds": workload.grace_in_place} if in_place else {}
    return {
        "startupProbe": request | {"failureThreshold": math.ceil(health.start_seconds / every)} | ending,
        "readinessProbe": request | {"failureThreshold": 3},
        "livenessProbe": request | {"periodSeconds": 10, "failureThreshold": math.ceil(health.alive_seconds / 10)} | ending,
    }


def _secret_folders(workload: Workload | Job) -> list[tuple[str, list[SecretFile]]]:
    """The folders with secret files, each with what is in it."""
    files = sorted(workload.secret_files, key=lambda file: file.path)
    return [(folder, list(within)) for folder, within in groupby(files, key=lambda file: dirname(file.path))]


def _mounts(workload: Workload) -> list[Object]:
    # The folder is mounted whole: a file mounted by subPath would never change under a running server.
    mounts: list[Object] = [{"name": "documents", "mountPath": workload.documents_path, "readOnly": True}]
    mounts += [{"name": volume.name, "mountPath": volume.path} for volume in workload.volumes]
    mounts += secret_mounts(workload)
    if queue_folders(workload):
        mounts.append({"name": "tools", "mountPath": _TOOLS, "readOnly": True})
    return [*mounts, {"name": "temporary", "mountPath": _TEMPORARY}]


def secret_mounts(workload: Workload | Job) -> list[Object]:
    """Mounts of the files that are secrets."""
    return [
        {"name": f"secrets-{index}", "mountPath": folder, "readOnly": True} for index, (folder, _) in enumerate(_secret_folders(workload))
    ]


def secret_volumes(workload: Workload | Job) -> list[Object]:
    """The volumes with the files that are secrets."""
    return [
        {"name": f"secrets-{index}", "projected": {"defaultMode": 0o440, "sources": _sources(files)}}
        for index, (_, files) in enumerate(_secret_folders(workload))
    ]


def _volumes(workload: Workload) -> list[Object]:
    """The volumes of a pod, without the claims of ordered replicas, which the StatefulSet adds for each."""
    items = [{"key": document_key(document.name), "path": document.name} for document in workload.documents]
    volumes: list[Object] = [{"name": "documents", "configMap": {"name": workload.name, "items": items, "defaultMode": 0o444}}]
    for volume in workload.volumes:
        if volume.survives == "instance":
            volumes.append({"name": volume.name, "emptyDir": {"sizeLimit": quantity(volume.size_bytes)}})
        elif workload.spread == "single":
            volumes.append({"name": volume.name, "persistentVolumeClaim": {"claimName": claim_name(workload, volume.name, 0)}})
    volumes += secret_volumes(workload)
    if queue_folders(workload):
        volumes.append({"name": "tools", "emptyDir": {"sizeLimit": quantity(_TOOLS_BYTES)}})
    return [*volumes, {"name": "temporary", "emptyDir": {"sizeLimit": quantity(_TEMPORARY_BYTES)}}]


def _sources(files: list[SecretFile]) -> list[dict[str, Any]]:
    return [
        {
            "secret": {
                "name": secret,
                "items": [{"key": file.key, "path": basename(file.path)} for file in files if file.secret == secret],
            }
        }
        for secret in sorted({file.secret for file in files})
    ]
