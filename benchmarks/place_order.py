"""What tracing adds to ``PlaceOrder``: ``python -m benchmarks.place_order`` (or ``make benchmark-orders``).

Portal and chain run twice, on the real collector and Jaeger, and with tracing off. One customer places orders at both in turns, so
that what else happens on the machine happens to both: 5,000 orders each. Prints p50 and p95 with 90 % bootstrap intervals and what
tracing adds. The requirement is less than 5 % (task 31B), the goal 2 %.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from examples.virtengine.load import DEPOSIT_PER_CPU, persons
from examples.virtengine.system import Options, System
from stacks.local import deploy
from stacks.source import read

RESULTS = Path(__file__).parent / "results" / "place_order.json"
WARM_UP = 300
BLOCK = 50
REQUIREMENT, GOAL = 5.0, 2.0
ON, OFF = "tracing on", "tracing off"


class Customer:
    """Places orders at one portal, over one connection."""

    def __init__(self, portal: str) -> None:
        parts = urlsplit(portal)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        (who,) = persons(1, random.Random(1))  # noqa: S311  repeatable
        self._account = self._ask("/customers", asdict(who))["account"]

    def _ask(self, path: str, content: dict[str, object]) -> dict[str, str]:
        self._connection.request("POST", path, json.dumps(content), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.client.ACCEPTED:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
        taken: dict[str, str] = json.loads(body)
        return taken

    def place(self) -> float:
        """Place an order; return how long that took, in milliseconds."""
        order = {"account": self._account, "cpu_units": 4, "deposit": 4 * DEPOSIT_PER_CPU, "note": ""}
        began = time.perf_counter()
        self._ask("/orders", order)
        return (time.perf_counter() - began) * 1e3


def measure(orders: int) -> dict[str, list[float]]:
    """Place so many orders at each, in turns; return the milliseconds of each."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        running = stack.enter_context(deploy(read("dev"), say=print, state=place / "backbone"))
        there = {}
        for name in (ON, OFF):
            options = Options(services=("chain", "portal"), tracing=name == ON)
            there[name] = stack.enter_context(System(place / name.replace(" ", "-"), running.outputs_file, print, options))
        at = {name: Customer(system.url("portal")) for name, system in there.items()}
        time.sleep(2.5)  # the customers' identities are in a block
        took: dict[str, list[float]] = {name: [] for name in at}
        for number in range(WARM_UP + orders):
            for name in (ON, OFF) if number % 2 else (OFF, ON):
                milliseconds = at[name].place()
                if number >= WARM_UP:
                    took[name].append(milliseconds)
            if number % 1000 == 0:
                print(f"{number} of {WARM_UP + orders} orders at each", file=sys.stderr)
    return took


def percentile(values: list[float], share: float) -> float:
    """A percentile, by linear interpolation."""
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def added(took: dict[str, list[float]], share: float) -> tuple[float, float, float]:
    """How much of a percentile tracing adds, in %, with its interval; resampled in blocks of neighbours, which are not independent."""
    chance = random.Random(1)  # noqa: S311  resampling
    blocks = range(len(took[ON]) // BLOCK)

    def once(chosen: list[int]) -> float:
        on, off = ([took[name][block * BLOCK + at] for block in chosen for at in range(BLOCK)] for name in (ON, OFF))
        return (percentile(on, share) / percentile(off, share) - 1) * 100

    found = sorted(once(chance.choices(blocks, k=len(blocks))) for _ in range(400))
    return once(list(blocks)), found[20], found[-21]


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=5_000)
    took = measure(parser.parse_args().orders)
    print(f"PlaceOrder, {len(took[ON]):,} orders each, in turns")
    for share in (0.5, 0.95):
        more, low, high = added(took, share)
        on, off = percentile(took[ON], share), percentile(took[OFF], share)
        kept = "goal kept" if more <= GOAL else "requirement kept" if more < REQUIREMENT else "NOT KEPT"
        print(
            f"  p{share * 100:.0f}  on {on:7.3f} ms  off {off:7.3f} ms  added {more:+5.2f} % [{low:+.2f}, {high:+.2f}]  limit 5 %: {kept}"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(took), encoding="utf-8")


if __name__ == "__main__":
    main()
