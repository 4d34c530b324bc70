"""The strategy server: tells services how to sample, for any backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.documents import jaeger, ports, sampling
from components.workload import Document, Health, Identity, Resources, Workload
from stacks.plan.parts import go_memory_limit, jaeger_operation, milliseconds, scheduling
from stacks.plan.stores import JAEGER_USER

if TYPE_CHECKING:
    from stacks.plan.parts import Inputs


def strategy_server(inputs: Inputs) -> Workload:
    """The server that tells services their sampling strategies, for any backend."""
    bound, folder, head = inputs.bound, inputs.documents, inputs.environment.sampling
    # Jaeger reads the file in a folder of its own: only a folder that is mounted whole is updated in place.
    strategies = f"{folder}/strategies.json"
    text = jaeger.strategy_server(
        jaeger_operation(bound),
        http=bound.bind(ports.STRATEGIES),
        grpc=bound.bind(ports.STRATEGIES_GRPC),
        strategies=strategies,
        reload_milliseconds=min(10_000, milliseconds(head.strategies.poll_interval)),
    )
    services = {
        name: sampling.Strategy(section.ratio, section.traces_per_second, dict(section.operations))
        for name, section in head.strategies.services.items()
    }
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"--config={folder}/sampling.yaml",),
        documents=(
            Document("sampling.yaml", text),
            Document("strategies.json", sampling.strategies(head.head_ratio, services), on_change="reload"),
        ),
        documents_path=folder,
        ports=bound.all,
        volumes=(),
        health=Health(ports.HEALTH.name, "/status"),
        resources=_RESOURCES,
        grace_seconds=10,
        identity=Identity(JAEGER_USER),
        spread="replicated",
        replicas=head.strategies.replicas if inputs.addresses.shape == "cluster" else 1,
        environment=go_memory_limit(_RESOURCES.memory_bytes),
        scheduling=scheduling(inputs.environment, head.strategies.pods),
    )


_RESOURCES = Resources(cpu_millicores=50, memory_bytes=128 * 2**20)
"""A server that answers from one small file; it held 51 MB."""
