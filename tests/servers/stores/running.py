"""Two Jaegers that take spans and two that show them, before one real store, and what sends to them as a gateway does."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from components.documents.images import SERVERS, STORES
from components.local.addresses import hold_block
from components.local.authority import Authority
from components.local.errors import MissingProgramError
from components.local.files import hold_folder
from components.local.programs import find_programs
from components.local.supervisor import Supervisor
from stacks.environment.source import ROOT
from stacks.placement.small import instances, write_secrets
from stacks.placement.small_store import own_store, store_secrets, with_own_store
from stacks.placement.surroundings import STORE, lay_out
from stacks.plan.addresses import OnKubernetes
from stacks.plan.plan import plan
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from components.local.instances import Instance
    from components.workload import Job
    from stacks.environment.source import Named

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
ALONE = {
    "access": samples.ABSENT,
    "ingest.tls_secret": samples.ABSENT,
    "ingest.token_secret": samples.ABSENT,
    "collectors.gateway.replicas": 1,
    "backend.query.replicas": 2,
    "monitoring.prometheus": samples.ABSENT,
}
"""Changes of production that leave out what is not asked here."""


def found(kind: str) -> Mapping[str, Path]:
    """The programs for a kind of store. In CI one that is missing is a failure, elsewhere a skip that says why."""
    wanted = [STORES[kind], SERVERS["jaeger"], SERVERS["jaeger-es-index-cleaner"]]
    try:
        return find_programs(wanted, toolchain=ROOT / "toolchain", say=print)
    except MissingProgramError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no {kind}: {error}")


def before(kind: str, **changes: object) -> Named:
    """Production before a store of that kind, with changed settings."""
    return samples.named(f"prod-{kind}", ALONE | {key.replace("__", "."): value for key, value in changes.items()}, name="stores")


@dataclass(frozen=True)
class Servers:
    """Running Jaegers: the addresses of those that take spans and of those that show them, their jobs, and what runs them.

    ``authority`` is that behind the certificate of the ``store``.
    """

    takes: tuple[str, ...]
    shows: tuple[str, ...]
    jobs: tuple[Job, ...]
    supervisor: Supervisor
    store: str
    authority: Authority


@contextmanager
def running(
    named: Named, folder: Path, programs: Mapping[str, Path], *, beside: Servers | None = None, changed: Callable[[str], str] = str
) -> Iterator[Servers]:
    """Run the Jaegers of an environment before the store of those ``beside``, or of their own; ``changed`` edits documents of Jaeger."""
    with hold_folder(folder) as held, hold_block(held.path) as block:
        there, authority = (beside.store, beside.authority) if beside else (block[STORE], Authority("stores of the tests"))
        here = replace(named, environment=with_own_store(named.environment, there))
        layout = lay_out(plan(here.environment, OnKubernetes(here.environment.namespace), name=here.name), block, nodes=1)
        filled = store_secrets(here.environment, authority)
        small = instances(here, layout, held.path, filled)
        own, files = ((), {}) if beside else own_store(here.environment, there, held.path, filled)
        write_secrets(small, files, held.path, filled, authority)
        jaegers = [_edited(one, changed) for one in small.instances if one.workload.name in {"jaeger", "query"}]
        with Supervisor([*own, *jaegers], programs, held, print) as supervisor:
            yield Servers(layout.instances["jaeger"], layout.instances["query"], small.plan.jobs, supervisor, there, authority)


def _edited(instance: Instance, changed: Callable[[str], str]) -> Instance:
    documents = tuple(replace(document, text=changed(document.text)) for document in instance.workload.documents)
    return replace(instance, workload=replace(instance.workload, documents=documents))  # type: ignore[type-var]  # a workload of a plan


@dataclass
class Sent:
    """Ids of traces by whether they were acknowledged, and the failures by which requests were sent again."""

    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def request(service: str, traces: list[str], *, spans: int, start: float) -> ExportTraceServiceRequest:
    """A request with so many spans of each trace."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = service
    scope = group.scope_spans.add()
    for index, (trace, number) in enumerate(itertools.product(traces, range(spans))):
        # In Cassandra's index two spans of a service that begin in one microsecond may share a row.
        begun = round(start * 1e9) + index * 1000
        span = scope.spans.add(name="work", kind=2, start_time_unix_nano=begun, end_time_unix_nano=begun + 1_000_000)
        span.trace_id, span.span_id = bytes.fromhex(trace), (number + 1).to_bytes(8, "big")
        if number:
            span.parent_span_id = (1).to_bytes(8, "big")
    return made


class Exporter:
    """Sends requests to one of several Jaegers, and to the next where one fails, until each is acknowledged: as a gateway's queue does."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._channels = [grpc.insecure_channel(f"{host}:4317") for host in hosts]
        self._calls = [
            channel.unary_unary(
                EXPORT,
                request_serializer=ExportTraceServiceRequest.SerializeToString,
                response_deserializer=ExportTraceServiceResponse.FromString,
            )
            for channel in self._channels
        ]
        self._turn = itertools.count()

    def send(self, body: ExportTraceServiceRequest, sent: Sent, traces: list[str], *, seconds: float = 900.0) -> None:
        """Send until it is acknowledged. Raises AssertionError when it is not within so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self._calls[next(self._turn) % len(self._calls)](body, timeout=300)
            except grpc.RpcError as error:
                sent.refused.append(str(error.code()))
                time.sleep(0.2)
            else:
                sent.acknowledged += traces
                return
        raise AssertionError(f"not acknowledged within {seconds:g} s: {sent.refused[-3:]}")

    def close(self) -> None:
        for channel in self._channels:
            channel.close()


def asked(host: str, path: str, **parameters: object) -> Any:  # noqa: ANN401  JSON
    """An answer of Jaeger's query API. Raises OSError where there is none."""
    url = f"http://{host}:16686{path}" + (f"?{urllib.parse.urlencode(parameters)}" if parameters else "")
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.loads(answer.read())["data"]


def spans_of(host: str, trace: str) -> int:
    """The number of spans of a trace that are found, 0 where none is."""
    try:
        return sum(len({span["spanID"] for span in one["spans"]}) for one in asked(host, f"/api/traces/{trace}"))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return 0
        raise


def searched(host: str, service: str, start: float, end: float) -> dict[str, int]:
    """The number of spans of each trace of a service that began in a time."""
    window = {"service": service, "start": round(start * 1e6), "end": round(end * 1e6), "limit": 20_000}
    return {one["traceID"].zfill(32): len({span["spanID"] for span in one["spans"]}) for one in asked(host, "/api/traces", **window)}


@contextmanager
def reading(host: str, service: str) -> Iterator[list[str]]:
    """Search again and again for as long as the context lasts; the list has what each search came to."""
    stopping, outcomes = threading.Event(), list[str]()

    def read() -> None:
        while not stopping.wait(0.5):
            try:
                searched(host, service, time.time() - 5, time.time())
            except OSError as error:
                outcomes.append(str(error))
            else:
                outcomes.append("")

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield outcomes
    finally:
        stopping.set()
        thread.join()
