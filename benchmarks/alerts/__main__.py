"""``python -m benchmarks.alerts`` (``make alerts``, as root) fires each alert by its fault and writes ``docs/alerts.md``.

An hour is a minute there. Before the first fault all is well for an hour, and no alert may fire.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks.alerts.scenarios import SCENARIOS, USUAL
from benchmarks.alerts.stage import Stage
from components.alerts.rule import Times
from components.alerts.rules import rules
from stacks.environment.sizing import queue_volume
from stacks.environment.source import ROOT, Named
from stacks.placement.small import deploy
from stacks.plan.addresses import OnKubernetes
from stacks.plan.plan import plan
from tests.servers.conftest import named

if TYPE_CHECKING:
    from benchmarks.alerts.scenarios import Scenario
    from stacks.environment.model import Environment

RESULTS, PAGE = ROOT / "benchmarks" / "results" / "alerts.json", ROOT / "docs" / "alerts.md"
FACTOR = 1 / 60
QUEUE_BYTES, MEMORY_BYTES = queue_volume(13 * 2**20), 64 * 2**20
HEALTHY_SECONDS = 60
WARM_SECONDS = 20
LONGEST_SECONDS, QUIET_SECONDS = 240, 120


@dataclass(frozen=True, slots=True)
class Fired:
    """The seconds after which an alert fired, by which fault, and what fired beside it."""

    fault: str
    title: str
    seconds: float


def environments() -> dict[str, Named]:
    """The environment that is broken, and one with low limits."""
    usual = named(
        "prod",
        sampling={"tail": {"wait": "2s", "slow": "1s", "baseline": "100 %", "baseline_limit": None}},
        aggregation={"flush_interval": "2s"},
        collectors={"gateway": {"replicas": 1, "queue": {"size": "64Mi"}}},
        backend={"volume": {"size": "4Gi"}, "sync_writes": False},
        ingest={"certificate": {"name": "company"}},
        load={"spans_per_second": 10, "nodes": 2},
        retention={"traces": "1d"},
    )
    least = {"resources": {"memory": "192Mi"}}
    tight = named(
        "prod",
        sampling={"tail": {"wait": "2s", "slow": "1s", "baseline": "100 %", "baseline_limit": None}},
        aggregation={"flush_interval": "2s", "span_metrics": {"cardinality_limit": 10}, "service_graph": {"max_edges": 100}},
        collectors={"agent": least, "gateway": {**least, "replicas": 1}},
        backend={"volume": {"size": "4Gi"}, "sync_writes": False},
        load={"spans_per_second": 1, "bytes_per_span": 16_384, "nodes": 1},
        retention={"traces": "1d"},
    )
    return {
        "usual": replace(usual, environment=_small_queues(usual.environment)),
        "disks": usual,
        "tight": tight,
        "small": replace(tight, environment=_little_memory(tight.environment, "agent")),
        "crowded": replace(tight, environment=_little_memory(tight.environment, "gateway")),
    }


def _little_memory(environment: Environment, name: Literal["agent", "gateway"]) -> Environment:
    """The environment with less memory than an environment may give a collector, so that a load of this machine uses it up."""
    section = environment.collectors.agent if name == "agent" else environment.collectors.gateway
    changed = section.model_copy(update={"resources": section.resources.model_copy(update={"memory": MEMORY_BYTES})})
    return environment.model_copy(update={"collectors": environment.collectors.model_copy(update={name: changed})})


def _small_queues(environment: Environment) -> Environment:
    """The environment with queues smaller than an environment may have, so that they are full after minutes."""
    both = environment.collectors
    agent = both.agent.model_copy(update={"queue": both.agent.queue and both.agent.queue.model_copy(update={"size": QUEUE_BYTES})})
    gateway = both.gateway.model_copy(update={"queue": both.gateway.queue.model_copy(update={"size": QUEUE_BYTES})})
    return environment.model_copy(update={"collectors": both.model_copy(update={"agent": agent, "gateway": gateway})})


def main() -> int:
    """Run the scenarios, or those that are named; 1 when an alert did not fire, or one fired while all was well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), metavar="NAME", help=f"of {', '.join(SCENARIOS)}")
    given = parser.parse_args()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"healthy": {}, "fired": {}}
    problems: list[str] = []
    for environment, one in environments().items():
        wanted = {name: SCENARIOS[name] for name in given.only if SCENARIOS[name].environment == environment}
        if wanted:
            problems += _run(one, environment, wanted, kept)
    PAGE.write_text(page(kept))
    for problem in problems:
        sys.stderr.write(f"NOT AS IT SHOULD BE: {problem}\n")
    return int(bool(problems))


def _run(one: Named, environment: str, wanted: dict[str, Scenario], kept: dict[str, dict[str, object]]) -> list[str]:
    problems = []
    with tempfile.TemporaryDirectory(prefix="alerts-") as folder:
        state = Path(folder)
        times = Times(FACTOR, least_seconds=20)
        with deploy(one, nodes=2, say=_tell, state=state, disks=environment == "disks", times=times) as running:
            stage = Stage(running, state / one.name)
            if environment == "usual":
                with stage.load(USUAL):
                    # Until every server was scraped a few times.
                    time.sleep(WARM_SECONDS)
                    stage.quiet(LONGEST_SECONDS, but=set())
                    begun = time.monotonic()
                    seen: set[str] = set()
                    while time.monotonic() - begun < HEALTHY_SECONDS:
                        seen |= set(stage.firing())
                        time.sleep(1)
                kept["healthy"] = {"seconds": HEALTHY_SECONDS, "fired": sorted(seen)}
                problems += [f"{alert} fired while all was well" for alert in sorted(seen)]
            lasting: set[str] = set()
            for name, scenario in wanted.items():
                problems += _fire(stage, name, scenario, lasting, kept)
    return problems


def _fire(stage: Stage, name: str, scenario: Scenario, lasting: set[str], kept: dict[str, dict[str, object]]) -> list[str]:
    _tell(scenario.title)
    seen: set[str] = set()

    def fired(alerts: tuple[str, ...]) -> None:
        seconds, found = stage.wait(set(alerts), LONGEST_SECONDS)
        seen.update(found)
        for alert in found & set(alerts):
            kept["fired"][alert] = {"fault": name, "title": scenario.title, "seconds": round(seconds)}
            _tell(f"    {alert}")
        RESULTS.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")

    with stage.load(scenario.load) if scenario.load else nullcontext():
        with scenario.make(stage):
            fired(scenario.alerts)
        if scenario.after:
            fired(scenario.after)
    lasting |= set(scenario.alerts) if scenario.stays else set()
    with stage.load(replace(USUAL, seconds=QUIET_SECONDS)) if scenario.load is None else nullcontext():
        left = stage.quiet(QUIET_SECONDS, but=lasting | {"TracingNoSpans"})
    told = [f"{alert} did not fire: {scenario.title}" for alert in sorted({*scenario.alerts, *scenario.after} - seen)]
    return told + [f"{alert} does not end after: {scenario.title}" for alert in sorted(left)]


def page(kept: dict[str, dict[str, object]]) -> str:
    """The page of the alerts that were fired."""
    environment = environments()["usual"].environment
    found = rules(plan(environment, OnKubernetes(environment.namespace), name="prod"))
    lines = []
    for rule in found:
        one = kept["fired"].get(rule.name)
        fault = one["title"] if isinstance(one, dict) else "was not fired yet"
        lines.append(f"| [{rule.name}](operating.md#{rule.name.lower()}) | {rule.severity} | {fault} | {rule.description} |")
    healthy = kept["healthy"]
    quiet = f"In {healthy.get('seconds')} s without a fault, which is an hour there, fired: {healthy.get('fired') or 'none'}."
    head = (
        "# Alerts, fired\n\n"
        "Each alert of production was fired once on the [shape in small](in-small.md), by the real Prometheus with the rules that a\n"
        "cluster has, a minute in a second. `make alerts` does it anew, as root, because a disk is filled too. What to do:\n"
        "[operating.md](operating.md#alerts).\n\n"
        f"{quiet}\n\n"
        "| Alert | Severity | Fault that fired it | What is lost |\n|---|---|---|---|\n"
    )
    return head + "\n".join(lines) + "\n"


def _tell(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


if __name__ == "__main__":
    sys.exit(main())
