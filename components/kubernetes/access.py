"""How people reach the traces, and how services learn where to send theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.kubernetes.names import PART_OF
from components.kubernetes.namespace import secret_object
from components.kubernetes.objects import consumer_objects
from components.kubernetes.place import place, place_workloads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.kubernetes.place import Secrets
    from components.workload import Plan, Workload


class Access(pulumi.ComponentResource):
    """The login proxy before the user interface, and its Ingress. ``after`` is what must be there first."""

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
        super().__init__("virtengine:tracing:Access", name, {}, opts)
        place_workloads(plan, workloads, parent=self, name=name, after=after, secrets=secrets)
        self.register_outputs({"workloads": [workload.name for workload in workloads]})


class Consumers(pulumi.ComponentResource):
    """A ConfigMap with ``variables``, and a Secret with ``secrets`` unless that is None, in each namespace that may send.

    These namespaces belong to the services and have to exist.
    """

    def __init__(
        self,
        name: str,
        plan: Plan,
        *,
        variables: Mapping[str, str],
        secrets: pulumi.Output[Mapping[str, str]] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("virtengine:tracing:Consumers", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        for mapping in consumer_objects(plan, variables):
            namespace = mapping["metadata"]["namespace"]
            place(mapping, f"{name}-{namespace}", child)
            if secrets is not None:
                place(secret_object(namespace, PART_OF, secrets), f"{name}-{namespace}", child)
        self.register_outputs({"namespaces": list(plan.outside["consumers"].namespaces)})
