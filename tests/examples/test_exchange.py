"""The example exchange, run as a user runs it, against real collectors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.tracing_lib import receivers
from tests.tracing_lib.samples import mapping

if TYPE_CHECKING:
    from tests.tracing_lib.receivers import Received

_ROOT = Path(__file__).parents[2]


def _environment(received: Received, path: Path, **changes: object) -> dict[str, str]:
    outputs = mapping(otlp_http_endpoint=received.url, otlp_grpc_endpoint=received.url, head_ratio=1.0, **changes)
    path.write_text(json.dumps(outputs))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "VIRTENGINE_"))}
    return {**clean, "VIRTENGINE_TRACING_OUTPUTS": str(path)}


def _run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "examples.exchange", *arguments]
    return subprocess.run(command, cwd=_ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60)


def _tree(received: Received) -> dict[str, dict[tuple[str, str], tuple[str, str] | None]]:
    """Return, for each trace, each span's service and name with those of its parent."""
    names = {span.span_id: (str(resource["service.name"]), span.name) for resource, span in received.spans}
    traces: dict[str, dict[tuple[str, str], tuple[str, str] | None]] = {}
    for resource, span in received.spans:
        key = (f"{resource['service.name']} {Span.SpanKind.Name(span.kind).removeprefix('SPAN_KIND_').lower()}", span.name)
        traces.setdefault(span.trace_id.hex(), {})[key] = names.get(span.parent_span_id)
    return traces


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_order_is_one_trace_over_three_services_with_the_right_parents(protocol: str, tmp_path: Path) -> None:
    run = receivers.grpc_receiver if protocol == "grpc" else receivers.http_receiver
    with run() as received:
        environ = _environment(received, tmp_path / "outputs.json") | {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        answer = _run(environ | {"OTEL_SERVICE_NAME": "not for the services"})
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout.splitlines()[-1])
    assert said["services"] == ["portal", "chain", "provider-daemon"]
    rpc = "/virtengine.market.v1.Msg/CreateOrder"
    keeper = ("chain", "market.keeper.CreateOrder")
    assert _tree(received) == {
        said["trace_ids"][0]: {
            ("portal server", "POST /orders"): None,
            ("portal client", rpc): ("portal", "POST /orders"),
            ("chain server", rpc): ("portal", rpc),
            ("chain internal", "market.keeper.CreateOrder"): ("chain", rpc),
            ("chain internal", "veid.keeper.CheckLevel"): keeper,
            ("chain internal", "escrow.keeper.Deposit"): keeper,
            ("chain client", "POST /bids"): keeper,
            ("provider-daemon server", "POST /bids"): ("chain", "POST /bids"),
            ("provider-daemon internal", "bidengine.price"): ("provider-daemon", "POST /bids"),
            ("provider-daemon internal", "waldur.provision"): ("provider-daemon", "POST /bids"),
        }
    }
    resources = [resource for resource, _ in received.spans]
    assert {resource["deployment.environment.name"] for resource in resources} == {"dev"}
    assert len({resource["service.instance.id"] for resource in resources}) == 3


def test_a_share_of_many_orders_fails_with_an_error_and_every_order_is_a_trace(tmp_path: Path) -> None:
    with receivers.http_receiver() as received:
        answer = _run(_environment(received, tmp_path / "outputs.json"), "--orders", "10", "--json")
    # There is no strategy server here, which each service says once.
    said = [line for line in answer.stderr.splitlines() if "the strategy server" not in line]
    assert (answer.returncode, said) == (0, [])
    ids = json.loads(answer.stdout)["trace_ids"]
    assert len(ids) == len(set(ids)) == 10
    assert set(_tree(received)) == set(ids)
    failed = {
        span.trace_id.hex()
        for _, span in received.spans
        if span.name == "escrow.keeper.Deposit" and span.status.code == Status.STATUS_CODE_ERROR
    }
    assert 1 <= len(failed) <= 6
    assert ids[0] not in failed


def test_traces_that_are_not_sampled_are_not_claimed(tmp_path: Path) -> None:
    with receivers.http_receiver() as received:
        environ = _environment(received, tmp_path / "outputs.json") | {"OTEL_TRACES_SAMPLER": "always_off"}
        answer = _run(environ)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["trace_ids"] == []
    assert "(not sampled)" in answer.stderr
    assert received.spans == []


def test_services_that_cannot_be_configured_end_the_exchange_with_the_reason(tmp_path: Path) -> None:
    with receivers.http_receiver() as received:
        environ = _environment(received, tmp_path / "outputs.json", otlp_token="[secret]")
        answer = _run(environ)
    assert answer.returncode == 1
    assert "otlp_token: is the placeholder" in answer.stderr
    assert "portal did not start" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_services_end_when_the_exchange_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from examples import exchange\n"
        "with exchange.services():\n"
        "    print(open(f'/proc/self/task/{os.getpid()}/children').read(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with receivers.http_receiver() as received:
        environ = _environment(received, tmp_path / "outputs.json")
        answer = subprocess.run([sys.executable, "-c", program], cwd=_ROOT, env=environ, capture_output=True, text=True, check=False)
        processes = [Path("/proc") / pid for pid in answer.stdout.split()]
        assert len(processes) == 3
        deadline = time.monotonic() + 10
        while running := [process for process in processes if _runs(process)]:
            assert time.monotonic() < deadline, f"still running: {running}"
            time.sleep(0.05)


def _runs(process: Path) -> bool:
    """Return whether a process is there and no zombie that nobody has collected."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
