"""Kinds that controllers bring, as the documentation of each has them: as much of their schemas as is written here, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.kubernetes.names import Object

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "integer", "minimum": 1}


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def fields(*needed: str, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(needed)}


PARENT = fields("name", group=TEXT, kind=TEXT, namespace=TEXT, name=TEXT, sectionName=TEXT)
BACKEND = fields("name", group={"type": "string"}, kind=TEXT, name=TEXT, port=NUMBER, weight=NUMBER)
PATH = fields(type=one_of("Exact", "PathPrefix", "RegularExpression"), value=TEXT)
ROUTE = fields(
    parentRefs=many(PARENT), hostnames=many(TEXT), rules=many(fields(matches=many(fields(path=PATH)), backendRefs=many(BACKEND)))
)
USAGE = one_of("signing", "digital signature", "key encipherment", "key agreement", "server auth", "client auth")
CERTIFICATE = fields(
    "secretName",
    "issuerRef",
    secretName=TEXT,
    dnsNames=many(TEXT),
    usages=many(USAGE),
    privateKey=fields(rotationPolicy=one_of("Never", "Always")),
    issuerRef=fields("name", group=TEXT, kind=TEXT, name=TEXT),
)
STORE = fields("name", kind=one_of("SecretStore", "ClusterSecretStore"), name=TEXT)
TARGET = fields(name=TEXT, creationPolicy=one_of("Owner", "Orphan", "Merge", "None"), template=fields(type=TEXT))
ENTRY = fields("secretKey", "remoteRef", secretKey=TEXT, remoteRef=fields("key", key=TEXT, property=TEXT))
EXTERNAL = fields(refreshInterval={"type": "string", "pattern": "^[0-9]+s$"}, secretStoreRef=STORE, target=TARGET, data=many(ENTRY))
PROPAGATOR = one_of("tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace", "none")
SAMPLER = one_of(
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
    "jaeger_remote",
    "xray",
)
VARIABLE = fields(
    "name",
    name=TEXT,
    value={"type": "string"},
    valueFrom=fields(secretKeyRef=fields("key", name=TEXT, key=TEXT)),
)
INSTRUMENTATION = fields(
    exporter=fields(endpoint={"type": "string"}, tls=fields(configMapName={"type": "string"}, ca_file={"type": "string"})),
    propagators={"type": "array", "items": PROPAGATOR},
    sampler=fields(type=SAMPLER, argument={"type": "string"}),
    resource=fields(resourceAttributes={"type": "object", "additionalProperties": {"type": "string"}}),
    env={"type": "array", "items": VARIABLE},
)


TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
ENDPOINT = fields(port=TEXT, path=TEXT, interval={"type": "string", "pattern": "^[0-9]+s$"})
SELECTED = fields(matchLabels=TEXTS)
MONITOR = fields("selector", jobLabel=TEXT, selector=SELECTED, podMetricsEndpoints=many(ENDPOINT))
SERVICE_MONITOR = fields("endpoints", "selector", jobLabel=TEXT, selector=SELECTED, endpoints=many(ENDPOINT))
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$"}
RULE = fields("alert", "expr", **{"alert": TEXT, "expr": TEXT, "for": DURATION, "labels": TEXTS, "annotations": TEXTS})
RULES = fields(groups=many(fields("name", name=TEXT, rules=many(RULE))))


def definitions() -> list[Object]:
    """The definition of each kind."""
    return [
        _definition("monitoring.coreos.com", "PodMonitor", MONITOR),
        _definition("monitoring.coreos.com", "ServiceMonitor", SERVICE_MONITOR),
        _definition("monitoring.coreos.com", "PrometheusRule", RULES),
        _definition("gateway.networking.k8s.io", "HTTPRoute", ROUTE),
        _definition("cert-manager.io", "Certificate", CERTIFICATE),
        _definition("external-secrets.io", "ExternalSecret", EXTERNAL),
        _definition("opentelemetry.io", "Instrumentation", INSTRUMENTATION, version="v1alpha1"),
    ]


def _definition(group: str, kind: str, spec: Schema, *, version: str = "v1") -> Object:
    plural = f"{kind.lower()}s"
    served = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}, "required": ["spec"]}},
    }
    # The API server gives groups of *.k8s.io to those alone who can show that they were approved there.
    approved = {"annotations": {"api-approved.kubernetes.io": "unapproved, for tests alone"}} if group.endswith(".k8s.io") else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", **approved},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [served],
        },
    }
