"""Figures from rounds: every candidate once a round, the order turned each time, each a ratio to the same round's peer."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")


def interval(values: Sequence[float], share: float = 0.9) -> tuple[float, float, float]:
    """Return the median and its bootstrap interval."""
    chance = random.Random(1)  # noqa: S311 - resampling
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(2000))
    edge = int(len(medians) * (1 - share) / 2)
    return statistics.median(values), medians[edge], medians[-edge - 1]


def shown(values: Sequence[float], digits: int = 2) -> str:
    """The median and its interval, for a table."""
    middle, low, high = interval(values)
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def turned(names: Sequence[T], round_number: int) -> list[T]:
    """The candidates in this round's order."""
    at = round_number % len(names)
    return [*names[at:], *names[:at]]


def run(module: str, *arguments: str) -> Any:  # noqa: ANN401
    """Run a measurement in a process of its own; what it printed as JSON, or None where it failed (its words go to stderr)."""
    command = [sys.executable, "-m", module, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if answer.returncode:
        print(f"{' '.join(command[2:])} failed:\n{answer.stderr[-600:]}", file=sys.stderr)
        return None
    return json.loads(answer.stdout.splitlines()[-1])


@contextmanager
def sink(*arguments: str) -> Iterator[str]:
    """Run the sink; its URL."""
    command = [sys.executable, "-m", "benchmarks.sink", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def ask(url: str, path: str) -> dict[str, int]:
    """Ask the sink for its counts, or to forget them."""
    with urllib.request.urlopen(url + path, timeout=60) as answer:  # noqa: S310 - loopback
        counts: dict[str, int] = json.load(answer)
    return counts
