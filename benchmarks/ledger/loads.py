"""Loads on the shape of a cluster, beside the memory that `check` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ledger.entries import MEMORY, Entry
from benchmarks.reliability.run import run
from benchmarks.reliability.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.reliability.results import Computed, Result


def how(_: float) -> str:
    """Sentence on what is done."""
    return "2,000 spans/s of 400 bytes for a minute, through two agents and production's three gateways."


def how_overload(_: float) -> str:
    """Sentence on what is done."""
    return "Five times the load that a gateway of 256Mi is to get, which is a quarter more than its memory holds, for a minute."


def expected(_say: Callable[[str], None], _part: float) -> Iterator[Entry]:
    """The load that production expects."""
    result, computed = _run("expected-load")
    resident = max(result.account.resident.values())
    yield Entry("check", "figures.bytes_resident", "memory of a gateway", "bytes", computed.resident, resident, MEMORY)


def overload(_say: Callable[[str], None], _part: float) -> Iterator[Entry]:
    """More than a gateway's memory holds."""
    result, computed = _run("overload")
    resident = max(result.account.resident.values())
    yield Entry("check", "figures.bytes_resident", "memory of a gateway", "bytes", computed.resident, resident, MEMORY)
    passed = result.account.passed_per_second
    most = "spans that the memory of a gateway lets pass"
    yield Entry("check", "figures.most_spans_per_second", most, "spans/s", computed.spans_per_second, passed, MEMORY, "at least")


def _run(name: str) -> tuple[Result, Computed]:
    scenario = SCENARIOS[name]
    result = run(name, scenario, scenario.times, traces_per_second=0.0)
    if result.computed is None:
        raise ValueError(f"{name} is no heavy load")
    return result, result.computed
