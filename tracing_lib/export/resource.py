"""Resource of a process: the description that all of its spans share."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

if TYPE_CHECKING:
    from tracing_lib.contract.settings import TracingSettings

_PRIVATE: Final = frozenset({"process.owner", "process.command", "process.command_line", "process.command_args", "process.executable.path"})
"""Attributes that a resource detector may add and that carry user names or passwords on a command line."""


def build_resource(settings: TracingSettings) -> Resource:
    """Return the resource of this process: the service, its instance, its environment, its host and process.

    Further attributes in ``OTEL_RESOURCE_ATTRIBUTES`` stay; user name and command line are left out whoever adds them. Names:
    OpenTelemetry semantic conventions, "Resource" (service, deployment, host, process, telemetry.sdk).
    """
    attributes: dict[str, str | int | None] = {
        "service.name": settings.service_name,
        "service.namespace": settings.service_namespace,
        "service.instance.id": settings.instance_id,
        "host.name": str(OTELResourceDetector().detect().attributes.get("host.name") or socket.gethostname()),
        "process.pid": os.getpid(),
        "service.version": settings.service_version,
        "deployment.environment.name": settings.environment,
    }
    resource = Resource.create({key: value for key, value in attributes.items() if value is not None})
    return Resource({key: value for key, value in resource.attributes.items() if key not in _PRIVATE}, resource.schema_url)
