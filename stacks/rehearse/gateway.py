"""The real gateway collector with an environment's own document, as it decides on recorded traces."""

from __future__ import annotations

import http.client
import math
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from components.documents.delivery import DELIVERY_BYTES
from components.documents.ports import OTLP_GRPC, OTLP_HTTP, SPAN_METRICS, TELEMETRY, ports_of
from components.local.files import hold_folder
from components.local.instances import Instance
from components.local.ports import free_ports
from components.local.programs import find_programs
from components.local.supervisor import Supervisor
from stacks.environment.moves import JaegerBackend
from stacks.environment.source import ROOT
from stacks.environment.units import approximate_bytes
from stacks.plan.addresses import OnThisMachine
from stacks.plan.plan import plan
from stacks.rehearse.recording import RecordingError, grouped
from stacks.rehearse.sink import listening
from stacks.trial.counters import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from components.workload import Workload
    from stacks.environment.model import Environment
    from stacks.environment.source import Named
    from stacks.rehearse.recording import Recorded, Trace
    from stacks.rehearse.sink import Sink
    from stacks.trial.counters import Sample

_STORE = JaegerBackend.model_validate({"kind": "jaeger", "volume": {"size": "1Gi"}})
"""Backend of a rehearsal, for which a sink stands."""
SHORT = timedelta(seconds=1)
"""Wait of a rehearsal: the collector's shortest. What the environment's own wait would have cut off is not sent."""
_GATE = "--feature-gates=processor.tailsamplingprocessor.recordpolicy"
"""Feature by which each kept span tells the policy that has kept it."""
_DECIDED = "otelcol_processor_tail_sampling_global_count_traces_sampled_total"
_COUNTED = "traces_span_metrics_calls_total"
_MADE = "traces_"
"""Beginning of the names of all metrics that are made of traces."""
_LASTING = timedelta(days=365)
_FLUSHES = 4.5
"""Flushes of the metrics after which nothing counted is still to come. The graph looks every two seconds for edges of one end."""
_BATCH_BYTES, _MOST_BYTES = 2**20, 2**23
"""Bytes of spans after which a request is sent, behind a whole trace and anyway: a collector refuses one of more than 20 MiB."""
_STALL_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
_AGAIN = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Decided:
    """Result of one gateway: the policy that keeps each kept trace, by trace id, and the series that it has of all spans, by metric."""

    kept: Mapping[bytes, str]
    series: Mapping[str, int]


def decided(named: Named, traces: Sequence[Trace], *, say: Callable[[str], None], baseline_alone: bool = False) -> Decided:
    """Let a gateway decide on recorded traces, with no limit on the rate of the baseline.

    ``baseline_alone`` leaves out the policies for failed and slow traces, and counts no series. Raises ``LocalError`` where the collector
    cannot be run.
    """
    wait = named.environment.sampling.tail.wait.total_seconds()
    with tempfile.TemporaryDirectory(prefix="virtengine-rehearse-") as folder:
        faster = replace(named, environment=compressed(named.environment, baseline_alone=baseline_alone))
        with _gateway(faster, Path(folder), say) as (sink, ports):
            _send_all(ports[OTLP_HTTP.name], (trace.before(wait) for trace in traces))
            _wait(ports[TELEMETRY.name], sink, len(traces))
            kept = dict(sink.kept)
            if baseline_alone:
                return Decided(kept, {})
            # Spans that come after the decision are counted like all others.
            _send_all(ports[OTLP_HTTP.name], (late for trace in traces if (late := trace.after(wait))))
            return Decided(kept, _series(ports[SPAN_METRICS.name], sum(len(trace.spans) for trace in traces)))


def compressed(environment: Environment, *, baseline_alone: bool) -> Environment:
    """The environment at the speed of a rehearsal: its waits and intervals are the shortest, and no series expires meanwhile.

    Before its sink any store is the same, and there is one.
    """
    tail, aggregation = environment.sampling.tail, environment.aggregation
    changed: dict[str, object] = {"wait": SHORT, "baseline_limit": None} | ({"errors": False, "slow": None} if baseline_alone else {})
    sampling = environment.sampling.model_copy(update={"tail": tail.model_copy(update=changed)})
    spans = aggregation.span_metrics.model_copy(update={"expiry": _LASTING})
    graph = aggregation.service_graph.model_copy(update={"wait": SHORT})
    counted = aggregation.model_copy(update={"flush_interval": SHORT, "span_metrics": spans, "service_graph": graph})
    return environment.model_copy(update={"sampling": sampling, "aggregation": counted, "backend": _STORE})


@contextmanager
def _gateway(named: Named, folder: Path, say: Callable[[str], None]) -> Iterator[tuple[Sink, Mapping[str, int]]]:
    """Run the gateway of an environment before a sink; its ports by name."""
    gateway, numbers = rehearsing(named, folder)
    programs = find_programs([gateway.server], toolchain=ROOT / "toolchain", say=say)
    with (
        hold_folder(folder) as held,
        listening(numbers[named.environment.backend.kind, OTLP_GRPC.name]) as sink,
        Supervisor([Instance("gateway", gateway)], programs, held, lambda _: None),
    ):
        yield sink, {port: number for (owner, port), number in numbers.items() if owner == "gateway"}


def rehearsing(named: Named, folder: Path) -> tuple[Workload, Mapping[tuple[str, str], int]]:
    """The gateway of an environment that names the policy of each kept span, and free ports for it and for its store."""
    environment = named.environment
    wanted = [(workload, port.name) for workload in ("gateway", environment.backend.kind) for port in ports_of(workload)]
    numbers = dict(zip(wanted, free_ports(len(wanted)), strict=True))
    workload = plan(environment, OnThisMachine(str(folder), numbers), name=named.name).workload("gateway")
    return replace(workload, arguments=(*workload.arguments, _GATE)), numbers


def _send_all(port: int, parts: Iterable[tuple[Recorded, ...]]) -> None:
    """Send traces, some in each request; one that is longer than a request may be, in several."""
    batch: list[Recorded] = []
    size = 0
    for part in parts:
        for one in part:
            batch.append(one)
            size += one.span.ByteSize()
            if size >= _MOST_BYTES:
                _send(port, batch)
                batch, size = [], 0
        if size >= _BATCH_BYTES:
            _send(port, batch)
            batch, size = [], 0
    if batch:
        _send(port, batch)


def _send(port: int, spans: Sequence[Recorded]) -> None:
    """Send a request until it is taken; a collector whose memory is used up asks for patience."""
    body = ExportTraceServiceRequest(resource_spans=grouped(spans)).SerializeToString()
    deadline = time.monotonic() + _STALL_SECONDS
    while (status := _post(port, body)) in _AGAIN and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    if status // 100 != 2:  # noqa: PLR2004 - 2xx
        wrong = f"the collector answers {status} to {len(spans):,} recorded spans of {approximate_bytes(len(body))}"
        raise RecordingError(f"{wrong}\nthen: look whether one is larger than 20Mi, and whether the memory of the gateway holds them")


def _post(port: int, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_STALL_SECONDS)
    try:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _wait(port: int, sink: Sink, count: int) -> None:
    """Wait until every trace is decided on and every kept one has come, for as long as either advances."""
    seen, since = (-1, -1), time.monotonic()
    while True:
        told = dict(_decisions(port))
        whole, kept = round(sum(told.values())), round(told.get("sampled", 0))
        if whole >= count and len(sink.kept) >= kept:
            return
        if (whole, len(sink.kept)) != seen:
            seen, since = (whole, len(sink.kept)), time.monotonic()
        if time.monotonic() - since > _STALL_SECONDS:
            raise RecordingError(_stalled(whole, count, kept - len(sink.kept)))
        time.sleep(_PAUSE_SECONDS)


def _stalled(whole: int, count: int, missing: int) -> str:
    """Sentence on a gateway that has decided on ``whole`` of ``count`` traces, and of what it keeps has not sent so many."""
    if whole < count:
        return f"the collector has decided on {whole:,} of {count:,} traces and no more\nthen: try again"
    largest = approximate_bytes(DELIVERY_BYTES)
    wrong = f"of the traces that the collector keeps {missing:,} do not leave it"
    return f"{wrong}\nthen: look for a span of more than {largest}, which a gateway drops together with what it joins with it, or try again"


def _decisions(port: int) -> Iterator[tuple[str, float]]:
    yield from ((sample.labels["decision"], sample.value) for sample in _scrape(port) if sample.name == _DECIDED)


def _series(port: int, spans: int) -> Mapping[str, int]:
    """Number of series of each metric that is made of traces, once all spans are counted and none is added between two flushes."""
    seen, since = (-1.0, Counter[str]()), time.monotonic()
    while True:
        made = [sample for sample in _scrape(port) if sample.name.startswith(_MADE)]
        counted, found = sum(sample.value for sample in made if sample.name == _COUNTED), Counter(sample.name for sample in made)
        if (counted, found) != seen:
            seen, since = (counted, found), time.monotonic()
        still = time.monotonic() - since
        if counted >= spans and still > _FLUSHES * SHORT.total_seconds():
            return dict(sorted(found.items()))
        if still > _STALL_SECONDS:
            raise RecordingError(f"the collector has counted {counted:,.0f} of {spans:,} spans and no more\nthen: try again")
        time.sleep(_PAUSE_SECONDS)


def _scrape(port: int) -> Iterator[Sample]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_STALL_SECONDS)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return samples(text)


def by_second(decisions: Mapping[bytes, str], traces: Sequence[Trace]) -> list[Trace]:
    """The kept traces, in the order in which gateways decide: once a second on all that arrived in one, in no order of their own."""
    return sorted((trace for trace in traces if trace.id in decisions), key=lambda trace: (math.floor(trace.arrived), trace.id))
