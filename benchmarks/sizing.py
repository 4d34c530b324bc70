"""The figures that ``stacks.environment.sizing`` multiplies with: a waiting span in a gateway, a stored one in Badger.

``python -m benchmarks.sizing`` runs the real servers on a folder of its own and prints a table; ``--json`` for programs. Spans have five
attributes and come in traces of ten.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from stacks.environment.model import KEY
from stacks.environment.parse import parse
from stacks.environment.source import ROOT, Named
from stacks.placement.local import deploy
from tests.servers.conftest import merged
from tests.servers.spans import Sender, missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.placement.local import Running

ATTRIBUTES: Mapping[str, str | int] = {
    "rpc.system.name": "grpc",
    "rpc.method": "virtengine.market.v1.Msg/CreateOrder",
    "rpc.response.status_code": "OK",
    "virtengine.order.id": "order-000000",
    "server.port": 9090,
}
SETTLE_SECONDS = 5.0


def environment(wait: str) -> Named:
    """Development with a given tail-sampling wait, and room enough to measure in."""
    settings = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"][KEY]
    changes = {
        "sampling": {"tail": {"wait": wait}},
        "collectors": {"gateway": {"grace_period": "10m", "resources": {"memory": "6Gi"}}},
        "backend": {"resources": {"memory": "4Gi"}},
        "load": {"spans_per_second": 2000},
        "retention": {"traces": "1h"},
    }
    return Named("benchmark", "benchmark", parse(merged(settings, changes), source="benchmark", name="benchmark"))


def send(running: Running, spans: int) -> tuple[Sender, float]:
    """Send so many spans; the sender, and the bytes of one span in OTLP."""
    sender = Sender(running.outputs, seed=1)
    for _ in range(spans // 1000):
        if not sender.send(sender.trace(10, attributes=ATTRIBUTES) for _ in range(100)):
            message = "the gateway refused spans: give it more memory"
            raise SystemExit(message)
    encoded = sum(span.ByteSize() + 3 for span in sender.trace(10, attributes=ATTRIBUTES)) / 10
    return sender, encoded


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def held(spans: int, state: Path) -> dict[str, float]:
    """Memory of a gateway that holds all the spans, less that of one that holds none."""
    with deploy(environment("5m"), say=lambda _line: None, state=state) as running:
        before = resident(running.supervisor.pid("gateway"))
        _, encoded = send(running, spans)
        time.sleep(SETTLE_SECONDS)
        grown = resident(running.supervisor.pid("gateway")) - before
    return {"encoded": encoded, "bytes": grown / spans, "ratio": grown / spans / encoded, "idle": before / 2**20}


def stored(spans: int, state: Path) -> dict[str, float]:
    """Disk of Badger that holds all the spans, after it has been closed."""
    with deploy(environment("1500ms"), say=lambda _line: None, state=state) as running:
        sender, encoded = send(running, spans)
        last = dict([list(sender.acknowledged.items())[-1]])
        if missing(running.outputs, last, wait_seconds=120):
            message = "the last trace did not come"
            raise SystemExit(message)
    folder = state / "benchmark" / "jaeger" / "traces"
    used = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    return {"encoded": encoded, "bytes": used / spans, "ratio": used / spans / encoded}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = {
            "held by a gateway": held(arguments.spans, Path(folder) / "held"),
            "stored by Badger": stored(arguments.spans, Path(folder) / "stored"),
        }
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{arguments.spans:,} spans                OTLP bytes   bytes a span   ratio")
    for what, found in results.items():
        print(f"{what:<22}  {found['encoded']:>12.0f}  {found['bytes']:>13.0f}  {found['ratio']:>6.2f}")


if __name__ == "__main__":
    main()
