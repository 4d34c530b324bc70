"""The real gateway collector with an environment's own document, as it decides on recorded traces."""

from __future__ import annotations

import http.client
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from components.documents.ports import BY_WORKLOAD
from components.local.files import hold_folder
from components.local.instances import Instance
from components.local.programs import find_programs
from components.local.supervisor import Supervisor
from stacks.environment.source import ROOT
from stacks.plan.addresses import OnThisMachine
from stacks.plan.plan import plan
from stacks.rehearse.recording import RecordingError, grouped
from stacks.rehearse.sink import free_port, listening
from stacks.trial.counters import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from stacks.environment.source import Named
    from stacks.rehearse.recording import Trace
    from stacks.rehearse.sink import Sink

SHORT = timedelta(seconds=1)
"""Wait of a rehearsal: the collector's shortest. What the environment's own wait would have cut off is not sent."""
_GATE = "--feature-gates=processor.tailsamplingprocessor.recordpolicy"
"""Feature by which each kept span tells the policy that has kept it."""
_DECIDED = "otelcol_processor_tail_sampling_global_count_traces_sampled_total"
_BATCH = 200
"""Traces of one request."""
_STALL_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
_AGAIN = frozenset({429, 503})


def decided(named: Named, traces: Sequence[Trace], *, say: Callable[[str], None], baseline_alone: bool = False) -> dict[bytes, str]:
    """The policy that keeps each kept trace, by trace id, with no limit on the rate of the baseline.

    ``baseline_alone`` leaves out the policies for failed and slow traces. Raises ``LocalError`` where the collector cannot be run.
    """
    tail = named.environment.sampling.tail
    changed: dict[str, object] = {"wait": SHORT, "baseline_limit": None} | ({"errors": False, "slow": None} if baseline_alone else {})
    sampling = named.environment.sampling.model_copy(update={"tail": tail.model_copy(update=changed)})
    environment = named.environment.model_copy(update={"sampling": sampling})
    cut = [trace.before(tail.wait.total_seconds()) for trace in traces]
    batches = [
        ExportTraceServiceRequest(resource_spans=grouped(one for spans in cut[at : at + _BATCH] for one in spans)).SerializeToString()
        for at in range(0, len(cut), _BATCH)
    ]
    with tempfile.TemporaryDirectory(prefix="virtengine-rehearse-") as folder:
        return _through(replace(named, environment=environment), Path(folder), batches, len(traces), say)


def _through(named: Named, folder: Path, batches: Sequence[bytes], count: int, say: Callable[[str], None]) -> dict[bytes, str]:
    environment = named.environment
    numbers = {(workload, port.name): free_port() for workload in ("gateway", environment.backend.kind) for port in BY_WORKLOAD[workload]}
    workload = plan(environment, OnThisMachine(str(folder), numbers), name=named.name).workload("gateway")
    gateway = replace(workload, arguments=(*workload.arguments, _GATE))
    programs = find_programs([gateway.server], toolchain=ROOT / "toolchain", say=say)
    with (
        hold_folder(folder) as held,
        listening(numbers[environment.backend.kind, "otlp-grpc"]) as sink,
        Supervisor([Instance("gateway", gateway)], programs, held, lambda _: None),
    ):
        intake, telemetry = numbers["gateway", "otlp-http"], numbers["gateway", "telemetry"]
        for batch in batches:
            _send(intake, batch)
        _wait(telemetry, sink, count)
    return sink.kept


def _send(port: int, body: bytes) -> None:
    """Send a request until it is taken; a collector whose memory is used up asks for patience."""
    deadline = time.monotonic() + _STALL_SECONDS
    while (status := _post(port, body)) in _AGAIN and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    if status // 100 != 2:  # noqa: PLR2004 - 2xx
        raise RecordingError(f"the collector answers {status} to recorded traces\nthen: look whether their ids and times can be right")


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
            raise RecordingError(f"the collector has decided on {whole:,} of {count:,} traces and no more\nthen: try again")
        time.sleep(_PAUSE_SECONDS)


def _decisions(port: int) -> Iterator[tuple[str, float]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_STALL_SECONDS)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    yield from ((sample.labels["decision"], sample.value) for sample in samples(text) if sample.name == _DECIDED)


def by_time(decisions: Mapping[bytes, str], traces: Sequence[Trace]) -> list[Trace]:
    """The kept traces, in the order in which gateways decide on them."""
    return sorted((trace for trace in traces if trace.id in decisions), key=lambda trace: (trace.arrived, trace.id))
