"""A rehearsal keeps what the real gateway keeps, names what a change would lose, and is the same each time."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from stacks.rehearse.gateway import decided
from stacks.rehearse.recording import grouped
from stacks.rehearse.sides import rehearse
from stacks.show.search import find_traces
from tests.servers.conftest import named
from tests.stacks.rehearse.recordings import all_of, recording
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.environment.source import Named
    from tests.servers.conftest import Deploy

NOISE = {"probes": {"attribute": "http.route", "values": ["/healthz"]}}
KEEPING = {"wait": "10s", "errors": True, "slow": "1s", "baseline": "20 %", "noise": NOISE}


def environment(**tail: object) -> Named:
    return named("dev", sampling={"tail": KEEPING | tail})


def test_what_a_change_of_the_sampling_loses_is_named_the_worst_first(programs: dict[str, Path]) -> None:
    assert programs
    found = recording(200)
    traces = all_of(found)
    a, b = environment(), environment(wait="2s", baseline="10 %")
    first = rehearse(a, b, traces, say=print)
    assert first.kept[0].traces > first.kept[1].traces
    # The last span of a late trace comes after B has decided, and its failure keeps nothing.
    assert first.cut == (0, len(found["late"]))
    assert (first.lost[0].kind, first.lost[0].name, first.lost[0].policy) == ("failed", "portal POST /orders", "errors")
    late = {trace.id.hex() for trace in found["late"]}
    assert first.lost[0].example in late
    assert len(late) / 2 < first.lost[0].traces <= len(late)
    assert {lost.kind for lost in first.lost[1:]} == {"other"}
    assert first.policies["errors"][0].traces == len(found["failed"]) + len(found["late"])
    assert first.policies["slow"][1].traces == len(found["slow"])
    assert rehearse(a, b, traces, say=print).as_mapping() == first.as_mapping()


def test_a_rehearsal_keeps_the_very_traces_that_the_real_gateway_keeps(deployed: Deploy) -> None:
    real = environment(wait="2s")
    with deployed(real) as running:
        # The store wants them to be of now.
        found = recording(400)
        traces = [trace for trace in all_of(found) if trace not in found["late"]]
        parts = urlsplit(running.outputs.otlp_http_endpoint)
        body = ExportTraceServiceRequest(resource_spans=grouped(one for trace in traces for one in trace.spans)).SerializeToString()
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        assert connection.getresponse().status == 200
        connection.close()
        rehearsed = {trace_id.hex() for trace_id in decided(real, traces, say=print)}

        def stored() -> set[str]:
            begin = min(trace.arrived for trace in traces)
            return set(find_traces(running.outputs, {}, since=begin - 60, until=begin + 120, services=["portal"]).trace_ids)

        assert until(lambda: stored() >= rehearsed, lambda: len(rehearsed - stored()), progress=lambda: len(stored()), every=0.5)
        assert stored() == rehearsed
        assert len(found["failed"]) + len(found["slow"]) < len(rehearsed) < len(traces)
