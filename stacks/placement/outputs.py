"""Outputs of every placement: the contract, made of the plan."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from components.kubernetes.instrumentation import CERTIFICATE, HEADERS
from components.kubernetes.names import PART_OF
from stacks.plan.plan_text import plan_json
from tracing_lib.base.errors import ContractError
from tracing_lib.contract.outputs import SCHEMA_VERSION, OperationTarget, Outputs, PrivacyRule
from tracing_lib.contract.outputs import Store as StoreOutputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import Plan, Store
    from stacks.environment.model import Environment

__all__ = ["ContractError", "Outputs", "outputs"]

CONSUMER_OBJECT = PART_OF
"""Name of the ConfigMap, and of the Secret, in each namespace that may send."""

CERTIFICATE_KEY = CERTIFICATE
CERTIFICATE_PATH = f"/etc/virtengine-tracing/{CERTIFICATE_KEY}"
"""Entry of the ConfigMap that holds the certificate of the intake, and where a service is expected to mount it."""

OTLP_HEADERS = HEADERS
"""The variable with which every OpenTelemetry SDK is given the token."""


def outputs(plan: Plan, *, certificate: str | None = None) -> Outputs:
    """Outputs of a backbone that runs this plan, for services and operators.

    ``certificate`` is the PEM of the authority behind the intake's own; None means plain text, or a public authority.
    """
    ends, head = plan.endpoints, plan.head_sampling
    first, *others = (_store(store) for store in plan.stores)
    return Outputs(
        schema_version=SCHEMA_VERSION,
        environment=plan.environment,
        namespace=plan.namespace,
        **dict(first),
        also=others[0] if others else None,
        otlp_grpc_endpoint=ends.otlp_grpc,
        otlp_http_endpoint=ends.otlp_http,
        strategies_url=ends.strategies,
        strategies_user=ends.strategies_user,
        span_metrics_url=ends.span_metrics,
        otlp_certificate=certificate,
        head_ratio=head.ratio,
        strategies_poll_seconds=head.poll_seconds,
        targets=tuple(OperationTarget(**dataclasses.asdict(target)) for target in head.targets),
        privacy=tuple(PrivacyRule(**dataclasses.asdict(rule)) for rule in plan.privacy),
    )


def _store(store: Store) -> StoreOutputs:
    return StoreOutputs(
        backend=store.kind,
        query_url=store.query,
        query_protocol=store.query_protocol,
        ui_url=store.ui,
        retention_seconds=store.retention_seconds,
    )


def exported(contract: Outputs, plan: Plan, environment: Environment) -> dict[str, Any]:
    """The stack outputs by name, secrets excepted: the contract, what other languages read, and what is deployed.

    ``settings`` and ``plan`` are JSON text, because an output forgets entries that are null, and ``slow: null`` has a meaning.
    """
    present = {name: value for name, value in contract.to_mapping().items() if value is not None}
    return present | {
        "otel": contract.to_otel_environment(certificate_path=CERTIFICATE_PATH),
        "settings": settings_text(environment),
        "plan": plan_json(plan),
    }


def settings_text(environment: Environment) -> str:
    """The settings of an environment with every default, as JSON."""
    return json.dumps(environment.model_dump(mode="json"), ensure_ascii=False)


def with_token(contract: Outputs, token: str) -> Outputs:
    """The contract with the token of the intake. Raises ``ContractError`` for one that no header can hold."""
    return Outputs.parse({**contract.to_mapping(), "otlp_token": token}, place="the token of the intake")


def otlp_headers(contract: Outputs, token: str) -> str:
    """The value of ``OTEL_EXPORTER_OTLP_HEADERS`` that carries the token. Raises ``ContractError`` for one that no header can hold."""
    return with_token(contract, token).to_otel_environment(secrets=True, certificate_path=CERTIFICATE_PATH)[OTLP_HEADERS]


def consumer_config(contract: Outputs) -> dict[str, str]:
    """The entries of the ConfigMap in each namespace that may send: with ``envFrom`` they configure a service of any language.

    ``VIRTENGINE_TRACING_OUTPUTS_JSON`` is what ``tracing_lib`` reads, the ``OTEL_*`` variables what every SDK reads.
    """
    variables = contract.to_otel_environment(certificate_path=CERTIFICATE_PATH)
    entries = variables | {"VIRTENGINE_TRACING_OUTPUTS_JSON": json.dumps(contract.to_mapping(), sort_keys=True, ensure_ascii=False)}
    if contract.otlp_certificate is not None:
        entries[CERTIFICATE_KEY] = contract.otlp_certificate
    return entries


def consumer_secret(contract: Outputs, token: str) -> dict[str, str]:
    """The entries of the Secret beside it, for ``envFrom`` as well."""
    return {"VIRTENGINE_TRACING_TOKEN": token, OTLP_HEADERS: otlp_headers(contract, token)}


def parse_deployed(mapping: Mapping[str, Any], *, place: str) -> Outputs:
    """The contract in the outputs of a stack. Raises ``ContractError``."""
    return Outputs.parse(dict(mapping), place=place)
