"""Location of servers outside of a plan, by their host names: what network policies let workloads reach."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.workload import Outside

if TYPE_CHECKING:
    from collections.abc import Iterable

_SERVICE = re.compile(r"([a-z0-9-]+\.){1,2}(?P<namespace>[a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?\.?")


def location(url: str | None) -> Outside:
    """The namespace of a server whose URL is that of a Service; any address for another URL, and no location without one."""
    if url is None:
        return Outside()
    return located([urlsplit(url).hostname or ""])


def located(hosts: Iterable[str]) -> Outside:
    """The namespaces of Services and the networks of addresses; any address where one host is neither."""
    namespaces: list[str] = []
    networks: list[str] = []
    for host in hosts:
        if found := _SERVICE.fullmatch(host):
            namespaces.append(found["namespace"])
        elif _is_address(host):
            networks.append(str(ipaddress.ip_network(host)))
        else:
            return Outside(anywhere=True)
    return Outside(tuple(dict.fromkeys(namespaces)), networks=tuple(dict.fromkeys(networks)))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
