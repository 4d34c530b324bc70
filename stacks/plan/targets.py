"""The addresses of an environment on the target that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.plan.addresses import OnDocker, OnKubernetes, OnThisMachine

if TYPE_CHECKING:
    from stacks.environment.source import Named
    from stacks.plan.addresses import Addresses

LOCAL_STATE = ".state/local"


def addresses_of(named: Named) -> Addresses:
    """Where the workloads will be; on this machine with the usual ports, since nothing is asked of the machine."""
    environment = named.environment
    match environment.target.kind:
        case "kubernetes":
            return OnKubernetes(environment.namespace)
        case "docker":
            return OnDocker(environment.namespace)
        case "local":
            return OnThisMachine(f"{LOCAL_STATE}/{named.name}")
