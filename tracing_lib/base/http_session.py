"""HTTP by ``urllib3``, with certificates and token from the settings and not from the environment of the process."""

from __future__ import annotations

import ssl
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
from urllib3 import PoolManager, ProxyManager, make_headers
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr
    from urllib3 import BaseHTTPResponse

UNREACHABLE: Final = (HTTPError, OSError)
"""Errors of a request that has no response."""


class SettingsSession:
    """Connections that are kept. Proxies are those of the environment, in which a network may be spared too (``no_proxy=10.0.0.0/8``).

    ``certificate`` is PEM text of the CAs to trust; None: the public ones.
    """

    def __init__(self, certificate: str | None = None) -> None:
        self._certificate = certificate
        self._pools: dict[str, PoolManager] = {}

    def request(
        self, method: str, url: str, body: bytes | None = None, *, headers: Mapping[str, str] | None = None, seconds: float
    ) -> BaseHTTPResponse:
        """Return the head of a response, whose body is still to be read. Raises ``UNREACHABLE``."""
        pool = self._pools.get(by := _proxy_of(url)) or self._pools.setdefault(by, self._made(by, url))
        return pool.request(method, url, body, headers=headers, timeout=seconds, retries=False, redirect=False, preload_content=False)

    def _made(self, proxy: str, url: str) -> PoolManager:
        options: dict[str, Any] = {}
        if url.startswith("https"):
            public = None if self._certificate else certifi.where()
            options["ssl_context"] = ssl.create_default_context(cafile=public, cadata=self._certificate)
        if not proxy:
            return PoolManager(**options)
        return ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=parse_url(proxy).auth), **options)

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.clear()


def _proxy_of(url: str) -> str:
    """Return the address of the proxy for a URL; an empty string for none."""
    proxies, parts = getproxies(), urlsplit(url)
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass(parts.netloc):
        return ""
    for spared in proxies.get("no", "").split(","):
        with suppress(ValueError):
            if ip_address(parts.hostname or "") in ip_network(spared.strip(), strict=False):
                return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def basic(user: str | None, token: SecretStr | None) -> dict[str, str]:
    """Return the header of HTTP basic authentication, with the token as password; none without a user or a token."""
    return {} if user is None or token is None else make_headers(basic_auth=f"{user}:{token.get_secret_value()}")
