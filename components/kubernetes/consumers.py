"""Configuration for services, in the namespaces that may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.kubernetes.names import PART_OF
from components.kubernetes.namespace import secret_object
from components.kubernetes.objects import consumer_objects
from components.kubernetes.place import place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import Plan


class Consumers(pulumi.ComponentResource):
    """A ConfigMap with ``variables``, and a Secret with ``secrets`` unless that is None, in each namespace that is told where to send.

    Beside them is the Instrumentation of the OpenTelemetry operator, where the plan has one.

    These namespaces belong to the services and have to exist, but for the backbone's own.
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
            place(mapping, f"{name}-{mapping['metadata']['namespace']}", child)
        if secrets is not None:
            for namespace in plan.told_namespaces:
                place(secret_object(plan, namespace, PART_OF, secrets), f"{name}-{namespace}", child)
        self.register_outputs({"namespaces": list(plan.told_namespaces)})
