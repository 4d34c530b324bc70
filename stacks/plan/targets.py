"""The addresses of an environment on the target that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.plan.addresses import OnDocker, OnKubernetes, OnThisMachine

if TYPE_CHECKING:
    from stacks.environment.source import Named
    from stacks.plan.addresses import Addresses

LOCAL_STATE = ".state/local"


def addresses_of(named: Named) -> Addresses:
    """Addresses on the target of an environment; on this machine with the usual ports, because the machine is not asked for free ones."""
    environment = named.environment
    match environment.target.kind:
        case "kubernetes":
            return OnKubernetes(environment.namespace, family=environment.target.addresses)
        case "docker":
            return OnDocker(environment.namespace)
        case "local":
            return OnThisMachine(f"{LOCAL_STATE}/{named.name}")
