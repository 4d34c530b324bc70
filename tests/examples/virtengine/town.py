"""A daemon as a process on a chain: the real one, or one that the test holds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tests.examples.virtengine.fake_chain import FakeChain, fake_chain
from tests.examples.virtengine.processes import Service, get, outputs
from tests.examples.virtengine.real_chain import RealChain
from tests.examples.virtengine.spans import Spans
from tests.waiting import until
from tracing_lib import TracingSettings, configure
from tracing_lib.instrument import JobContext

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.tracing_lib.receivers import Received

DAEMON = "provider-daemon"


_Chain = TypeVar("_Chain", FakeChain, RealChain)


class Town(Generic[_Chain]):
    """The chain, the daemon and the spans of both."""

    def __init__(self, received: Received, chain: _Chain, daemon: Service) -> None:
        self.received = received
        self.chain: _Chain = chain
        self.daemon = daemon
        self.spans = Spans(received)

    def jobs(self, order_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = get(f"{self.daemon.url}/jobs/{order_id}").json()
        return found

    def wait_for_jobs(self, order_id: str, *states: str) -> None:
        """Wait until the order's jobs are in these states."""

        def found() -> tuple[str, ...]:
            return tuple(job["state"] for job in self.jobs(order_id))

        until(lambda: found() == states, lambda: f"jobs of {order_id}, which are {found()}, to be {states}", progress=found)


@contextmanager
def town(folder: Path, received: Received, *arguments: object) -> Iterator[Town[RealChain]]:
    """Run the chain, and a daemon with these arguments of its adapter, until the block ends."""
    file = outputs(folder, received.url)
    with RealChain(folder, file) as chain, _daemon(folder, file, chain, *arguments) as daemon:
        yield Town(received, chain, daemon)


@contextmanager
def held_town(folder: Path, received: Received, *arguments: object, traced: bool = True) -> Iterator[Town[FakeChain]]:
    """The same on a chain that the test holds, and which may do what the real one never would."""
    file = outputs(folder, received.url)
    settings = TracingSettings(service_name="chain", endpoint=received.url, export_interval_seconds=0.1)
    with (
        configure(settings, set_global=False) as tracing,
        fake_chain(tracing.provider) as chain,
        _daemon(folder, file if traced else None, chain, *arguments) as daemon,
    ):
        yield Town(received, chain, daemon)


def _daemon(folder: Path, outputs_file: Path | None, chain: FakeChain | RealChain, *arguments: object) -> Service:
    addresses = ["--chain", f"127.0.0.1:{chain.port}", "--chain-grpc", f"127.0.0.1:{chain.grpc_port}"]
    return Service("examples.virtengine.daemon", folder, outputs_file, "--state", folder / "daemon", *addresses, *arguments)


def linked(span: Span) -> set[str]:
    """The traces and the spans that a span links to, by their ids."""
    return {part.hex() for link in span.links for part in (link.trace_id, link.span_id)}


def trace_of(tx_hash: str) -> str:
    """The trace of a transaction, by its id."""
    return f"{JobContext.of_transaction(tx_hash).trace_id:032x}"
