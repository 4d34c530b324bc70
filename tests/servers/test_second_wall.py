"""The collector's redaction, for services without this library: every rule masks there what it masks here."""

from __future__ import annotations

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
from tests.tracing_lib.privacy.canaries import MAKERS, Canary, found
from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from tests.servers.conftest import Deploy

EACH = 6
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
    assert left == []


pytestmark = pytest.mark.server
