"""Rules across the settings of a backend that is Tempo, or is there already."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from components.documents.buckets import AZURE_ENDPOINT
from stacks.environment.sizing import flow, trace_bytes
from stacks.environment.units import format_bytes, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.cluster_rules import Broken
    from stacks.environment.model import Environment
    from stacks.environment.otlp import Otlp
    from stacks.environment.tempo import Tempo, TempoAzure, TempoBucket

LARGEST_BATCH = 2 * 2**20
"""Bytes that a gateway sends at once, at most."""

AZURE_CLIENT = "azure.workload.identity/client-id"


def broken_backend_rules(environment: Environment) -> Iterator[Broken]:
    """Every rule that a backend breaks."""
    backend = environment.backend
    if backend.kind == "tempo":
        yield from _limits(environment, backend)
        if backend.storage.kind == "s3":
            yield from _s3(backend.storage)
        elif backend.storage.kind == "azure":
            yield from _azure(backend.storage)
    elif backend.kind == "otlp":
        yield from _existing(environment, backend)


def _limits(environment: Environment, backend: Tempo) -> Iterator[Broken]:
    limits, load = backend.limits, environment.load
    least = (
        ("trace_size", limits.trace_size, trace_bytes(environment), "a trace of the expected size"),
        ("intake_rate", limits.intake_rate, flow(environment).kept * load.bytes_per_span, "what the gateways keep in a second"),
        ("burst", limits.burst, LARGEST_BATCH, "what a gateway sends at once"),
    )
    for name, given, needed, what in least:
        if given is not None and given < needed:
            right = format_bytes(-(-int(needed) // 2**20) * 2**20)
            yield f"backend.limits.{name}", f'{format_bytes(given)} is less than {what}; write "{right}" or more'


def _s3(storage: TempoBucket) -> Iterator[Broken]:
    if storage.plain_http and storage.ca_secret is not None:
        yield "backend.storage.ca_secret", "is of no use with plain HTTP; leave it out, or write plain_http: false"


def _azure(storage: TempoAzure) -> Iterator[Broken]:
    key, annotated = "backend.storage", AZURE_CLIENT in storage.service_account_annotations
    if not storage.endpoint.startswith(AZURE_ENDPOINT):
        wrong = f"{shown(storage.endpoint)} is taken for an emulator by Tempo, and asked in plain HTTP"
        yield f"{key}.endpoint", f'{wrong}; write one that begins with "{AZURE_ENDPOINT}", for example "blob.core.windows.net"'
    if storage.credentials_secret is None and storage.identity == "workload" and not annotated:
        right = f"write {AZURE_CLIENT} there, or credentials_secret, or identity: node"
        yield f"{key}.service_account_annotations", f"name no identity of Entra for the backend; {right}"
    if storage.client_id is not None and (storage.credentials_secret is not None or storage.identity == "workload"):
        yield f"{key}.client_id", "is of use with identity: node and no credentials_secret alone; leave it out"


def _existing(environment: Environment, backend: Otlp) -> Iterator[Broken]:
    if (backend.query_url is None) != (backend.query_protocol == "none"):
        missing = backend.query_url is None
        key, what = ("query_url", "is missing") if missing else ("query_protocol", '"none" asks nothing of backend.query_url')
        right = 'write the URL of its API, or query_protocol: "none"' if missing else 'write "jaeger" or "tempo", or leave query_url out'
        yield f"backend.{key}", f"{what}; {right}"
    if backend.endpoint.startswith("http://"):
        secured = (("ca_secret", backend.ca_secret), ("token_secret", backend.token_secret), ("headers_secret", backend.headers_secret))
        for name, given in secured:
            if given is not None:
                yield f"backend.{name}", "goes with TLS alone, else it would cross the network in clear; write an https endpoint"
    if (backend.headers_secret is None) != (not backend.secret_headers):
        missing = backend.headers_secret is None
        name, other = ("headers_secret", "secret_headers") if missing else ("secret_headers", "headers_secret")
        yield f"backend.{name}", f"is missing beside backend.{other}; write both, or neither"
    for name in sorted({"authorization"} & {*backend.headers, *backend.secret_headers} if backend.token_secret else ()):
        yield "backend.token_secret", f"writes the header {name}, which is named too; keep one of them"
    for name in sorted({*backend.headers} & {*backend.secret_headers}):
        yield f"backend.headers.{name}", "stands in backend.secret_headers too; keep one of them"
    yield from _headers_of_grpc(backend)
    if backend.token_secret is not None and backend.token_secret == environment.ingest.token_secret:
        yield "backend.token_secret", f"{shown(backend.token_secret)} is the token of the intake, which services know; name one of its own"
    if environment.access is not None:
        yield "access", "has no user interface to guard: that of the backend is not deployed here; leave it out"


_GRPC_NAME = re.compile(r"[a-z0-9_.-]+")


def _headers_of_grpc(backend: Otlp) -> Iterator[Broken]:
    """Headers with which gRPC sends no request (``ValidatePair`` in its internal/metadata), though HTTP would."""
    if backend.protocol != "grpc":
        return
    names = [(f"headers.{name}", name) for name in backend.headers]
    names += [(f"secret_headers.{number}", name) for number, name in enumerate(backend.secret_headers)]
    for key, name in names:
        if not _GRPC_NAME.fullmatch(name):
            right = 'write letters, digits, "-", "_" and ".", or protocol: http'
            yield f"backend.{key}", f"{shown(name)} is the name of no header of gRPC, which would send no span; {right}"
    for name, value in backend.headers.items():
        if "\t" in value:
            yield f"backend.headers.{name}", f"{shown(value)} has a tab, with which gRPC would send no span; write a blank for it"
