"""The collector's redaction, for services without this library: every rule masks there what it masks here."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

from stacks.show.fetch import fetch_trace
from tests.servers.conftest import named
from tests.servers.spans import Sender
from tests.tracing_lib.privacy.canaries import MAKERS, Canary, found
from tests.waiting import STALL_SECONDS, cpu_ticks

if TYPE_CHECKING:
    from stacks.placement.local import Running
    from tests.servers.conftest import Deploy

EACH = 6
LONG_BYTES, MOST_NANOSECONDS_A_BYTE = 2 * 2**20, 1000
KEYS = ("customer_email", "password", "user.phone", "api_key", "first_name")


def test_no_canary_of_a_service_without_the_library_is_stored(deployed: Deploy) -> None:
    rng = random.Random(11)  # noqa: S311  to be repeated
    planted: dict[str, list[Canary]] = {}
    with deployed(named("dev")) as running:
        provider = TracerProvider(resource=Resource({"service.name": "stranger"}), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{running.outputs.otlp_http_endpoint}/v1/traces")))
        tracer = provider.get_tracer("stranger")
        for make in MAKERS.values():
            for _ in range(EACH):
                canary = make(rng)
                attributes: dict[str, str] = {"note": f"see {canary.text} now", "alone": canary.text}
                attributes |= dict.fromkeys(KEYS, "nothing that a pattern finds: Jane Featherstone")
                span = tracer.start_span(f"order {canary.text}", attributes=attributes)
                # Tail sampling keeps errors.
                span.set_status(Status(StatusCode.ERROR, f"failed for {canary.text}"))
                planted.setdefault(f"{span.get_span_context().trace_id:032x}", []).append(canary)
                span.end()
        provider.shutdown()
        left = []
        for trace_id, (canary, *_) in planted.items():
            stored = repr(fetch_trace(running.outputs, trace_id, wait_seconds=STALL_SECONDS))
            assert "****" in stored
            assert "Featherstone" not in stored
            if hits := found(canary, stored):
                left.append((canary.kind, canary.text, hits))
        assert masking_nanoseconds(running) < MOST_NANOSECONDS_A_BYTE
    assert left == []


def masking_nanoseconds(running: Running) -> float:
    """CPU time for each byte of a value that is one long run of letters, in which every rule has the most to look for."""
    pid, sender = running.supervisor.pid("gateway"), Sender(running.outputs, seed=12)
    before = cpu_ticks(pid)
    assert sender.send([sender.trace(1, attributes={"body": "abcdefgh" * (LONG_BYTES // 8)})])
    return (cpu_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") * 1e9 / LONG_BYTES


pytestmark = pytest.mark.server
