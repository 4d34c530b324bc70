"""What stores the traces, and what shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.kubernetes.place import place_workloads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.kubernetes.place import Secrets
    from components.workload import Plan, Workload


class Backend(pulumi.ComponentResource):
    """The store on a claim of its own, which is protected where the plan says so, and the user interface where that is another server.

    ``after`` is what must be there first.
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
        super().__init__("virtengine:tracing:Backend", name, {}, opts)
        place_workloads(plan, workloads, parent=self, name=name, after=after, secrets=secrets)
        self.register_outputs({"workloads": [workload.name for workload in workloads]})
