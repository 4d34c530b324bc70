"""Spans at full speed against a sink that accepts one request in ten: memory, the caller's time, and the accounts.

``python -m benchmarks.million URL --spans N`` prints JSON. Sampling is held at one, so that pressure does not thin the load.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.exporting import ATTRIBUTES

WINDOWS = 40


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(url: str, spans: int) -> dict[str, Any]:
    """Make so many spans in windows; what each window took, and the accounts at the end."""
    from tracing_lib import TracingSettings, configure
    from tracing_lib.contract import OperationTarget

    whole = OperationTarget(service="portal", operation="market.keeper.Load", traces_per_second=1e9, floor=1.0)
    tracing = configure(TracingSettings(service_name="portal", endpoint=url, targets=(whole,)), set_global=False)
    tracer, clock = tracing.tracer("bench"), time.perf_counter
    windows = []
    began = clock()
    for _ in range(WINDOWS):
        took = []
        for _ in range(spans // WINDOWS):
            started = clock()
            with tracer.start_as_current_span("market.keeper.Load", attributes=ATTRIBUTES):
                pass
            took.append(clock() - started)
        took.sort()
        half, high = took[len(took) // 2] * 1e6, took[int(len(took) * 0.99)] * 1e6
        windows.append({"seconds": clock() - began, "p50": half, "p99": high, "max": took[-1] * 1e3, "MiB": _resident()})
    busy = tracing.accounts()
    report = tracing.shutdown(2.0)
    found = report.accounts
    return {
        "windows": windows,
        "queued_bytes": busy.queued_bytes,
        "started": found.started,
        "exported": found.exported,
        "dropped": dict(found.dropped),
        "queued": found.queued,
        "live": found.live,
        "shutdown_seconds": report.seconds,
    }


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--spans", type=int, default=1_000_000)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.url, arguments.spans)))


if __name__ == "__main__":
    main()
