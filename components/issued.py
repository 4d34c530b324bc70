"""Secrets that controllers of a cluster fill: certificates by cert-manager, others by the External Secrets Operator."""

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
