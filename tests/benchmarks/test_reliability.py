"""The page of what fails has every scenario, and the command tells each promise that a run broke."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.reliability.page import COLUMNS, HEAVY_COLUMNS, page
from benchmarks.reliability.results import Computed, Result, broken
from benchmarks.reliability.scenarios import GATEWAY, SCENARIOS
from stacks.trial.account import Account, Share

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")

WHOLE = Account(
    sent=300,
    acknowledged=300,
    readable=300,
    late=0,
    late_after=25.0,
    in_pieces=0,
    spans=3000,
    stored_twice=0,
    counted=3000,
    shares={f"gateway-{index}": Share(spans=1000, taken=1000, late=0, lost=0) for index in range(3)},
    resident={f"gateway-{index}": 100 * 2**20 for index in range(3)},
    slowest=14.0,
    whole_after=0.0,
    reading=30.0,
)


def result(name: str, account: Account = WHOLE, **changes: object) -> Result:
    scenario = SCENARIOS[name]
    found = Result(name, scenario.title.format(last=scenario.times.last), 100.0, scenario.times.load, account, 2.0, "", 1.0)
    return replace(found, **changes)  # type: ignore[arg-type]


def with_share(name: str, share: Share, **changes: int) -> Account:
    return replace(WHOLE, shares=dict(WHOLE.shares) | {name: share}, **changes)  # type: ignore[arg-type]


def problems(name: str, account: Account = WHOLE, **changes: object) -> list[str]:
    return broken(result(name, account, **changes), SCENARIOS[name])


def test_the_committed_page_has_a_row_for_every_scenario() -> None:
    rows = re.findall(r"^\| (.+?) \|", PAGE, re.MULTILINE)
    titles = [scenario.title.format(last=scenario.times.last) for scenario in SCENARIOS.values()]
    assert [title for title in titles if not any(row.startswith(title) for row in rows)] == []


def test_every_row_has_as_many_cells_as_there_are_columns() -> None:
    computed = {name: Computed(100 * 2**20, 9000.0) if SCENARIOS[name].heavy else None for name in SCENARIOS}
    usual, heavy = page({name: result(name, computed=found) for name, found in computed.items()}, gateways=3).split("## Heavy loads")
    rows, heavy_rows = ([line for line in text.splitlines() if line.startswith("|")] for text in (usual, heavy))
    assert len(rows) + len(heavy_rows) == len(SCENARIOS) + 4
    assert {row.count("|") for row in rows} == {len(COLUMNS) + 1}
    assert {row.count("|") for row in heavy_rows} == {len(HEAVY_COLUMNS) + 1}


def test_a_scenario_that_was_not_run_keeps_its_lines_of_the_page_before() -> None:
    assert page({}, gateways=3, before=PAGE) == PAGE
    before = page({name: result(name) for name in SCENARIOS if not SCENARIOS[name].heavy}, gateways=3)
    again = page({"agent-queue": result("agent-queue", replace(WHOLE, sent=299), load_average=7.0)}, gateways=3, before=before)
    changed = [line for line in again.splitlines() if line not in before.splitlines()]
    assert len(changed) == 2
    assert "averages of 1 to 7" in changed[0]
    assert "| 299 |" in changed[1]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_load_that_comes_through_whole_breaks_no_promise(name: str) -> None:
    assert problems(name) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_loss_beyond_what_the_scenario_says_is_told(name: str) -> None:
    account = with_share("gateway-0", Share(1000, 990, 0, 1), readable=299)
    assert "1 acknowledged traces are lost" in problems(name, account)


def test_the_share_of_the_failed_gateway_may_be_late_and_that_of_the_others_not() -> None:
    late = Share(1000, 1000, 40, 0)
    assert problems("gateway-away", with_share(GATEWAY, late, late=40)) == []
    assert problems("gateway-away", with_share("gateway-2", late, late=40)) == [
        "40 traces of living gateways were readable only after 25 s"
    ]


def test_what_a_damaged_queue_held_may_be_lost_for_its_own_gateway_alone() -> None:
    lost = Share(1000, 1000, 0, 7)
    assert problems("queue-cut", with_share(GATEWAY, lost, readable=293)) == []
    assert problems("queue-cut", with_share("gateway-0", lost, readable=293)) == ["7 acknowledged traces are lost"]


@pytest.mark.parametrize(
    ("name", "account", "changes", "told"),
    [
        ("gateway-away", with_share("gateway-0", Share(1000, 1060, 0, 0)), {}, "a living gateway took 1.06 × its spans"),
        ("nothing", replace(WHOLE, counted=3031), {}, "span metrics counted 101.0% of the spans sent"),
        ("gateways-restarted", replace(WHOLE, in_pieces=4), {}, "1.3% of the traces were decided in pieces"),
        ("queue-pages", WHOLE, {"healthy_after": 31.0}, "healthy again only after 31 s"),
        ("disk-full", WHOLE, {"problem": "no disk"}, "no disk"),
        ("expected-load", WHOLE, {"computed": Computed(200 * 2**20, 9000.0)}, "gateway-0 occupied 100 MiB, computed were 200 MiB"),
    ],
)
def test_each_broken_promise_is_told(name: str, account: Account, changes: dict[str, object], told: str) -> None:
    assert told in problems(name, account, **changes)


def test_an_agent_that_was_killed_may_have_taken_counts_along() -> None:
    assert problems("agent-killed", replace(WHOLE, counted=2500)) == []
