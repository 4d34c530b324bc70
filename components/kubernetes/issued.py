"""Objects of controllers that fill Secrets: Certificates of cert-manager, and ExternalSecrets of the External Secrets Operator.

Sources: https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.Certificate and
https://external-secrets.io/latest/api/externalsecret/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.kubernetes.names import common_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.issued import Certificate, ExternalSecret
    from components.kubernetes.names import Object
    from components.workload import Plan

_TYPES = {
    frozenset({"tls.crt", "tls.key"}): "kubernetes.io/tls",
    frozenset({".dockerconfigjson"}): "kubernetes.io/dockerconfigjson",
}
"""The types of Secrets by their entries; the API server checks the entries of these."""


def secret_type(entries: Iterable[str]) -> str:
    """The type of a Secret with these entries."""
    return _TYPES.get(frozenset(entries), "Opaque")


def issued_objects(plan: Plan) -> list[Object]:
    """The objects whose controllers fill Secrets of a plan."""
    return [*(_certificate(plan, wanted) for wanted in plan.certificates), *(_external(plan, wanted) for wanted in plan.external_secrets)]


def _certificate(plan: Plan, wanted: Certificate) -> Object:
    spec: Object = {
        "secretName": wanted.secret,
        "dnsNames": list(wanted.hosts),
        "usages": ["digital signature", "key encipherment", "server auth"],
        # A key that leaked is of no use after the next renewal.
        "privateKey": {"rotationPolicy": "Always"},
        "issuerRef": {"group": "cert-manager.io", "kind": wanted.issuer_kind, "name": wanted.issuer},
    }
    head = common_metadata(plan, wanted.secret, plan.namespace)
    return {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": head, "spec": spec}


def _external(plan: Plan, wanted: ExternalSecret) -> Object:
    entries = plan.secrets[wanted.secret]
    spec: Object = {
        "refreshInterval": f"{wanted.refresh_seconds}s",
        "secretStoreRef": {"kind": wanted.store_kind, "name": wanted.store},
        "target": {"name": wanted.secret, "creationPolicy": "Owner", "template": {"type": secret_type(entries)}},
        "data": [{"secretKey": entry, "remoteRef": {"key": wanted.key, "property": entry}} for entry in entries],
    }
    head = common_metadata(plan, wanted.secret, plan.namespace)
    return {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": head, "spec": spec}
