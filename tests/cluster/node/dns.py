"""Names of Services and of the pods behind headless ones, answered from the API server: what the cluster's DNS does."""

from __future__ import annotations

import ipaddress
import socket
import socketserver
import struct
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cluster.node.api import Api

DOMAIN = "cluster.local"
REFRESH_SECONDS = 1.0
TIME_TO_LIVE = 1
HEADER = struct.Struct("!6H")
TYPE_A = 1
NO_ERROR = 0x8580
NAME_ERROR = 0x8583


def records(api: Api) -> Mapping[str, tuple[str, ...]]:
    """Every name with its IPv4 addresses: cluster addresses, and the ready endpoints of headless Services."""
    names: dict[str, tuple[str, ...]] = {}
    for service in api.get("/api/v1/services")["items"]:
        name = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.{DOMAIN}"
        address = service["spec"].get("clusterIP")
        names[name] = () if address in (None, "None") else (address,)
    for slice_ in api.get("/apis/discovery.k8s.io/v1/endpointslices")["items"]:
        service = slice_["metadata"].get("labels", {}).get("kubernetes.io/service-name")
        name = f"{service}.{slice_['metadata']['namespace']}.svc.{DOMAIN}"
        for endpoint in slice_.get("endpoints") or ():
            if not endpoint.get("conditions", {}).get("ready", True):
                continue
            if names.get(name) is not None and not _has_cluster_address(names[name]):
                names[name] = (*names[name], *endpoint["addresses"])
            if endpoint.get("hostname"):
                names[f"{endpoint['hostname']}.{name}"] = tuple(endpoint["addresses"])
    return names


def _has_cluster_address(addresses: tuple[str, ...]) -> bool:
    from tests.cluster.node.network import SERVICE_RANGE

    return any(ipaddress.ip_address(address) in ipaddress.ip_network(SERVICE_RANGE) for address in addresses)


def answer(query: bytes, names: Mapping[str, tuple[str, ...]]) -> bytes:
    """The answer to one query: its A records, nothing for other types, and that the name does not exist for what is unknown."""
    identifier = HEADER.unpack_from(query)[0]
    labels: list[str] = []
    at = HEADER.size
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    end = at + 5
    (wanted,) = struct.unpack_from("!H", query, at + 1)
    addresses = names.get(".".join(labels).lower())
    found = addresses if addresses and wanted == TYPE_A else ()
    flags = NAME_ERROR if addresses is None else NO_ERROR
    body = b"".join(struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, TIME_TO_LIVE, 4) + socket.inet_aton(address) for address in found)
    return HEADER.pack(identifier, flags, 1, len(found), 0, 0) + query[HEADER.size : end] + body


class NameServer:
    """Answers on UDP port 53 of one address until it is closed."""

    def __init__(self, api: Api, address: str) -> None:
        self._api = api
        self._names: Mapping[str, tuple[str, ...]] = {}
        self._closed = threading.Event()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                query, reply = self.request
                reply.sendto(answer(query, outer._names), self.client_address)

        self._server = socketserver.ThreadingUDPServer((address, 53), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        threading.Thread(target=self._refresh, daemon=True).start()

    def _refresh(self) -> None:
        while not self._closed.is_set():
            try:
                self._names = records(self._api)
            except OSError:
                time.sleep(REFRESH_SECONDS)
            self._closed.wait(REFRESH_SECONDS)

    def close(self) -> None:
        """Stop answering."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
