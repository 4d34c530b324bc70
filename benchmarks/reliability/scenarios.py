"""The scenarios: what fails, in the words of operators, the calls that make it fail, and what must hold all the same."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.local.faults import DAMAGES, Damage, Faults
from stacks.environment.sizing import most_spans_per_second
from stacks.trial.traces import RESOURCE_BYTES

if TYPE_CHECKING:
    from stacks.environment.model import Environment

TRACES_PER_SECOND = 100.0
BACKEND, GATEWAY, AGENT = "jaeger-0", "gateway-1", "agent-1"
DAMAGES_IN_WORDS: dict[Damage, str] = {
    "header": "its first pages are zero",
    "pages": "a quarter of its pages is overwritten",
    "cut": "it is cut to half",
    "garbage": "it is overwritten",
    "empty": "it is empty",
}


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds: the length of the load, when the fault is made, and how long it lasts, where it does."""

    load: float
    begin: float
    last: float = 0.0

    def shorter(self, share: float) -> Times:
        """All of them as a share."""
        return Times(self.load * share, self.begin * share, self.last * share)


Break = Callable[[Faults, Times], float | None]
"""Makes a fault and ends it; returns the longest time in seconds until what was down was healthy again, if anything was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heavy:
    """A heavy load in place of the usual one.

    It is ``times_expected`` the load that the environment expects. Where a ``wait`` of the tail sampler is given, there is one gateway that
    waits so long, and the environment expects ``expected_share`` of the spans that its memory then holds.
    """

    times_expected: float
    wait: dt.timedelta | None = None
    expected_share: float = 0.0

    def environment(self, usual: Environment, nodes: int) -> Environment:
        """The environment that is run, on so many nodes."""
        load = usual.load.model_copy(update={"nodes": nodes, "bytes_per_resource": RESOURCE_BYTES})
        if self.wait is None:
            return usual.model_copy(update={"load": load})
        gateway = usual.collectors.gateway.model_copy(update={"replicas": 1})
        collectors = usual.collectors.model_copy(update={"gateway": gateway})
        sampling = usual.sampling.model_copy(update={"tail": usual.sampling.tail.model_copy(update={"wait": self.wait})})
        changed = usual.model_copy(update={"collectors": collectors, "sampling": sampling, "load": load})
        expected = math.floor(most_spans_per_second(changed) * self.expected_share)
        return changed.model_copy(update={"load": load.model_copy(update={"spans_per_second": expected})})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A fault under load.

    ``hit`` is the gateway whose share may be late, if it is one. ``loses`` says in words what of that share may be lost, ``miscounts`` why
    the counts may differ; ``cause`` explains what does not hold. ``disks`` tells that volumes must have their size, ``any_late`` that
    every trace may be late.
    """

    title: str
    make: Break
    times: Times
    hit: str | None = None
    loses: str = ""
    miscounts: str = ""
    disks: bool = False
    any_late: bool = False
    cause: str = ""
    heavy: Heavy | None = None


def _none(_faults: Faults, _times: Times) -> float | None:
    return None


def _killed(name: str) -> Break:
    return lambda faults, _times: faults.wait_successor(name, faults.kill(name))


def _held(fault: Callable[[Faults, str], object], name: str) -> Break:
    def make(faults: Faults, times: Times) -> float:
        fault(faults, name)
        time.sleep(times.last)
        faults.release(name)
        return faults.wait_healthy(name)

    return make


def _slow(name: str, share: float) -> Break:
    def make(faults: Faults, times: Times) -> None:
        with faults.slowed(name, share):
            time.sleep(times.last)

    return make


def _restarted(workload: str) -> Break:
    return lambda faults, _times: faults.restart_each(workload)


def _full(name: str, volume: str, away: str) -> Break:
    """A disk that is full while what is behind it is away, so that nothing leaves the queue."""

    def make(faults: Faults, times: Times) -> float:
        faults.refuse(away)
        with faults.full_disk(name, volume, left=2**16):
            time.sleep(times.last)
        faults.release(away)
        return faults.wait_healthy(away)

    return make


def _damaged(name: str, how: Damage, away: str) -> Break:
    """A damaged queue that holds spans, because what is behind it is away."""

    def make(faults: Faults, times: Times) -> float:
        faults.refuse(away)
        time.sleep(times.last)
        faults.damage(name, "queue", how)
        seconds = faults.wait_healthy(name)
        faults.release(away)
        faults.wait_healthy(away)
        return seconds

    return make


SCENARIOS = {
    "nothing": Scenario(title="Nothing fails", make=_none, times=Times(60, 1)),
    "gateway-killed": Scenario(title="A gateway is killed and started again", make=_killed(GATEWAY), times=Times(60, 20), hit=GATEWAY),
    "gateway-away": Scenario(
        title="A gateway is killed and down for {last:g} s", make=_held(Faults.refuse, GATEWAY), times=Times(180, 30, 90), hit=GATEWAY
    ),
    "gateway-hangs": Scenario(
        title="A gateway hangs for {last:g} s", make=_held(Faults.hang, GATEWAY), times=Times(180, 30, 90), hit=GATEWAY
    ),
    "gateway-slow": Scenario(
        title="A gateway has a tenth of its time for {last:g} s", make=_slow(GATEWAY, 0.1), times=Times(75, 15, 30), hit=GATEWAY
    ),
    "gateways-restarted": Scenario(
        title="All gateways are restarted, one after the other", make=_restarted("gateway"), times=Times(150, 30), any_late=True
    ),
    "agent-killed": Scenario(
        title="An agent is killed and started again",
        make=_killed(AGENT),
        times=Times(60, 20),
        miscounts="the agent's counts of up to `aggregation.flush_interval`",
        any_late=True,
    ),
    "agents-restarted": Scenario(
        title="All agents are restarted, one after the other",
        make=_restarted("agent"),
        times=Times(120, 20),
        miscounts="the agents' counts of up to `aggregation.flush_interval`",
        any_late=True,
        cause="They were decided in pieces: on a busy machine a restart and the repetitions of senders take longer than the wait.",
    ),
    "backend-killed": Scenario(title="The backend is killed and started again", make=_killed(BACKEND), times=Times(60, 20), any_late=True),
    "backend-away": Scenario(
        title="The backend is away for {last:g} s", make=_held(Faults.refuse, BACKEND), times=Times(180, 30, 120), any_late=True
    ),
    "disk-full": Scenario(
        title="The backend is away for {last:g} s, and the disk of a gateway's queue is full",
        make=_full(GATEWAY, "queue", BACKEND),
        times=Times(90, 20, 50),
        hit=GATEWAY,
        loses="what the gateway keeps while its disk is full",
        disks=True,
        any_late=True,
    ),
    **{
        f"queue-{how}": Scenario(
            title=f"The backend is away for {{last:g}} s, and a gateway's queue file is damaged: {DAMAGES_IN_WORDS[how]}",
            make=_damaged(GATEWAY, how, BACKEND),
            times=Times(60, 10, 30),
            hit=GATEWAY,
            loses="what the queue file held",
            any_late=True,
        )
        for how in DAMAGES
    },
    "agent-queue": Scenario(
        title="A gateway is down for {last:g} s, and the queue file that an agent has for it is damaged: it is overwritten",
        make=_damaged(AGENT, "garbage", GATEWAY),
        times=Times(90, 10, 30),
        hit=GATEWAY,
        loses="what the queue file held",
        any_late=True,
        miscounts="the agent's counts of up to `aggregation.flush_interval`",
    ),
    "expected-load": Scenario(
        title="Nothing fails at the load that prod expects",
        make=_none,
        times=Times(60, 1),
        # Two processors are busy with it.
        any_late=True,
        heavy=Heavy(times_expected=1),
    ),
    "overload": Scenario(
        title="Five times the expected load, a quarter more than the memory of a gateway holds",
        make=_none,
        times=Times(150, 1),
        any_late=True,
        # After a wait of 10 s two processors are busy long before prod's memory is full.
        heavy=Heavy(times_expected=5, wait=dt.timedelta(seconds=60), expected_share=0.25),
    ),
}
