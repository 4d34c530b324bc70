"""A scenario on a fresh shape of a cluster, under load."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.reliability.results import Computed, Result
from components.local.disks import can_mount
from components.local.errors import LocalError
from components.local.faults import Faults
from stacks.environment.sizing import most_spans_per_second, resident_bytes
from stacks.environment.source import read
from stacks.placement.small import deploy
from stacks.trial.account import trial
from stacks.trial.load import Pace

if TYPE_CHECKING:
    from benchmarks.reliability.scenarios import Scenario, Times
    from stacks.environment.source import Named

MARGIN_SECONDS = 15.0
"""A trace is late when it can be read later than the tail-sampling wait and this after its start."""
NODES = 2


def run(name: str, scenario: Scenario, times: Times, *, traces_per_second: float) -> Result:
    """Break a fresh shape in one way under a load, and give the account."""
    named, pace, computed = _load(scenario, times, traces_per_second)
    late_after = named.environment.sampling.tail.wait.total_seconds() + MARGIN_SECONDS
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        state, healthy_after, problem = Path(folder), None, ""
        with (
            # Volumes in memory where they can be: else it is the speed of this machine's disk that is measured, which the backend waits
            # for at each span.
            deploy(named, nodes=NODES, say=_tell, state=state, disks=can_mount() is None),
            trial(state / named.name, pace, late_after=late_after) as load,
        ):
            faults = Faults(state / named.name)
            time.sleep(times.begin)
            load.fault()
            try:
                healthy_after = scenario.make(faults, times)
            except LocalError as error:
                problem = str(error).partition(";")[0]
                for instance in faults.instances():
                    faults.release(instance.instance)
            account = load.settle()
    return Result(
        name,
        scenario.title.format(last=times.last),
        pace.traces_per_second,
        times.load,
        account,
        healthy_after,
        problem,
        os.getloadavg()[1],
        computed,
    )


def _load(scenario: Scenario, times: Times, traces_per_second: float) -> tuple[Named, Pace, Computed | None]:
    """The environment that is run, what is sent to it, and the arithmetic for it, where it is a heavy load."""
    named = read("prod")
    if scenario.heavy is None:
        return named, Pace(traces_per_second, times.load), None
    environment = scenario.heavy.environment(named.environment, NODES)
    rate = environment.load.spans_per_second * scenario.heavy.times_expected
    gateways = environment.collectors.gateway.replicas
    computed = Computed(resident_bytes(environment, rate / gateways), most_spans_per_second(environment) * gateways)
    spans = round(environment.load.spans_per_trace)
    pace = Pace(rate / spans, times.load, spans=spans, span_bytes=environment.load.bytes_per_span)
    return replace(named, environment=environment), pace, computed


def _tell(line: str) -> None:
    sys.stderr.write(f"    {line}\n")
