"""Three gateways as one consumer group of a real Kafka: one is killed and stays away under load, then another is killed and comes back.

All tests look at one run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from components.documents.images import SURROUNDINGS
from components.local.faults import Faults
from stacks.placement.small import deploy
from stacks.trial.account import OFFSET, trial
from stacks.trial.load import Pace
from tests.servers.conftest import built_of_java, named
from tests.waiting import load_per_core, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stacks.trial.account import Account, Trial

AWAY, RESTARTED, LIVING = "gateway-1", "gateway-2", "gateway-0"
PACE = Pace(20, 40)
WAIT_SECONDS, MARGIN_SECONDS = 2, 15
PARTITIONS = 12
TOPIC = {
    "servers": ["kafka.example.org:9093"],
    "sasl": {"secret": "tracing-kafka"},
    "partitions": PARTITIONS,
    "session_timeout": "6s",
}
ENDED = "otelcol_kafka_receiver_partition_close_total"


@dataclass(frozen=True, slots=True)
class Run:
    """The account of the load, and what was seen of the group.

    ``before_take_over`` has for each gateway what it had taken, and what was its own by then, when the share of the one that is away was
    last seen without a reader. ``moved`` is how many partitions the others lost when a gateway was killed and came back within the session.
    """

    account: Account
    taken_over_after: float
    before_take_over: dict[str, tuple[float, int]]
    moved: float


def take_over(load: Trial) -> tuple[float, dict[str, tuple[float, int]]]:
    """Wait until the living read every partition; give the seconds, and what each had taken just before."""
    since, before = time.monotonic(), {}

    def is_read_by_the_living() -> bool:
        nonlocal before
        read = load.own.values(OFFSET, "partition")
        if len(read[LIVING] | read[RESTARTED]) == PARTITIONS:
            return True
        taken, sent = load.taken(), list(load.load.sent)
        own = {name: sum(load.share_of(one.trace.id) == name for one in sent) * PACE.spans for name in load.gateways}
        before = {name: (taken[name], own[name]) for name in load.gateways}
        return False

    until(is_read_by_the_living, "a reader of each partition")
    return time.monotonic() - since, before


def given_up(load: Trial, *names: str) -> float:
    """How many partitions these gateways have lost to others."""
    ended = load.own.grown(ENDED)
    return sum(ended[name] for name in names)


@pytest.fixture(scope="module")
def run(programs: dict[str, Path], surroundings: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    assert programs
    assert surroundings
    built_of_java({"kafka": SURROUNDINGS["kafka"]})
    state = tmp_path_factory.mktemp("kafka")
    environment = named(
        "prod",
        access=None,
        sampling={"tail": {"wait": f"{WAIT_SECONDS}s", "slow": "1s", "baseline": "100 %", "baseline_limit": None}},
        aggregation={"flush_interval": "2s"},
        collectors={"transport": "kafka", "kafka": TOPIC},
    )
    with (
        deploy(environment, nodes=2, say=print, state=state),
        trial(state / "prod", PACE, late_after=(WAIT_SECONDS + MARGIN_SECONDS) * load_per_core()) as load,
    ):
        faults = Faults(state / "prod")
        until(lambda: sum(map(len, load.own.values(OFFSET, "partition").values())) >= PARTITIONS, "a record of each partition")
        load.fault()
        faults.refuse(AWAY)
        seconds, before = take_over(load)
        faults.release(AWAY)
        until(lambda: given_up(load, LIVING, RESTARTED) > 0, "its share for the gateway that is back")
        lost = given_up(load, LIVING, AWAY)
        faults.wait_successor(RESTARTED, faults.kill(RESTARTED))
        account = load.settle()
        yield Run(account, seconds, before, given_up(load, LIVING, AWAY) - lost)


def test_nothing_that_was_acknowledged_is_missing_in_the_end(run: Run) -> None:
    assert run.account.acknowledged == run.account.sent > 0
    assert run.account.lost == 0


def test_traces_of_living_gateways_can_be_read_in_time_throughout(run: Run) -> None:
    assert {name: run.account.shares[name].late for name in (LIVING, RESTARTED)} == {LIVING: 0, RESTARTED: 0}


def test_no_living_gateway_takes_more_than_its_share_before_the_take_over(run: Run) -> None:
    for name in (LIVING, RESTARTED):
        taken, own = run.before_take_over[name]
        assert taken <= 1.05 * own


def test_the_share_of_a_gateway_that_is_away_is_taken_over_within_a_minute(run: Run) -> None:
    assert run.taken_over_after < 60


def test_each_span_is_counted_once_whatever_is_read_again(run: Run) -> None:
    assert run.account.counted == pytest.approx(run.account.spans, rel=0.01)


def test_a_gateway_that_is_back_within_its_session_moves_nothing(run: Run) -> None:
    assert run.moved == 0
