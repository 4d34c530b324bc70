"""The placement on one Docker host: a plan as containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_docker as docker

from components.docker.host import DockerHost
from components.docker.placement import DockerWorkload
from stacks.placement.outputs import outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import Plan
    from stacks.environment import sections
    from stacks.placement.outputs import Outputs

    Secrets = Mapping[tuple[str, str], pulumi.Output[str]]


def deploy(plan: Plan, target: sections.Docker, secrets: Secrets) -> Outputs:
    """Place every workload of a plan on the host; ``secrets`` are values by name of the Secret and entry in it."""
    provider = docker.Provider("docker", host=target.host)
    options = pulumi.ResourceOptions(providers={"docker": provider})
    host = DockerHost("tracing", plan, opts=options)
    for workload in plan.workloads:
        DockerWorkload(
            workload.name,
            plan,
            workload,
            host,
            secrets={wanted.variable: secrets[wanted.secret, wanted.key] for wanted in workload.secret_variables},
            opts=options,
        )
    return outputs(plan)
