"""Remote write of an environment: the store that agents write to, and the pages of metrics that each of them scrapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.documents import ports
from components.documents.remote_write import OnNode, RemoteWrite
from components.documents.scraping import Page
from stacks.plan.parts import AUTHORITY, TOKEN, files_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import SecretFile
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses


def store_files(environment: Environment, addresses: Addresses) -> tuple[SecretFile, ...]:
    """The token and the authority of the store, as files."""
    store = environment.monitoring.remote_write
    return files_of(addresses, "metrics", (store.token_secret, TOKEN), (store.ca_secret, AUTHORITY)) if store is not None else ()


def remote_write(environment: Environment, addresses: Addresses, files: Mapping[str, str]) -> RemoteWrite | None:
    """The remote write of the agent on a node; ``files`` has the path of each of ``store_files`` by its entry."""
    store, monitoring = environment.monitoring.remote_write, environment.monitoring
    if store is None:
        return None
    names, neighbours = _port_names(environment), addresses.neighbours()
    scraped: OnNode | list[Page] = OnNode(environment.namespace, names)
    if neighbours is not None:
        scraped = [
            Page(environment.namespace, workload, instance, port.name, f"{address}:{port.number}")
            for workload, instance, address in neighbours
            for port in addresses.ports(workload)
            if port.name in names
        ]
    interval = max(1, round(monitoring.interval.total_seconds()))
    return RemoteWrite(store.url, scraped, interval, files.get(TOKEN), files.get(AUTHORITY), store.tenant)


def _port_names(environment: Environment) -> tuple[str, ...]:
    """Names of the ports with metrics; Grafana serves its own on the port of its pages."""
    told = any(each.backend.kind == "tempo" and each.backend.grafana.scraped for each in environment.stores)
    return (*ports.METRICS, *([ports.GRAFANA.name] if told else []))
