"""The namespace of a backbone, its limits and policies, and its Secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.kubernetes.issued import secret_type
from components.kubernetes.names import common_metadata
from components.kubernetes.objects import namespace_objects, protected_claims
from components.kubernetes.place import place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.kubernetes.names import Object
    from components.workload import Plan


class Namespace(pulumi.ComponentResource):
    """The namespace with its quota, default limits and closed network, and the Secrets that the stack fills.

    ``secrets`` are entries by name of the Secret. What the plan names and is not among them comes from elsewhere, a certificate from
    its issuer say; pods that use it wait for it. With a protected claim in it the namespace is protected too, since it would take the
    claim with it.
    """

    def __init__(
        self, name: str, plan: Plan, *, secrets: Mapping[str, Mapping[str, pulumi.Input[str]]], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("virtengine:tracing:Namespace", name, {}, opts)
        holds_protected = any(protected_claims(workload) for workload in plan.workloads)
        first, *others = namespace_objects(plan)
        namespace = place(first, name, pulumi.ResourceOptions(parent=self, protect=holds_protected))
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        for mapping in others:
            place(mapping, f"{name}-{mapping['metadata']['name']}", inside)
        for secret, entries in sorted(secrets.items()):
            place(secret_object(plan, plan.namespace, secret, entries, kind=secret_type(entries)), f"{name}-{secret}", inside)
        self.register_outputs({"namespace": plan.namespace})


def secret_object(
    plan: Plan, namespace: str, name: str, entries: pulumi.Input[Mapping[str, pulumi.Input[str]]], *, kind: str = "Opaque"
) -> Object:
    """A Secret. It is made here and not with the other objects: its values are known to the engine alone."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": common_metadata(plan, name, namespace),
        "type": kind,
        "stringData": pulumi.Output.secret(entries),
    }
