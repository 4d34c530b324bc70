"""A workload on a Docker host: its volumes, the container that prepares them, and the container of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_docker as docker

from components.docker.containers import preparation, repeated, server, volumes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.docker.host import DockerHost
    from components.workload import Job, Plan, Workload


class DockerWorkload(pulumi.ComponentResource):
    """A workload as containers; ``secrets`` are the values of its secret variables by the name of the variable."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        workload: Workload,
        host: DockerHost,
        *,
        secrets: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("virtengine:tracing:DockerWorkload", name, None, opts)
        protected = {volume.name for volume in workload.volumes if volume.protect}
        kept = [
            docker.Volume(f"{name}-{short}", **arguments, opts=pulumi.ResourceOptions(parent=self, protect=short in protected))
            for short, arguments in volumes(plan, workload).items()
        ]
        # Names are fixed, since the others call by them: the old container has to go first.
        prepared = docker.Container(
            f"{name}-preparation",
            image=host.tools_image,
            **preparation(plan, workload),
            opts=pulumi.ResourceOptions(parent=self, depends_on=kept, delete_before_replace=True),
        )
        arguments = server(plan, workload)
        arguments["envs"] += [pulumi.Output.concat(variable, "=", value) for variable, value in sorted(secrets.items())]
        self.container = docker.Container(
            f"{name}-server",
            image=host.images[workload.server.image],
            networks_advanced=[{"name": host.network}],
            **arguments,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[prepared, host.toolbox], delete_before_replace=True),
        )
        self.register_outputs({"container": self.container.name})


class DockerJob(pulumi.ComponentResource):
    """A job as a container that runs it again and again; ``secrets`` are as those of a workload."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        job: Job,
        host: DockerHost,
        *,
        secrets: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("virtengine:tracing:DockerJob", name, None, opts)
        arguments = repeated(plan, job)
        arguments["envs"] += [pulumi.Output.concat(variable, "=", value) for variable, value in sorted(secrets.items())]
        container = docker.Container(
            f"{name}-job",
            image=host.images[job.server.image],
            networks_advanced=[{"name": host.network}],
            **arguments,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[host.toolbox], delete_before_replace=True),
        )
        self.register_outputs({"container": container.name})
