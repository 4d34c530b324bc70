"""The figures that ``stacks.environment.sizing`` multiplies with: a span that waits in a gateway, that passes a collector, that is stored.

``python -m benchmarks.sizing`` runs the real servers on a folder of its own and prints a table; ``--json`` for programs. Spans are those of
VirtEngine's orders.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import deque
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from benchmarks.orders import orders, replay, used_bytes
from benchmarks.usage import Usage, cpu_seconds
from components.local.instances import read_listing
from stacks.environment.model import KEY
from stacks.environment.parse import parse
from stacks.environment.source import ROOT, Named, read
from stacks.placement.local import deploy
from stacks.placement.small import deploy as deploy_cluster
from stacks.rehearse.recording import Recorded, grouped, spans_of
from stacks.trial.account import intake
from stacks.trial.memory import Memory
from tests.servers.conftest import merged
from tests.servers.spans import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stacks.placement.local import Running

ATTRIBUTES: Mapping[str, str | int] = {
    "rpc.system.name": "grpc",
    "rpc.method": "virtengine.market.v1.Msg/CreateOrder",
    "rpc.response.status_code": "OK",
    "virtengine.order.id": "order-000000",
    "server.port": 9090,
}
SETTLE_SECONDS = 5.0
REQUEST_SPANS, UNDER_WAY = 2_000, 4
"""Spans of a request to a store, and requests that are under way at once: those of a gateway that catches up."""
REQUEST_SECONDS = 120.0
ORDERS_PER_SECOND, PASSED_PER_SECOND = 100.0, 12.0


@dataclass(frozen=True, slots=True)
class Filled:
    """A store that took so many spans, in ``seconds``: their bytes in OTLP and of their resources, those on the disk, and what it used."""

    spans: int
    otlp_bytes: int
    resource_bytes: int
    disk_bytes: int
    seconds: float
    cpu_seconds: float
    resident_bytes: int


def environment(**changes: object) -> Named:
    """Development with room enough to measure in, and some settings changed."""
    settings = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"][KEY]
    usual: dict[str, Any] = {
        "collectors": {"gateway": {"grace_period": "10m", "resources": {"memory": "6Gi"}}},
        "backend": {"resources": {"memory": "4Gi"}, "volume": {"size": "100Gi"}},
        "load": {"spans_per_second": 1000},
        "retention": {"traces": "1d"},
    }
    return Named("benchmark", "benchmark", parse(merged(settings, merged(usual, changes)), source="benchmark", name="benchmark"))


def held(spans: int, state: Path) -> dict[str, float]:
    """Memory of a gateway that holds all the spans, less that of one that holds none."""
    with deploy(environment(sampling={"tail": {"wait": "5m"}}), say=lambda _line: None, state=state) as running:
        before = resident(running.supervisor.pid("gateway"))
        encoded = _send(running, spans)
        time.sleep(SETTLE_SECONDS)
        grown = resident(running.supervisor.pid("gateway")) - before
    return {"OTLP bytes": encoded, "bytes a span": grown / spans, "ratio": grown / spans / encoded, "idle MiB": before / 2**20}


def _send(running: Running, spans: int) -> float:
    """Send so many spans; return the bytes of one of them in OTLP."""
    sender = Sender(running.outputs, seed=1)
    for _ in range(spans // 1000):
        if not sender.send(sender.trace(10, attributes=ATTRIBUTES) for _ in range(100)):
            message = "the gateway refused spans: give it more memory"
            raise SystemExit(message)
    return sum(span.ByteSize() + 3 for span in sender.trace(10, attributes=ATTRIBUTES)) / 10


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def fill(kind: str, spans: int, say: Callable[[str], None], *, sync_writes: bool) -> Filled:
    """Send spans of orders straight to a store, as fast as it takes them."""
    with tempfile.TemporaryDirectory(prefix="sizing-") as folder:
        named = environment(backend={"kind": kind, "sync_writes": sync_writes})
        with deploy(named, say=lambda _line: None, state=Path(folder)) as running:
            store, pid, before = running.plan.workload(kind), running.supervisor.pid(kind), time.monotonic()
            used, memory = cpu_seconds(pid), Memory(Path(folder) / named.name, [kind]).start()
            count = spans // 20  # an order has more spans than that
            began = time.time() - count / ORDERS_PER_SECOND
            every = (one for trace in orders(count, begin=began, per_second=ORDERS_PER_SECOND) for one in trace.spans)
            size, resources = send_spans(store.port("otlp-grpc").number, islice(every, spans), say)
            seconds = time.monotonic() - before
            memory.stop()
            disk = used_bytes(Path(store.volumes[0].path))
            return Filled(spans, size, resources, disk, seconds, cpu_seconds(pid) - used, memory.most[kind])


def send_spans(port: int, spans: Iterator[Recorded], say: Callable[[str], None]) -> tuple[int, int]:
    """Send spans to an OTLP/gRPC receiver on loopback, some requests at a time; return their bytes in OTLP and those of their resources."""
    size, resources, sent, said = 0, 0, 0, time.monotonic()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub, under_way = TraceServiceStub(channel), deque[Any]()  # type: ignore[no-untyped-call]  # written by protoc
        while batch := list(islice(spans, REQUEST_SPANS)):
            under_way.append(stub.Export.future(ExportTraceServiceRequest(resource_spans=grouped(batch)), timeout=REQUEST_SECONDS))
            sent, size = sent + len(batch), size + sum(one.span.ByteSize() for one in batch)
            resources += sum(one.resource.ByteSize() for one in batch)
            if len(under_way) == UNDER_WAY:
                under_way.popleft().result()
            if time.monotonic() > said + 10:
                said = time.monotonic()
                say(f"{sent:,} spans sent")
        for left in under_way:
            left.result()
    return size, resources


def passed(count: int, say: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Processor time of a span of so many orders in an agent and in a gateway of production in small."""
    named, traces = read("prod"), list(orders(count, begin=time.time(), per_second=PASSED_PER_SECOND))
    spans = spans_of(traces)
    with tempfile.TemporaryDirectory(prefix="sizing-") as folder:
        state = Path(folder)
        with deploy_cluster(named, nodes=2, say=lambda _line: None, state=state) as running, Usage(state / named.name) as usage:
            replay(traces, intake(read_listing(state / named.name), running.outputs), say)
            time.sleep(2 * named.environment.sampling.tail.wait.total_seconds() + SETTLE_SECONDS)
    used = {name: usage.used.cpu[name] for name in ("agent", "gateway")}
    return {f"passing the tier {name}": {"CPU µs a span": seconds / spans * 1e6} for name, seconds in used.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=1_000_000, help="that a store is filled with (default: a million)")
    parser.add_argument("--held", type=int, default=200_000, help="that a gateway holds (default: 200,000)")
    parser.add_argument("--orders", type=int, default=2_000, help="that pass collectors (default: 2,000)")
    parser.add_argument("--only", choices=("held", "stored", "passed"), help="default: all")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: dict[str, Mapping[str, float]] = {}
    if arguments.only in {None, "held"}:
        with tempfile.TemporaryDirectory() as folder:
            results["held by a gateway"] = held(arguments.held, Path(folder))
    if arguments.only in {None, "stored"}:
        found = fill("jaeger", arguments.spans, _say, sync_writes=False)
        results["stored by Badger"] = asdict(found) | {
            "ratio": found.disk_bytes / (found.otlp_bytes + found.resource_bytes),
            "CPU µs a span": found.cpu_seconds / found.spans * 1e6,
        }
    if arguments.only in {None, "passed"}:
        results |= passed(arguments.orders, _say)
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    for what, values in results.items():
        print(what)
        for name, value in values.items():
            print(f"    {name:<16} {value:>16,.2f}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
