"""Objects whose controllers come with the cluster: certificates of cert-manager, secrets of the External Secrets Operator, and others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate in the Secret ``secret`` for these ``hosts``, by an issuer of cert-manager."""

    secret: str
    hosts: tuple[str, ...]
    issuer: str
    issuer_kind: str


@dataclass(frozen=True, slots=True)
class ExternalSecret:
    """The Secret ``secret``, whose entries are the properties of ``key`` in a store that is read every ``refresh_seconds``."""

    secret: str
    key: str
    store: str
    store_kind: str
    refresh_seconds: int


@dataclass(frozen=True, slots=True)
class Instrumentation:
    """Instrumentation of the OpenTelemetry operator, by which it configures pods that ask for it by an annotation.

    ``token`` says that the intake asks for one.
    """

    token: bool
