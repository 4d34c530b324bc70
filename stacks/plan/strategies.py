"""The strategy server: tells services how to sample, for any backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.documents import jaeger, ports, sampling
from components.workload import Document, Health, Identity, Resources, SecretVariable, Workload
from stacks.plan.parts import TOKEN, certificate_files, go_memory_limit, jaeger_operation, metrics_of, milliseconds, scheduling, security_of
from stacks.plan.stores import JAEGER_USER

if TYPE_CHECKING:
    from stacks.plan.parts import Inputs


def strategy_server(inputs: Inputs) -> Workload:
    """The server that tells services their sampling strategies, for any backend."""
    bound, folder, head = inputs.bound, inputs.documents, inputs.environment.sampling
    # Jaeger reads the file in a folder of its own: only a folder that is mounted whole is updated in place.
    strategies = f"{folder}/strategies.json"
    files, variables = certificate_files(inputs), _token(inputs)
    served = jaeger.Strategies(
        file=strategies,
        reload_milliseconds=min(10_000, milliseconds(head.strategies.poll_interval)),
        http=bound.bind(ports.STRATEGIES),
        grpc=bound.bind(ports.STRATEGIES_GRPC),
        security=security_of(files),
        token_variable=next((entry.variable for entry in variables), None),
    )
    text = jaeger.strategy_server(jaeger_operation(bound), served)
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
        metrics=metrics_of(bound.all),
        volumes=(),
        health=Health(ports.HEALTH.name, "/status"),
        resources=_RESOURCES,
        grace_seconds=10,
        identity=Identity(JAEGER_USER),
        spread="replicated",
        replicas=head.strategies.replicas if inputs.addresses.shape == "cluster" else 1,
        environment=go_memory_limit(_RESOURCES.memory_bytes),
        scheduling=scheduling(inputs.environment, head.strategies.pods),
        secret_files=files,
        secret_variables=variables,
    )


def _token(inputs: Inputs) -> tuple[SecretVariable, ...]:
    """The token of the intake, which services show here too; none where the intake asks for none."""
    secret = inputs.environment.ingest.token_secret
    return (SecretVariable(_TOKEN, secret, TOKEN),) if secret is not None and inputs.addresses.shape == "cluster" else ()


_TOKEN = "VIRTENGINE_TRACING_TOKEN"  # noqa: S105 - the name of a variable


_RESOURCES = Resources(cpu_millicores=50, memory_bytes=128 * 2**20)
"""A server that answers from one small file; it held 51 MB."""
