"""What carries spans from the services to the store, and what tells services how much to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.kubernetes.place import place_workloads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.kubernetes.place import Secrets
    from components.workload import Plan, Workload


class Collectors(pulumi.ComponentResource):
    """The agents, the gateways and the strategy server.

    ``after`` is what must be there first: the backend among it, so that at the end the queues empty into a store that still runs.
    """

    def __init__(
        self,
        name: str,
        plan: Plan,
        workloads: Sequence[Workload],
        *,
        after: Sequence[pulumi.Resource],
        secrets: Secrets,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("virtengine:tracing:Collectors", name, {}, opts)
        place_workloads(plan, workloads, parent=self, name=name, after=after, secrets=secrets)
        self.register_outputs({"workloads": [workload.name for workload in workloads]})
