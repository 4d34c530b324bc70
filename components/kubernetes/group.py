"""Components that group workloads: a Pulumi resource above all objects of several workloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.kubernetes.place import place_job, place_workloads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.kubernetes.place import Secrets
    from components.workload import Job, Plan, Workload


class Group(pulumi.ComponentResource):
    """Workloads and jobs that are placed together. A subclass gives them a name of their own in the tree of resources.

    ``after`` are the resources that have to exist before the first of these workloads.
    """

    def __init__(
        self,
        name: str,
        plan: Plan,
        workloads: Sequence[Workload],
        *,
        after: Sequence[pulumi.Resource],
        secrets: Secrets,
        jobs: Sequence[Job] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(f"virtengine:tracing:{type(self).__name__}", name, {}, opts)
        place_workloads(plan, workloads, parent=self, name=name, after=after, secrets=secrets)
        for job in jobs:
            place_job(plan, job, parent=self, name=name, after=after)
        self.register_outputs({"workloads": [workload.name for workload in workloads]})


class Backend(Group):
    """The store on a claim of its own, which is protected where the plan says so, and the user interface where that is another server."""


class Collectors(Group):
    """The agents, the gateways and the strategy server.

    The backend comes before them, so that at the end the queues empty into a store that still runs.
    """


class Access(Group):
    """The login proxy in front of the user interface, and its Ingress."""
