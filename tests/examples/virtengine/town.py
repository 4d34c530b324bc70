"""A daemon as a process on a chain that the test holds."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from tests.examples.virtengine.fake_chain import FakeChain, fake_chain
from tests.examples.virtengine.processes import Service, outputs
from tests.examples.virtengine.spans import Spans
from tracing_lib import JobContext, TracingSettings, configure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.tracing_lib.receivers import Received

DAEMON = "provider-daemon"


class Town:
    """The chain, the daemon and the spans of both."""

    def __init__(self, received: Received, chain: FakeChain, daemon: Service) -> None:
        self.received, self.chain, self.daemon = received, chain, daemon
        self.spans = Spans(received)

    def jobs(self, order_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self.daemon.url}/jobs/{order_id}").json()
        return found

    def wait_for_jobs(self, order_id: str, *states: str, seconds: float = 15.0) -> None:
        """Wait until the order's jobs are in these states."""
        until = time.monotonic() + seconds
        while (found := tuple(job["state"] for job in self.jobs(order_id))) != states:
            assert time.monotonic() < until, f"jobs of {order_id} are {found}, not {states}, after {seconds} s"
            time.sleep(0.02)


@contextmanager
def town(folder: Path, received: Received, *arguments: object, traced: bool = True) -> Iterator[Town]:
    """Run a chain, and a daemon with these arguments of its adapter, until the block ends."""
    file = outputs(folder, received.url)
    settings = TracingSettings(service_name="chain", endpoint=received.url, export_interval_seconds=0.1)
    with configure(settings, set_global=False) as tracing, fake_chain(tracing.provider) as chain:
        addresses = ["--chain", f"127.0.0.1:{chain.port}", "--chain-grpc", f"127.0.0.1:{chain.grpc_port}"]
        stated = ["--state", folder / "daemon", *addresses, *arguments]
        with Service("examples.virtengine.daemon", folder, file if traced else None, *stated) as daemon:
            yield Town(received, chain, daemon)


def linked(span: Span) -> set[str]:
    """The ids of the spans that a span links to."""
    return {link.span_id.hex() for link in span.links}


def transaction(tx_hash: str) -> str:
    """The id of the span that executes a transaction."""
    return f"{JobContext.of_transaction(tx_hash).span_id:016x}"
