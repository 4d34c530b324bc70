"""A span that waits in a gateway, and one that passes a collector."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.orders import orders, replay
from benchmarks.sizing.spans import ATTRIBUTES
from benchmarks.usage import Usage
from components.local.instances import read_listing
from stacks.environment.model import KEY
from stacks.environment.parse import parse
from stacks.environment.source import ROOT, Named, read
from stacks.placement.local import deploy
from stacks.placement.small import deploy as deploy_cluster
from stacks.rehearse.recording import spans_of
from stacks.trial.account import intake
from stacks.trial.memory import resident
from tests.servers.conftest import merged
from tests.servers.spans import Sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from stacks.placement.local import Running

SETTLE_SECONDS = 5.0
PASSED_PER_SECOND = 12.0


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


def held(spans: int) -> dict[str, float]:
    """Memory of a gateway that holds all the spans, less that of one that holds none."""
    with (
        tempfile.TemporaryDirectory(prefix="sizing-") as folder,
        deploy(environment(sampling={"tail": {"wait": "5m"}}), say=lambda _line: None, state=Path(folder)) as running,
    ):
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


def passed(count: int, say: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Processor time of a span of so many orders in an agent and in a gateway of production in small."""
    named, traces = read("prod"), list(orders(count, begin=time.time(), per_second=PASSED_PER_SECOND))
    spans = spans_of(traces)
    with tempfile.TemporaryDirectory(prefix="sizing-") as folder:
        state = Path(folder)
        with deploy_cluster(named, nodes=2, say=lambda _line: None, state=state) as running, Usage(state / named.name) as usage:
            replay(traces, intake(read_listing(state / named.name), running.outputs), say)
            time.sleep(2 * named.environment.sampling.tail.wait.total_seconds() + SETTLE_SECONDS)
    used = {workload: usage.used.cpu[workload] for workload in ("agent", "gateway")}
    return {f"passing the tier {name}": {"CPU µs a span": seconds / spans * 1e6} for name, seconds in used.items()}
