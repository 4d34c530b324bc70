"""``python -m benchmarks.alerts`` (``make alerts``, as root) fires each alert by its fault and writes ``docs/alerts.md``.

An hour is a minute there. Before the first fault all is well for an hour, and no alert may fire. The alerts of Tempo are left out where
``tempo`` is not on PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.alerts.environments import NAMES, shape
from benchmarks.alerts.page import Kept, page
from benchmarks.alerts.scenario import USUAL
from benchmarks.alerts.scenarios import SCENARIOS
from benchmarks.alerts.stage import Stage
from components.alerts.rule import Times
from components.local.errors import LocalError
from stacks.environment.source import ROOT
from stacks.placement.small import deploy
from tests.waiting import load_per_core

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.alerts.environments import EnvironmentName
    from benchmarks.alerts.scenario import Scenario

RESULTS, PAGE = Path(__file__).with_name("kept.json"), ROOT / "docs" / "alerts.md"
HEALTHY_SECONDS = 60
WARM_SECONDS = 20
LONGEST_SECONDS, QUIET_SECONDS = 240, 120
"""On a machine that does nothing else; up to three times longer on one that is busy."""


class Pass:
    """One call of the command. What it sees is kept at once, because a pass takes most of an hour."""

    def __init__(self, kept: Kept) -> None:
        self._kept, self._begun, self._loads = kept, time.time(), [os.getloadavg()[0]]
        self._name = f"{self._begun:.0f}"

    def fired(self, alert: str, name: str, scenario: Scenario, seconds: float) -> None:
        """Keep that an alert fired so many seconds after its fault."""
        self._kept["fired"][alert] = {"fault": name, "title": scenario.title, "seconds": round(seconds), "pass": self._name}
        _tell(f"    {alert}")
        self._write()

    def healthy(self, fired: set[str]) -> None:
        """Keep what fired while all was well."""
        self._kept["healthy"] = {"seconds": HEALTHY_SECONDS, "fired": sorted(fired)}
        self._write()

    def _write(self) -> None:
        self._loads.append(os.getloadavg()[0])
        minutes, load = round((time.time() - self._begun) / 60), sum(self._loads) / len(self._loads)
        self._kept["passes"][self._name] = {
            "day": time.strftime("%Y-%m-%d", time.gmtime(self._begun)),
            "minutes": minutes,
            "load": round(load, 1),
        }
        RESULTS.write_text(json.dumps(self._kept, indent=2, sort_keys=True) + "\n")


def main() -> int:
    """Run the scenarios, or those that are named; 1 when an alert did not fire, or one fired while all was well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), metavar="NAME", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--page", action="store_true", help="write the page anew from what was kept, and run nothing")
    given = parser.parse_args()
    whole = given.only == list(SCENARIOS) and not given.page
    kept: Kept = {"healthy": {}, "fired": {}, "passes": {}}
    if RESULTS.exists() and not whole:
        kept = json.loads(RESULTS.read_text())
    problems: list[str] = []
    this = Pass(kept)
    for environment in NAMES if not given.page else ():
        wanted = {name: SCENARIOS[name] for name in given.only if SCENARIOS[name].environment == environment}
        if wanted and (missing := shape(environment).missing):
            _tell(f"left out, because {', '.join(missing)} is not on PATH: {', '.join(wanted)}")
        elif wanted:
            problems += _run(this, environment, wanted)
    PAGE.write_text(page(kept))
    for problem in problems:
        sys.stderr.write(f"NOT AS IT SHOULD BE: {problem}\n")
    return int(bool(problems))


def _run(this: Pass, environment: EnvironmentName, wanted: Mapping[str, Scenario]) -> list[str]:
    one, problems, lasting = shape(environment), list[str](), set[str]()
    times = Times(one.factor, least_seconds=one.least_seconds)
    with tempfile.TemporaryDirectory(prefix="alerts-") as folder, _kept_going(f"environment {environment}", problems):
        state = Path(folder)
        with deploy(one.named, nodes=2, say=_tell, state=state, disks=one.disks, times=times, absent=one.absent) as running:
            stage = Stage(running, state / one.named.name)
            if environment == "usual":
                problems += _healthy(this, stage)
            else:
                problems += _settled(stage, wanted)
            for name, scenario in wanted.items():
                with _kept_going(scenario.title, problems):
                    problems += _fire(this, stage, name, scenario, lasting)
    return problems


@contextmanager
def _kept_going(title: str, problems: list[str]) -> Iterator[None]:
    """A part of a pass whose failure is one of its ``problems``, because the others are tried all the same."""
    try:
        yield
    except (LocalError, OSError, AssertionError) as error:
        problems.append(f"{title}: {type(error).__name__}: {error}")
        _tell(f"    {problems[-1]}")


def _settled(stage: Stage, wanted: Mapping[str, Scenario]) -> list[str]:
    """No alert that a fault is to fire may wait to fire before it."""
    alerts = {alert for scenario in wanted.values() for alert in (*scenario.alerts, *scenario.after)}
    with stage.load(USUAL):
        # Until Prometheus has evaluated each rule.
        time.sleep(WARM_SECONDS)
        left = stage.settled(alerts, QUIET_SECONDS * _busy())
    return [f"{alert} is about to fire before its fault" for alert in sorted(left)]


def _healthy(this: Pass, stage: Stage) -> list[str]:
    """An hour in which all is well."""
    with stage.load(USUAL):
        # Until every server was scraped a few times.
        time.sleep(WARM_SECONDS)
        stage.quiet(LONGEST_SECONDS, but=set())
        begun = time.monotonic()
        seen: set[str] = set()
        while time.monotonic() - begun < HEALTHY_SECONDS:
            seen |= stage.firing()
            time.sleep(1)
    this.healthy(seen)
    return [f"{alert} fired while all was well" for alert in sorted(seen)]


def _fire(this: Pass, stage: Stage, name: str, scenario: Scenario, lasting: set[str]) -> list[str]:
    _tell(scenario.title)
    seen: set[str] = set()

    def fired(alerts: tuple[str, ...]) -> None:
        begun = time.monotonic()
        for alert in stage.wait(set(alerts), LONGEST_SECONDS * _busy()):
            seen.add(alert)
            if alert in alerts:
                this.fired(alert, name, scenario, time.monotonic() - begun)

    with ExitStack() as stack:
        if scenario.load:
            stack.enter_context(stage.rising(scenario.load, scenario.alerts) if scenario.rises else stage.load(scenario.load))
        with scenario.make(stage):
            fired(scenario.alerts)
        if scenario.after:
            fired(scenario.after)
    lasting |= set(scenario.alerts) if scenario.stays else set()
    with stage.load(replace(USUAL, seconds=QUIET_SECONDS * _busy())):
        left = stage.quiet(QUIET_SECONDS * _busy(), but=lasting)
    told = [f"{alert} did not fire: {scenario.title}" for alert in sorted({*scenario.alerts, *scenario.after} - seen)]
    return told + [f"{alert} does not end after: {scenario.title}" for alert in sorted(left)]


def _busy() -> float:
    return min(3.0, load_per_core())


def _tell(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


if __name__ == "__main__":
    sys.exit(main())
