"""Traffic that steps, in real time, through the sampler: ``python -m benchmarks.steps`` prints JSON, a second a line of the plot."""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import Any

RATES = (10, 1000, 50, 5000)
TARGETS = {"orders": 100.0, "leases": 150.0, "bids": 200.0, "rare": 100.0}
SHARES = {"orders": 0.2, "leases": 0.3, "bids": 0.499, "rare": 0.001}
FLOOR = 0.01
SETTLED = 2
"""Intervals after a step in which a ratio may still be on its way."""


def measure(interval: float, intervals: int) -> dict[str, Any]:
    """Step through the rates; sampled and begun traces of each operation by half interval, and ratios at their ends."""
    from tracing_lib.provider import recorder
    from tracing_lib.sampling.sampler import TargetSampler
    from tracing_lib.sampling.strategies import Goal, ratio_strategy

    goals = {name: Goal(target, floor=FLOOR) for name, target in TARGETS.items()}
    sampler = TargetSampler(ratio_strategy(1.0), goals, interval_seconds=interval)
    tracer = recorder()[0](sampler=sampler, shutdown_on_exit=False).get_tracer("bench")
    chance, rows, began = random.Random(1), [], time.monotonic()  # noqa: S311 - traffic
    due: dict[str, float] = {}
    for step, total in enumerate(RATES):
        rates = {name: total * share for name, share in SHARES.items()}
        due = {name: time.monotonic() + chance.expovariate(rate) for name, rate in rates.items()}
        for part in range(2 * intervals):
            counts = {name: [0, 0] for name in rates}
            end = began + (step * intervals + (part + 1) / 2) * interval
            while (now := time.monotonic()) < end:
                for name, rate in rates.items():
                    while due[name] <= now:
                        due[name] += chance.expovariate(rate)
                        span = tracer.start_span(name)
                        counts[name][0] += 1
                        counts[name][1] += span.is_recording()
                        span.end()
                time.sleep(0.002)
            ratios = {name: sampler.operation(name).ratio for name in rates}
            rows.append({"step": step, "interval": part / 2, "at": end - began, "counts": counts, "ratios": ratios})
    return {"rows": rows, "interval": interval}


def verdict(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each step and operation: what was sampled each second from two intervals after the step on, and the ratio to what was aimed at."""
    found = []
    for step, total in enumerate(RATES):
        rows = [row for row in result["rows"] if row["step"] == step and row["interval"] >= SETTLED]
        seconds = len(rows) * result["interval"] / 2
        for name, target in TARGETS.items():
            begun, sampled = (sum(row["counts"][name][part] for row in rows) for part in (0, 1))
            wanted = min(target, begun / seconds)
            least = min(row["ratios"][name] for row in rows)
            entry = {"traffic": total, "operation": name, "per_second": sampled / seconds, "wanted": wanted, "least_ratio": least}
            found.append({**entry, "of_target": sampled / seconds / wanted if wanted else 1.0})
    return found


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interval", type=float, default=2.0)
    parser.add_argument("--intervals", type=int, default=6)
    arguments = parser.parse_args()
    result = measure(arguments.interval, arguments.intervals)
    print(json.dumps({**result, "verdict": verdict(result)}))


if __name__ == "__main__":
    main()
