"""The Instrumentation of the OpenTelemetry operator, made of the variables that configure any SDK.

Source: https://github.com/open-telemetry/opentelemetry-operator/blob/main/docs/api/instrumentations.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from components.kubernetes.names import PART_OF, common_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.kubernetes.names import Object
    from components.workload import Plan

CERTIFICATE = "otlp-ca.crt"
"""Entry of the ConfigMap beside it that holds the certificate of the intake, if it has one of its own."""

HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
"""Entry of the Secret beside it that holds the token, and the variable of that value."""

_OTHER_SIGNALS = {"OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
"""Variables for signals that the backbone does not take: an agent of a language would send them and fail."""


def instrumentation_objects(plan: Plan, namespace: str, variables: Mapping[str, str]) -> Iterator[Object]:
    """The Instrumentation of a namespace, where the plan has one. ``variables`` are the entries of the ConfigMap there."""
    if plan.instrumentation is None:
        return
    exporter: Object = {"endpoint": variables["OTEL_EXPORTER_OTLP_ENDPOINT"]}
    if CERTIFICATE in variables:
        exporter["tls"] = {"configMapName": PART_OF, "ca_file": CERTIFICATE}
    attributes = dict(pair.split("=", 1) for pair in variables["OTEL_RESOURCE_ATTRIBUTES"].split(","))
    spec: Object = {
        "exporter": exporter,
        "propagators": variables["OTEL_PROPAGATORS"].split(","),
        "sampler": {"type": variables["OTEL_TRACES_SAMPLER"], "argument": variables["OTEL_TRACES_SAMPLER_ARG"]},
        "resource": {"resourceAttributes": {key: unquote(value) for key, value in attributes.items()}},
        "env": [*_environment(variables), *_token(token=plan.instrumentation.token)],
    }
    head = common_metadata(plan, PART_OF, namespace)
    yield {"apiVersion": "opentelemetry.io/v1alpha1", "kind": "Instrumentation", "metadata": head, "spec": spec}


def _environment(variables: Mapping[str, str]) -> list[Object]:
    """The variables for which the object has no field."""
    told = {"OTEL_EXPORTER_OTLP_PROTOCOL": variables["OTEL_EXPORTER_OTLP_PROTOCOL"]} | _OTHER_SIGNALS
    return [{"name": name, "value": value} for name, value in sorted(told.items())]


def _token(*, token: bool) -> list[Object]:
    reference = {"name": PART_OF, "key": HEADERS}
    return [{"name": HEADERS, "valueFrom": {"secretKeyRef": reference}}] if token else []
