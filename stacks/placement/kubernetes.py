"""The placement on a cluster: a plan as objects in a namespace of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, assert_never

import pulumi_kubernetes

from components.kubernetes.consumers import Consumers
from components.kubernetes.group import Access, Backend, Collectors
from components.kubernetes.monitoring import monitoring_objects
from components.kubernetes.namespace import Namespace
from components.kubernetes.watching import Monitoring
from stacks.placement.outputs import consumer_config, consumer_secret, outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.workload import Plan, RoleName, Workload
    from stacks.environment.model import Environment
    from stacks.placement.outputs import Outputs
    from stacks.placement.under import Under

    Secrets = Mapping[tuple[str, str], pulumi.Output[str]]


def deploy(plan: Plan, environment: Environment, secrets: Secrets, under: Under, certificate: str | None = None) -> Outputs:
    """Place every workload of a plan on the cluster that the environment names, whatever context is current.

    ``secrets`` are values by name of the Secret and entry in it; ``certificate`` is the PEM of the authority behind the intake's own. A
    provider that the component above is given is used in place of one for the environment's context.
    """
    options = under.options({"kubernetes": under.parent.get_provider("kubernetes:core/v1:Namespace") or _provider(environment, under)})
    contract = outputs(plan, certificate=certificate)
    filled: dict[str, dict[str, pulumi.Output[str]]] = {}
    for (secret, key), value in secrets.items():
        filled.setdefault(secret, {})[key] = value

    namespace = Namespace(under.name("tracing"), plan, secrets=filled, opts=options)
    stored = [job for job in plan.jobs if component(job.role) == "backend"]
    backend = Backend(under.name("backend"), plan, _of(plan, "backend"), after=[namespace], secrets=secrets, jobs=stored, opts=options)
    Collectors(under.name("collectors"), plan, _of(plan, "collectors"), after=[namespace, backend], secrets=secrets, opts=options)
    if proxies := _of(plan, "access"):
        Access(under.name("access"), plan, proxies, after=[namespace, backend], secrets=secrets, opts=options)
    token = secrets.get((str(environment.ingest.token_secret), "token"))
    told = None if token is None else token.apply(lambda value: consumer_secret(contract, value))
    Consumers(under.name("consumers"), plan, variables=consumer_config(contract), secrets=told, opts=options)
    if monitoring_objects(plan):
        Monitoring(under.name("monitoring"), plan, after=[namespace], opts=options)
    return contract


def _provider(environment: Environment, under: Under) -> pulumi_kubernetes.Provider:
    return pulumi_kubernetes.Provider(
        under.name("kubernetes"),
        context=environment.target.context if environment.target.kind == "kubernetes" else None,
        # Else a changed document would be another object, deleted and made again under pods that have it mounted.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        opts=under.options(),
    )


def component(role: RoleName) -> Literal["backend", "collectors", "access"]:
    """Name of the component that places the workloads of a role. Every role has one: a workload without would not be placed."""
    match role:
        case "backend" | "ui":
            return "backend"
        case "agent" | "gateway" | "sampling":
            return "collectors"
        case "access":
            return "access"
        case _:
            assert_never(role)


def _of(plan: Plan, name: Literal["backend", "collectors", "access"]) -> list[Workload]:
    """The workloads that one component places."""
    return [workload for workload in plan.workloads if component(workload.role) == name]
