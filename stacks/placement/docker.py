"""The placement on one Docker host: a plan as containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_docker as docker

from components.docker.host import DockerHost
from components.docker.placement import DockerJob, DockerWorkload
from stacks.placement.outputs import outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.workload import Plan
    from stacks.environment import sections
    from stacks.placement.outputs import Outputs
    from stacks.placement.under import Under

    Secrets = Mapping[tuple[str, str], pulumi.Output[str]]


def deploy(plan: Plan, target: sections.Docker, secrets: Secrets, under: Under) -> Outputs:
    """Place every workload of a plan on the host; ``secrets`` are values by name of the Secret and entry in it.

    A provider that the component above is given is used in place of one for the host that ``target`` names.
    """
    given = under.parent.get_provider("docker:index/container:Container")
    provider = given or docker.Provider(under.name("docker"), host=target.host, opts=under.options())
    options = under.options({"docker": provider})
    host = DockerHost(under.name("tracing"), plan, opts=options)
    for workload in plan.workloads:
        DockerWorkload(
            under.name(workload.name),
            plan,
            workload,
            host,
            secrets={wanted.variable: secrets[wanted.secret, wanted.key] for wanted in workload.secret_variables},
            opts=options,
        )
    for job in plan.jobs:
        read = {wanted.variable: secrets[wanted.secret, wanted.key] for wanted in job.secret_variables}
        DockerJob(under.name(job.name), plan, job, host, secrets=read, opts=options)
    return outputs(plan)
