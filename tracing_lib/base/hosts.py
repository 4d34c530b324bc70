"""Own hosts: the hosts to which baggage may be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

OWN_HOSTS: Final = ("localhost", "127.0.0.1", "::1", "*.svc", "*.svc.cluster.local")
"""Names of the local host, and of services inside a Kubernetes cluster."""


def host_of(target: str) -> str:
    """Return the host, in lower case, of a URL, of ``host:port``, or of a gRPC target such as ``dns:///chain:9090``."""
    rest = target
    if "://" in target:
        # gRPC's dns:///host has an empty authority; the endpoint is the path (gRPC name resolution).
        rest = urlsplit(target).netloc or urlsplit(target).path.lstrip("/")
    elif target.startswith(("dns:", "ipv4:", "ipv6:")):
        rest = target.partition(":")[2]
    rest = rest.rpartition("@")[2]
    if rest.startswith("["):
        return rest[1:].partition("]")[0].lower()
    return (rest.partition(":")[0] if rest.count(":") == 1 else rest).rstrip(".").lower()


def is_own(target: str, own_hosts: Iterable[str]) -> bool:
    """Whether a URL, address or gRPC target is on one of ``own_hosts``: names, addresses, or ``*.`` and a domain for all hosts below it."""
    host = host_of(target)
    if not host:
        return False
    return any(host == own or (own.startswith("*.") and host.endswith(own[1:]) and len(host) > len(own) - 1) for own in own_hosts)
