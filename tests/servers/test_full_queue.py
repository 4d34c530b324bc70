"""A gateway that is away for longer than its queue at an agent holds: what becomes of its spans, and of those of the others."""

from __future__ import annotations

import gzip
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from components.documents import collector, ports, queues
from components.documents.shards import shard_of
from components.local.addresses import hold_block
from stacks.trial.traces import Template, new_trace
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPANS, QUEUE_BYTES = 4, 120_000
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def living(taken: list[int]) -> Iterator[str]:
    """A gateway that takes everything: its ``host:port``; the spans of each request go into ``taken``."""

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found = ExportTraceServiceRequest.FromString(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            taken.append(sum(len(scope.spans) for resource in found.resource_spans for scope in resource.scope_spans))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            """Nothing is written."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Takes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Agent:
    """A running agent of two gateways, of which the second is away."""

    def __init__(self, host: str) -> None:
        self._host = host

    def send(self, traces: int, sent: list[int]) -> int:
        """Send traces in one request and return the status; the spans of each gateway are added to ``sent``."""
        made = [new_trace(time.time_ns()) for _ in range(traces)]
        body = Template("portal", range(SPANS), spans=SPANS).encode(made)
        url = f"http://{self._host}:{ports.OTLP_HTTP.number}/v1/traces"
        request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})
        try:
            with OPENER.open(request, timeout=STALL_SECONDS) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            status = error.code
        for trace in made:
            sent[shard_of(trace.id, len(sent))] += SPANS
        return status

    def metric(self, name: str, *labels: str, port: int = ports.TELEMETRY.number) -> float:
        """The sum of the series of a metric that have all of the labels; 0 while the agent does not answer."""
        try:
            with OPENER.open(f"http://{self._host}:{port}/metrics", timeout=STALL_SECONDS) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        found = [line for line in lines if re.match(rf"{name}\b", line) and all(label in line for label in labels)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def healthy(self) -> bool:
        try:
            with OPENER.open(f"http://{self._host}:{ports.HEALTH.number}/", timeout=STALL_SECONDS):
                return True
        except OSError:
            return False


@contextmanager
def running(program: Path, place: Path, gateway: str, *, loses: bool) -> Iterator[Agent]:
    with hold_block(place) as block:
        host = block[1]
        metrics = collector.TraceMetrics(f"{host}:{ports.SPAN_METRICS.number}", 1000, (), (100,), 100, 60_000, (), (100,), 1000, 100)
        text = collector.agent(
            collector.Intake(f"{host}:{ports.OTLP_GRPC.number}", f"{host}:{ports.OTLP_HTTP.number}"),
            collector.Operation(f"{host}:{ports.HEALTH.number}", host, ports.TELEMETRY.number, 256 * 2**20),
            queues.Queue(str(place / "queue"), 2 * QUEUE_BYTES, sync_writes=False, loses=loses),
            metrics,
            upstream=queues.Gateways((gateway, f"{host}:1"), 10, 5, 2**24, 2**16),
            enriched=False,
        )
        document = place / "collector.yaml"
        document.write_text(text)
        with (place / "log").open("wb") as log, subprocess.Popen([str(program), f"--config={document}"], stderr=log) as process:
            try:
                agent = Agent(host)
                until(agent.healthy, (place / "log").read_text)
                yield agent
            finally:
                process.kill()


def test_a_full_queue_that_loses_its_own_share_disturbs_no_other(programs: dict[str, Path], tmp_path: Path) -> None:
    taken: list[int] = []
    sent = [0, 0]
    lost = "otelcol_exporter_enqueue_failed_spans_total"
    with living(taken) as gateway, running(programs["otelcol-contrib"], tmp_path, gateway, loses=True) as agent:
        until(lambda: agent.send(20, sent) == 200 and agent.metric(lost) > 0, "a full queue", every=0.0)
        for _ in range(20):
            assert agent.send(20, sent) == 200
        until(lambda: sum(taken) >= sent[0], lambda: (taken, sent), progress=lambda: sum(taken))
        counted = "traces_span_metrics_calls_total"
        until(lambda: agent.metric(counted, port=ports.SPAN_METRICS.number) >= sum(sent), "the counts")
        assert sum(taken) == sent[0]
        assert agent.metric(counted, port=ports.SPAN_METRICS.number) == sum(sent)
        assert agent.metric(lost, 'exporter="otlp_http/gateway-0"') == 0
        assert 0 < agent.metric(lost, 'exporter="otlp_http/gateway-1"') < sent[1]


def test_a_full_queue_refuses_and_loses_nothing(programs: dict[str, Path], tmp_path: Path) -> None:
    taken: list[int] = []
    sent = [0, 0]
    with living(taken) as gateway, running(programs["otelcol-contrib"], tmp_path, gateway, loses=False) as agent:
        until(lambda: agent.send(20, sent) == 503, "a request that is refused", every=0.0)
