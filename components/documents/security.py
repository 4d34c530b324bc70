"""Security of the ports that services reach: TLS of the server, and who may ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Security:
    """Paths of the certificate and of the key that a server presents."""

    certificate: str
    key: str


def tls(security: Security) -> Part:
    """The section ``tls`` of a server made of OpenTelemetry's configuration of servers: the collector's receivers, Jaeger's extensions."""
    # A renewed certificate is taken without a restart.
    return {"cert_file": security.certificate, "key_file": security.key, "min_version": "1.2", "reload_interval": "1h"}
