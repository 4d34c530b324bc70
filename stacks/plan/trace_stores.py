"""Jaeger before a store that stands elsewhere: the servers that take spans, those that show them, and the job that deletes old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.documents import held, ports, trace_stores
from components.documents import jaeger as jaeger_documents
from components.workload import Autoscaling, Document, Health, Identity, Job, Resources, SecretFile, SecretVariable, Workload
from stacks.plan.names import of_store
from stacks.plan.parts import AUTHORITY, files_of, go_memory_limit, image_of, jaeger_operation, metrics_of, resources, scheduling
from stacks.plan.remote import place_in_store, remote, store_ports
from stacks.plan.stores import JAEGER_USER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.jaeger import Autoscaling as AutoscalingSection
    from stacks.environment.jaeger import Jaeger
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses
    from stacks.plan.parts import Inputs
    from stacks.plan.remote import Remote

MEMORY_LIMIT = 0.8
"""Share of its memory at which Jaeger refuses spans, so that gateways keep them in their queues: as the collector's guide says."""


def jaeger(inputs: Inputs, section: Jaeger, storage: Remote) -> Workload:
    """Jaeger that takes spans, any number of times."""
    bound, store = inputs.bound, _store(inputs, storage)
    listening = tuple(port for port in bound.all if port not in {bound[ports.JAEGER_QUERY], bound[ports.JAEGER_QUERY_GRPC]})
    clustered = inputs.addresses.shape == "cluster"
    # As of gateways: on one host nobody waits, and the two ports would be everybody's.
    hold = held.Hold(bound.own(ports.COPY), bound.own(ports.FLUSH), 0) if store.answers_late and clustered else None
    limit = round(section.resources.memory * MEMORY_LIMIT)
    text = jaeger_documents.intake(jaeger_operation(bound), store, listen=bound.bind(ports.OTLP_GRPC), memory_bytes=limit, hold=hold)
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"--config={inputs.documents}/jaeger.yaml",),
        documents=(Document("jaeger.yaml", text),),
        documents_path=inputs.documents,
        ports=listening,
        metrics=metrics_of(listening),
        volumes=(),
        # The first of all makes the tables of the store.
        health=Health(ports.HEALTH.name, "/status", start_seconds=180),
        resources=resources(section.resources),
        grace_seconds=60,
        identity=Identity(JAEGER_USER),
        spread="replicated",
        replicas=section.replicas if clustered else 1,
        autoscaling=_autoscaling(section.autoscaling) if clustered else None,
        environment=go_memory_limit(limit),
        secret_files=_authority(inputs.environment, inputs.addresses),
        secret_variables=_credentials(storage),
        scheduling=scheduling(inputs.environment, section.pods),
    )


def query(inputs: Inputs, section: Jaeger, storage: Remote) -> Workload:
    """Jaeger that shows and searches traces."""
    bound, own = inputs.bound, section.query
    text = jaeger_documents.query(
        jaeger_operation(bound),
        _store(inputs, storage),
        http=bound.bind(ports.JAEGER_QUERY),
        grpc=bound.bind(ports.JAEGER_QUERY_GRPC),
        prometheus=inputs.environment.monitoring.prometheus,
    )
    return Workload(
        name=inputs.workload,
        role=inputs.role,
        server=inputs.server,
        arguments=(f"--config={inputs.documents}/query.yaml",),
        documents=(Document("query.yaml", text),),
        documents_path=inputs.documents,
        ports=bound.all,
        metrics=metrics_of(bound.all),
        volumes=(),
        health=Health(ports.HEALTH.name, "/status", start_seconds=180),
        resources=resources(own),
        grace_seconds=30,
        identity=Identity(JAEGER_USER),
        spread="replicated",
        replicas=own.replicas if inputs.addresses.shape == "cluster" else 1,
        environment=go_memory_limit(own.memory),
        secret_files=_authority(inputs.environment, inputs.addresses),
        secret_variables=_credentials(storage),
        scheduling=scheduling(inputs.environment, own.pods),
    )


CLEANER = "cleaner"
"""Name of the job that deletes old indices, of a store without a name."""

_CLEANER_RESOURCES = Resources(cpu_millicores=10, memory_bytes=64 * 2**20)


def jobs(environment: Environment, addresses: Addresses, *, name: str) -> tuple[Job, ...]:
    """The jobs of an environment: those that delete the indices of days that are over, on stores that do not do so themselves."""
    return tuple(job for store in environment.stores for job in _cleaner(store, addresses, name))


def _cleaner(environment: Environment, addresses: Addresses, name: str) -> Iterator[Job]:
    backend, storage = environment.backend, remote(environment)
    if backend.kind == "otlp" or storage is None or storage.kind == "cassandra":
        return
    days = round(environment.retention.traces.total_seconds() / 86_400)
    authority = _authority(environment, addresses)
    tls = [f"--es.tls.enabled={str(_is_encrypted(storage)).lower()}"]
    tls += [f"--es.tls.ca={file.path}" for file in authority]
    yield Job(
        name=of_store(CLEANER, environment),
        role="backend",
        server=image_of("jaeger-es-index-cleaner", environment),
        arguments=(
            f"--index-prefix={place_in_store(storage, name)}",
            # The age of an index by the hour, in 2.13 as in 2.20, and not by the midnight that comes next.
            "--feature-gates=es.index.relativeTimeIndexDeletion",
            *tls,
            # The first span of a day made its index, and its last has to stay for as long.
            str(days + 1),
            storage.servers[0],
        ),
        resources=_CLEANER_RESOURCES,
        identity=Identity(JAEGER_USER),
        hour=0,
        minute=15,
        secret_files=authority,
        secret_variables=tuple(SecretVariable(f"ES_{entry.key.upper()}", entry.secret, entry.key) for entry in _credentials(storage)),
        scheduling=scheduling(environment, backend.pods),
    )


def _autoscaling(section: AutoscalingSection | None) -> Autoscaling | None:
    return Autoscaling(section.max_replicas, round(section.cpu * 100), section.queue) if section is not None else None


def _store(inputs: Inputs, storage: Remote) -> trace_stores.Store:
    """The store as documents name it."""
    retention = round(inputs.environment.retention.traces.total_seconds())
    authority = next((file.path for file in _authority(inputs.environment, inputs.addresses)), None)
    reach = trace_stores.Reach(not _is_encrypted(storage), authority, credentials=storage.credentials_secret is not None)
    place = place_in_store(storage, inputs.name)
    if storage.kind == "cassandra":
        found = list(store_ports(storage))
        return trace_stores.Cassandra(
            tuple(host for host, _ in found),
            found[0][1].number,
            place,
            storage.datacenter,
            storage.replication,
            retention,
            storage.create_schema,
            reach,
        )
    return trace_stores.Search(
        storage.kind, storage.servers, place, storage.shards, storage.replication, retention, storage.create_schema, reach
    )


def _is_encrypted(storage: Remote) -> bool:
    return not storage.plain_text if storage.kind == "cassandra" else storage.servers[0].startswith("https://")


def _authority(environment: Environment, addresses: Addresses) -> tuple[SecretFile, ...]:
    """The certificate of the store's own authority, as a file."""
    storage = remote(environment)
    return files_of(addresses, of_store("store", environment), (storage.ca_secret, AUTHORITY)) if storage is not None else ()


def _credentials(storage: Remote) -> tuple[SecretVariable, ...]:
    """User name and password that the store asks for."""
    secret, keys = storage.credentials_secret, ((trace_stores.USERNAME, "username"), (trace_stores.PASSWORD, "password"))
    return tuple(SecretVariable(variable, secret, key) for variable, key in keys if secret is not None)
