"""Rules of the stores of Jaeger: what each cannot do, and which settings belong to which."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stacks.environment.cluster_rules import broken_processor_share
from stacks.environment.store_names import default_index_prefix
from stacks.environment.units import format_bytes, format_duration, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.cluster_rules import Broken
    from stacks.environment.jaeger import Cassandra, Elasticsearch, Jaeger, OpenSearch
    from stacks.environment.model import Environment

LONGEST_TTL = timedelta(days=20 * 365)
"""Longest time to live that Cassandra takes (org.apache.cassandra.db.rows.Cell, MAX_TTL)."""

_REQUEST, _COMMA = "POST //_search?ignore_unavailable=true&rest_total_hits_as_int=true HTTP/1.1", "%2C"
"""The first line of a search of Jaeger, beside the names of indices, and what is between these."""

_DAY = timedelta(days=1)


def broken_store_rules(environment: Environment) -> Iterator[Broken]:
    """Every rule of Jaeger's store that an environment breaks."""
    backend = environment.backend
    if backend.kind != "jaeger":
        return
    if backend.embedded:
        yield from _embedded(backend)
    else:
        yield from _elsewhere(backend)
        yield from _autoscaling(environment, backend)
    storage = backend.storage
    if storage.kind != "badger" and storage.ca_secret is not None and environment.target.kind != "kubernetes":
        yield "backend.storage.ca_secret", "is a file, which one host is not given; leave it out, or write target.kind: kubernetes"
    match storage.kind:
        case "badger":
            pass
        case "cassandra":
            yield from _cassandra(environment, storage)
        case "opensearch" | "elasticsearch":
            yield from _search(environment, storage)


def _embedded(backend: Jaeger) -> Iterator[Broken]:
    if backend.volume is None:
        yield "backend.volume", "is required with Badger and missing; write its size, which `check` multiplies, or name another storage"
    if backend.replicas > 1:
        yield (
            "backend.replicas",
            (
                f"Badger is opened by one process, not shared by {backend.replicas}; write 1, name a storage that is shared "
                "(cassandra, opensearch, elasticsearch), or choose kind: tempo"
            ),
        )
    if backend.autoscaling is not None:
        yield "backend.autoscaling", "Badger is opened by one process; leave it out, or name a storage that is shared"
    if backend.query != type(backend).model_fields["query"].default:
        yield "backend.query", "with Badger the process that stores the traces shows them too; leave it out"


def _elsewhere(backend: Jaeger) -> Iterator[Broken]:
    for name, given in (("volume", backend.volume is not None), ("sync_writes", not backend.sync_writes)):
        if given:
            yield f"backend.{name}", f"is of Badger, and {backend.storage.kind} has disks of its own; leave it out"


def _autoscaling(environment: Environment, backend: Jaeger) -> Iterator[Broken]:
    if backend.autoscaling is None:
        return
    if environment.target.kind != "kubernetes":
        yield "backend.autoscaling", "is done by a cluster alone; leave it out, or write target.kind: kubernetes"
    elif (most := backend.autoscaling.max_replicas) < backend.replicas:
        yield "backend.autoscaling.max_replicas", f"{most} is less than backend.replicas; write {backend.replicas} or more"
    yield from broken_processor_share("backend.autoscaling.cpu", backend.autoscaling.cpu)


_BEGINNING = "[a-z0-9][a-z0-9-]*[a-z0-9]([-.][a-z0-9]+)*|([a-z0-9]+[-.])*[a-z0-9]{2,}[.][a-z0-9]+"
_BYTE = "[.]([0-9]{1,2}|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
_ADDRESS = f"([1-9][0-9]?|1[0-9]{{2}}|2[01][0-9]|22[0-3]|24[0-9]|25[0-5])({_BYTE}){{3}}"
_TAKEN = re.compile(rf"(?=.{{4}})({_ADDRESS}|({_BEGINNING})?[a-z0-9]+(--?[a-z0-9]+)*([.][a-z]+)?):[0-9]+")
"""Servers that Jaeger takes: the form of `IsURL` in its github.com/asaskevich/govalidator, of what is a host and a port here."""


def _cassandra(environment: Environment, storage: Cassandra) -> Iterator[Broken]:
    for number, server in enumerate(storage.servers):
        if not _TAKEN.fullmatch(server):
            wrong = f"{shown(server)} is refused by Jaeger, as most names with a part of one letter or with two hyphens in a row are"
            yield f"backend.storage.servers.{number}", f"{wrong}; write another name of the node, or its address"
    numbers = {str(int(server.rpartition(":")[2])) for server in storage.servers}
    if len(numbers) > 1:
        right = "its nodes tell each other's addresses without one, so that all listen on the same; write one port"
        yield "backend.storage.servers", f"have the ports {' and '.join(sorted(numbers))}; {right}"
    if storage.plain_text and storage.ca_secret is not None:
        yield "backend.storage.ca_secret", "is of no use in plain text; leave it out, or write plain_text: false"
    if environment.retention.traces > LONGEST_TTL:
        yield (
            "retention.traces",
            (
                f"{format_duration(environment.retention.traces)} is longer than Cassandra keeps any row; write "
                f'"{format_duration(LONGEST_TTL)}" or less'
            ),
        )


def too_long(environment: Environment, name: str) -> Iterator[Broken]:
    """The retention of the environment ``name``, where a store with an index for each day cannot be asked for all of it."""
    backend, days = environment.backend, environment.retention.traces // _DAY
    if backend.kind != "jaeger" or backend.storage.kind not in {"opensearch", "elasticsearch"}:
        return
    storage = backend.storage
    index = f"{storage.index_prefix or default_index_prefix(name)}-jaeger-service-YYYY-MM-DD"
    # A comma between names is sent as three characters; the indices of the first and of the last day are both asked.
    most = (storage.request_line - len(_REQUEST) + len(_COMMA)) // (len(index) + len(_COMMA)) - 1
    if days > most:
        needed = math.ceil((len(_REQUEST) + (days + 1) * (len(index) + len(_COMMA)) - len(_COMMA)) / 1024)
        yield (
            "retention.traces",
            (
                f"{format_duration(environment.retention.traces)} has Jaeger name {days + 1} indices as {index} in a request, which "
                f'{storage.kind} refuses above {format_bytes(storage.request_line)}; write "{most}d" or less or a shorter '
                f"backend.storage.index_prefix, or give the store http.max_initial_line_length: {needed}kb and write "
                f'backend.storage.request_line: "{needed}Ki"'
            ),
        )


def _search(environment: Environment, storage: OpenSearch | Elasticsearch) -> Iterator[Broken]:
    schemes = {urlsplit(url).scheme for url in storage.servers}
    if len(schemes) > 1:
        yield "backend.storage.servers", "mix http and https, for which there is one setting of TLS; write all with https"
    elif schemes == {"http"} and storage.ca_secret is not None:
        yield "backend.storage.ca_secret", "is of no use with http; leave it out, or write the servers with https"
    retention = environment.retention.traces
    if retention % _DAY:
        days = max(_DAY, (retention // _DAY + 1) * _DAY)
        yield (
            "retention.traces",
            (
                f"{format_duration(retention)} is not a number of days, and {storage.kind} forgets the index of a whole day at once; "
                f'write "{format_duration(days)}"'
            ),
        )
