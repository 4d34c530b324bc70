"""Network and toolbox, which the containers of a backbone share on a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_docker as docker

from components.docker.containers import HOLDS, belonging, physical_name, toolbox

if TYPE_CHECKING:
    from components.workload import Plan


class DockerHost(pulumi.ComponentResource):
    """Network, images and toolbox of one plan. ``network`` is its name; ``images`` are image ids by image reference.

    An image that is on the host under its name is taken as it is; it stays there when the stack goes.
    """

    def __init__(self, name: str, plan: Plan, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("virtengine:tracing:DockerHost", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        network = docker.Network(
            f"{name}-network", name=plan.namespace, driver="bridge", labels=[docker.NetworkLabelArgs(**belonging(plan))], opts=child
        )
        run = (*(workload.server for workload in plan.workloads), *(job.server for job in plan.jobs))
        servers = {server.image: server for server in (plan.toolbox, *run)}
        self.images = {
            reference: docker.RemoteImage(f"{name}-{server.program}", name=reference, keep_locally=True, opts=child).image_id
            for reference, server in sorted(servers.items())
        }
        volume = docker.Volume(
            f"{name}-tools-volume", name=physical_name(plan, "tools"), labels=[{"label": HOLDS, "value": "tools"}], opts=child
        )
        self.tools_image = self.images[plan.toolbox.image]
        self.toolbox = docker.Container(
            f"{name}-tools",
            image=self.tools_image,
            **toolbox(plan),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[volume], delete_before_replace=True),
        )
        self.network = network.name
        self.register_outputs({"network": self.network})
