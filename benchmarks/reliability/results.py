"""The result of a scenario: its account, which promises were broken, and the file that keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.trial.account import Account, Share

if TYPE_CHECKING:
    from benchmarks.reliability.scenarios import Scenario

FOLDER = Path(__file__).resolve().parents[1] / "results" / "reliability"

MOST_OF_ITS_SPANS, MOST_MISCOUNTED, MOST_IN_PIECES = 1.05, 0.01, 0.01
"""Spans that a living gateway takes, as a share of its own; difference of the counts from what was sent; traces decided in pieces."""
START_SECONDS = 30.0
"""Longest time until what was down is healthy again."""


MOST_OFF_MEMORY, LEAST_PASSED = 0.25, 0.8
"""Difference of a gateway's memory from what `check` computes; spans that pass, as a share of what the memory holds by its arithmetic."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What the arithmetic of `check` has for a load: bytes that a gateway occupies, and spans per second that all gateways let pass."""

    resident: float
    spans_per_second: float


@dataclass(frozen=True, slots=True)
class Result:
    """A scenario that was run: at how many traces per second, its account, and the seconds until what was down was healthy.

    ``problem`` is what kept the fault from being made, ``load_average`` what the machine's was at the end (5 minutes).
    """

    scenario: str
    title: str
    traces_per_second: float
    load_seconds: float
    account: Account
    healthy_after: float | None
    problem: str
    load_average: float
    computed: Computed | None = None


def write(result: Result) -> None:
    """Keep a result, in place of an earlier one of the same scenario."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path(result.scenario).write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")


def read(scenario: str) -> Result | None:
    """The kept result of a scenario, if there is one."""
    if not path(scenario).exists():
        return None
    kept = json.loads(path(scenario).read_text(encoding="utf-8"))
    account = kept["account"]
    shares = {name: Share(**share) for name, share in account["shares"].items()}
    computed = Computed(**kept["computed"]) if kept["computed"] else None
    return Result(**kept | {"account": Account(**account | {"shares": shares}), "computed": computed})


def path(scenario: str) -> Path:
    """The file that keeps the result of a scenario."""
    return FOLDER / f"{scenario}.json"


def lost_elsewhere(result: Result, scenario: Scenario) -> int:
    """Lost traces that the scenario does not allow to be lost."""
    account = result.account
    if not scenario.loses:
        return account.lost
    return sum(share.lost for name, share in account.shares.items() if name != scenario.hit)


def late_elsewhere(result: Result, scenario: Scenario) -> int:
    """Late traces of gateways that were not hit."""
    return sum(share.late for name, share in result.account.shares.items() if name != scenario.hit)


def most_taken(result: Result, scenario: Scenario) -> float:
    """The most that a gateway that was not hit took, as a share of its spans."""
    return max(share.taken / max(1, share.spans) for name, share in result.account.shares.items() if name != scenario.hit)


def broken(result: Result, scenario: Scenario) -> list[str]:
    """The promises that were broken, in words."""
    account = result.account
    found = [result.problem] if result.problem else []
    if lost := lost_elsewhere(result, scenario):
        found.append(f"{lost:,} acknowledged traces are lost")
    if not scenario.any_late and (late := late_elsewhere(result, scenario)):
        found.append(f"{late:,} traces of living gateways were readable only after {account.late_after:g} s")
    if (taken := most_taken(result, scenario)) > MOST_OF_ITS_SPANS and scenario.hit is not None:
        found.append(f"a living gateway took {taken:.2f} × its spans")
    if not scenario.miscounts and abs(account.counted / account.spans - 1) > MOST_MISCOUNTED:
        found.append(f"span metrics counted {account.counted / account.spans:.1%} of the spans sent")
    if not scenario.loses and account.in_pieces > MOST_IN_PIECES * account.sent:
        found.append(f"{account.in_pieces / account.sent:.1%} of the traces were decided in pieces")
    if result.healthy_after is not None and result.healthy_after > START_SECONDS:
        found.append(f"healthy again only after {result.healthy_after:.0f} s")
    return found + (_off_arithmetic(result, result.computed) if result.computed else [])


def _off_arithmetic(result: Result, computed: Computed) -> list[str]:
    """What of a heavy load is not as `check` computes it."""
    account = result.account
    found = [
        f"{name} occupied {size / 2**20:,.0f} MiB, computed were {computed.resident / 2**20:,.0f} MiB"
        for name, size in account.resident.items()
        if abs(size / computed.resident - 1) > MOST_OFF_MEMORY
    ]
    possible = min(account.spans / result.load_seconds, computed.spans_per_second)
    if account.passed_per_second < LEAST_PASSED * possible:
        found.append(f"{account.passed_per_second:,.0f} spans/s passed of {possible:,.0f} that were sent and that the memory holds")
    return found
