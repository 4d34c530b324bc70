"""Three gateways as one consumer group of a real Kafka: one is killed under load and stays away, and another as shares move back.

All tests look at one run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from components.documents.images import SURROUNDINGS
from components.documents.kafka import partition_of
from components.local.faults import Faults
from stacks.placement.small import deploy
from stacks.trial.account import trial
from stacks.trial.load import Pace
from tests.servers.conftest import built_of_java, named
from tests.waiting import load_per_core, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stacks.trial.account import Account, Trial

AWAY, OTHER, LIVING = "gateway-1", "gateway-2", "gateway-0"
PACE = Pace(20, 300)
"""Load that is ended when all has been seen."""
WAIT_SECONDS, MARGIN_SECONDS = 2, 15
PARTITIONS = 12
TOPIC = {
    "servers": ["kafka.example.org:9093"],
    "sasl": {"secret": "tracing-kafka"},
    "partitions": PARTITIONS,
    "session_timeout": "6s",
}


@dataclass(frozen=True, slots=True)
class Run:
    """The account of the load, and what was seen of the group.

    ``before_take_over`` has for each living gateway the spans that it had taken, and those sent of its own partitions by then, when none
    had read a partition of the one that is away.
    """

    account: Account
    taken_over_after: float
    before_take_over: dict[str, tuple[float, int]]


def readers(load: Trial) -> dict[int, str]:
    """The gateway that has read each partition last."""
    return {partition: reads[-1].where for partition, reads in load.reads().items() if reads}


def take_over(load: Trial) -> tuple[float, dict[str, tuple[float, int]]]:
    """Wait until the living read every partition; give the seconds, and what each had taken before they did."""
    since, before, owners = time.monotonic(), {}, readers(load)
    left = {partition for partition, name in owners.items() if name == AWAY}

    def is_read_by_the_living() -> bool:
        nonlocal before
        # Counted first: whoever has read nothing of the share by the time of the look had not when it was counted.
        taken, sent = load.taken(), list(load.load.sent)
        moved = {partition for partition in left if readers(load)[partition] != AWAY}
        if not moved:
            partitions = [partition_of(one.trace.id, PARTITIONS) for one in sent]
            before = {name: (taken[name], PACE.spans * sum(owners[one] == name for one in partitions)) for name in (LIVING, OTHER)}
        return moved == left

    until(is_read_by_the_living, "a reader of each partition", progress=lambda: len(set(readers(load).items()) - set(owners.items())))
    return time.monotonic() - since, before


def is_shared_anew(load: Trial, since: float) -> bool:
    """Whether each gateway has read since a moment, and each partition was read."""
    last = [reads[-1] for reads in load.reads().values()]
    return all(read.at > since for read in last) and {read.where for read in last} == {LIVING, AWAY, OTHER}


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
        trial(state / "prod", PACE, late_after=(WAIT_SECONDS + MARGIN_SECONDS) * min(2.0, load_per_core())) as load,
    ):
        faults = Faults(state / "prod")
        until(lambda: len(readers(load)) == PARTITIONS, "a record of each partition")
        load.fault()
        faults.refuse(AWAY)
        seconds, before = take_over(load)
        faults.release(AWAY)
        faults.wait_healthy(AWAY)
        # It joins, so that shares move, and one that has to give some up is killed.
        killed = time.time()
        faults.kill(OTHER)
        until(lambda: is_shared_anew(load, killed), "a share for each gateway", progress=lambda: readers(load))
        load.load.stop()
        account = load.settle()
        yield Run(account, seconds, before)


def test_nothing_that_was_acknowledged_is_missing_in_the_end(run: Run) -> None:
    assert run.account.acknowledged == run.account.sent > 0
    assert run.account.lost == 0


def test_traces_of_a_gateway_that_lives_throughout_can_be_read_in_time(run: Run) -> None:
    assert run.account.shares[LIVING].late == 0


def test_no_living_gateway_takes_more_than_its_share_before_the_take_over(run: Run) -> None:
    for name in (LIVING, OTHER):
        taken, own = run.before_take_over[name]
        assert taken <= 1.05 * own


def test_nothing_is_read_again_when_shares_have_moved(run: Run) -> None:
    living = run.account.shares[LIVING]
    assert living.taken <= 1.05 * living.spans
    assert sum(share.taken for share in run.account.shares.values()) <= 1.01 * run.account.spans


def test_the_share_of_a_gateway_that_is_away_is_taken_over_within_a_minute(run: Run) -> None:
    assert run.taken_over_after < 60


def test_each_span_is_counted_once_whatever_is_read_again(run: Run) -> None:
    assert run.account.counted == pytest.approx(run.account.spans, rel=0.01)
