"""The stores as gateways reach them: those that the plan deploys, and those that are there already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.documents import held, ports
from components.documents.delivery import Delivery
from components.workload import SecretFile, SecretVariable
from stacks.plan.addresses import Bound
from stacks.plan.names import of_store
from stacks.plan.parts import AUTHORITY, TOKEN, files_of
from stacks.plan.remote import remote

if TYPE_CHECKING:
    from stacks.environment.model import Environment
    from stacks.environment.otlp import Otlp
    from stacks.plan.addresses import Addresses

_ANSWER_SECONDS = 60
"""Time beyond the wait of an answer, or in all, in which a store is expected to write a batch."""


def delivery(environment: Environment, addresses: Addresses) -> Delivery:
    """The backend of an environment as the exporter of a gateway has it."""
    backend = environment.backend
    if backend.kind != "otlp":
        taking = Bound(addresses, of_store(backend.kind, environment))
        return replace(_placed(environment, taking.call(ports.OTLP_GRPC)), name=backend.name)
    paths = {file.key: file.path for file in secret_files(environment, addresses)}
    return Delivery(
        backend.endpoint if backend.protocol == "http" else _host_and_port(backend),
        backend.protocol,
        secured=backend.endpoint.startswith("https://"),
        authority=paths.get(AUTHORITY),
        token=paths.get(TOKEN),
        headers=dict(sorted(backend.headers.items())),
        secret_headers={header: entry.variable for header, entry in zip(_headers(backend), secret_variables(environment), strict=True)},
        name=backend.name,
    )


def _placed(environment: Environment, endpoint: str) -> Delivery:
    """Write to the backend at ``endpoint`` in batches that its store has written before a gateway gives up waiting."""
    storage = remote(environment)
    if storage is None:
        return Delivery(endpoint)
    if storage.kind == "cassandra":
        # A request is written span by span and index by index, each waited for; requests are written beside each other.
        return Delivery(endpoint, answer_seconds=_ANSWER_SECONDS, least_bytes=16_384, most_bytes=131_072, consumers=40)
    waited = held.Hold("", "", 0).longest_seconds
    return Delivery(endpoint, answer_seconds=waited + _ANSWER_SECONDS, consumers=20)


def _host_and_port(backend: Otlp) -> str:
    parts = urlsplit(backend.endpoint)
    return parts.netloc if parts.port is not None else f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"


def _headers(backend: Otlp) -> list[str]:
    return sorted(backend.secret_headers)


def secret_files(environment: Environment, addresses: Addresses) -> tuple[SecretFile, ...]:
    """The authority and the token of a store that is there already; none of one that the plan deploys."""
    backend = environment.backend
    if backend.kind != "otlp":
        return ()
    return files_of(addresses, of_store("backend", environment), (backend.ca_secret, AUTHORITY), (backend.token_secret, TOKEN))


def secret_variables(environment: Environment) -> tuple[SecretVariable, ...]:
    """The variables with the values of secret headers, in the order of the headers' names."""
    backend = environment.backend
    if backend.kind != "otlp" or backend.headers_secret is None:
        return ()
    prefix = of_store("backend", environment).replace("-", "_").upper()
    return tuple(
        SecretVariable(f"{prefix}_HEADER_{number}", backend.headers_secret, header) for number, header in enumerate(_headers(backend))
    )
