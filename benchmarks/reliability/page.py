"""The page of what fails, made from the results that are kept."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from benchmarks.reliability.results import START_SECONDS, Computed, broken, late_elsewhere, most_taken
from benchmarks.reliability.run import MARGIN_SECONDS, NODES
from benchmarks.reliability.scenarios import SCENARIOS, TRACES_PER_SECOND
from stacks.environment.source import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from benchmarks.reliability.results import Result
    from benchmarks.reliability.scenarios import Scenario

HEAD = """# What fails, what is lost, how long it takes

`make reliability` writes this page from runs of `prod` [in the shape of a cluster on one machine](in-small.md): {nodes} agents, {gateways}
gateways, TLS and token on the intake. Each row is a fresh start and a load of {rate:g} traces/s of 10 spans, half of them from each of two
nodes. All traces are kept, because each has a failed span. The fault is made while the load goes on. The machine had {processors}
processors, for the load and the readers of the traces as well, and load averages of {quietest:.0f} to {busiest:.0f}.

"""

COLUMNS = (
    "What fails",
    "Traces sent",
    "Lost",
    "Refused",
    "Late, of living gateways",
    "Late, of the one that failed",
    "Counted",
    "Most taken by a living gateway",
    "In pieces",
    "Healthy again after",
    "Slowest trace",
    "All readable again after",
)

FOOT = """
- **Lost**: traces that senders were told are taken and that cannot be read in the end.
- **Refused**: traces that senders were not told are taken, so that they know.
- **Late**: traces that could be read later than {late:g} s after their start, which is the tail-sampling wait and {margin:g} s. Where all
  gateways, agents or the backend are hit, all are counted as living.
- **Counted**: spans in the span metrics, as a share of those sent.
- **Most taken**: the spans that a gateway which did not fail took, as a share of those that are its own. More than 1 is repetition.
- **In pieces**: traces that were decided in two pieces, as a share of those sent.
- **Healthy again**: seconds until an instance that was down is healthy, from its start; for a restart from SIGTERM, which includes what it
  finishes first.
- **All readable again**: seconds from the fault until the last late trace could be read.
"""


HEAVY_HEADING, ALLOWED_HEADING, BROKEN_HEADING = "## Heavy loads", "## What is lost, and why", "## Not as it should be"

NOTHING_BROKEN = f"""
Nothing else that was acknowledged was lost, no living gateway was held up or repeated to, and what was down was healthy
within {START_SECONDS:g} s.
"""

HEAVY = f"""
{HEAVY_HEADING}

Five times the load that `prod` expects needs more processors than this machine has. So the shape of `prod` gets the load that `prod`
expects, and the overload goes to one gateway with the memory that `prod` gives it. Its tail sampler waits for 60 s, because that memory
then holds no more than this machine can send. The arithmetic is the same.

"""

HEAVY_COLUMNS = (
    "Load",
    "Traces/s",
    "Traces sent",
    "Lost",
    "Refused",
    "Counted",
    "In pieces",
    "Slowest trace",
    "Most memory of a gateway",
    "By the arithmetic of `check`",
    "Spans/s that passed",
    "That the memory holds",
)


def page(results: Mapping[str, Result], *, gateways: int, before: str = "") -> str:
    """The page of these results, by the names of their scenarios, in the order of the scenarios.

    A scenario without a result keeps the lines that it has on the page ``before``.
    """
    known = [results[name] for name in SCENARIOS if name in results]
    earlier = Earlier(before, [scenario for name, scenario in SCENARIOS.items() if name not in results])
    averages = [*(result.load_average for result in known), *earlier.averages] or [0.0]
    head = HEAD.format(
        nodes=NODES,
        gateways=gateways,
        rate=TRACES_PER_SECOND,
        processors=os.cpu_count(),
        quietest=min(averages),
        busiest=max(averages),
    )

    def lines(made: Callable[[Result], Iterable[str]], section: str = "") -> list[str]:
        """The lines of each scenario in a section, in their order."""
        return [
            line
            for name, scenario in SCENARIOS.items()
            for line in (made(results[name]) if name in results else earlier.lines(scenario, section))
        ]

    rows = _table(COLUMNS, lines(lambda result: [] if result.computed else [_line(result)]))
    heavy = lines(lambda result: [_heavy_line(result)] if result.computed else [], HEAVY_HEADING)
    allowed, broken_ = lines(_allowed, ALLOWED_HEADING), lines(_not_kept, BROKEN_HEADING)
    late = read("prod").environment.sampling.tail.wait.total_seconds() + MARGIN_SECONDS
    return (
        head
        + rows
        + FOOT.format(late=late, margin=MARGIN_SECONDS)
        + (HEAVY + _table(HEAVY_COLUMNS, heavy) if heavy else "")
        + (f"\n{ALLOWED_HEADING}\n\n{''.join(allowed)}" if allowed else "")
        + (f"\n{BROKEN_HEADING}\n\n{''.join(broken_)}" if broken_ else NOTHING_BROKEN)
    )


class Earlier:
    """The lines of a page that is there, for scenarios that were not run."""

    def __init__(self, text: str, scenarios: Sequence[Scenario]) -> None:
        self._sections = {section.partition("\n")[0]: section.splitlines(keepends=True) for section in re.split(r"\n(?=## )", text)}
        head = next(iter(self._sections.values()))
        found = re.search(r"load averages of (\d+) to (\d+)", "".join(head).replace("\n", " "))
        kept = any(self.lines(scenario, "") for scenario in scenarios)
        self.averages = [float(number) for number in found.groups()] if found and kept else []

    def lines(self, scenario: Scenario, section: str) -> list[str]:
        """The lines of a scenario below a heading, or before the first one."""
        title = re.escape(scenario.title.format(last=scenario.times.last))
        begins = re.compile(rf"(\| {title}(, at [\d.]+ traces/s)? \||- {title}: )")
        lines = self._sections.get(section) if section else next(iter(self._sections.values()))
        return [line for line in lines or () if begins.match(line)]


def _table(columns: Sequence[str], rows: Iterable[str]) -> str:
    return f"| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}\n{''.join(rows)}"


def _heavy_line(result: Result) -> str:
    account, computed = result.account, result.computed or Computed(0.0, 0.0)
    cells = [
        result.title,
        f"{result.traces_per_second:,.0f}",
        f"{account.sent:,}",
        f"{account.lost:,}",
        f"{account.sent - account.acknowledged:,}",
        f"{account.counted / account.spans:.1%}",
        f"{account.in_pieces / account.sent:.1%}",
        f"{account.slowest:.0f} s",
        f"{max(account.resident.values()) / 2**20:,.0f} MiB",
        f"{computed.resident / 2**20:,.0f} MiB",
        f"{account.passed_per_second:,.0f}",
        f"{computed.spans_per_second:,.0f}",
    ]
    return f"| {' | '.join(cells)} |\n"


def _line(result: Result) -> str:
    account, scenario = result.account, SCENARIOS[result.scenario]
    living = late_elsewhere(result, scenario)
    slower = "" if result.traces_per_second == TRACES_PER_SECOND else f", at {result.traces_per_second:g} traces/s"
    whole = "the lost never" if account.whole_after is None else f"{account.whole_after:.0f} s" if account.late else "at once"
    cells = [
        result.title + slower,
        f"{account.sent:,}",
        f"{account.lost:,}",
        f"{account.sent - account.acknowledged:,}",
        f"{living:,}",
        f"{account.late - living:,}" if scenario.hit else "",
        f"{account.counted / account.spans:.1%}",
        f"{most_taken(result, scenario):.2f}",
        f"{account.in_pieces / account.sent:.1%}",
        f"{result.healthy_after:.1f} s" if result.healthy_after is not None else "",
        f"{account.slowest:.0f} s",
        whole,
    ]
    return f"| {' | '.join(cells)} |\n"


def _allowed(result: Result) -> Iterator[str]:
    """The losses that are not hidden: what was lost, and what that is."""
    scenario = SCENARIOS[result.scenario]
    if scenario.loses:
        yield f"- {result.title}: {scenario.loses} is lost, here {result.account.lost:,} traces.\n"
    if scenario.miscounts:
        yield f"- {result.title}: {scenario.miscounts} are not seen by a scrape.\n"


def _not_kept(result: Result) -> Iterator[str]:
    """The promises that a run broke."""
    scenario = SCENARIOS[result.scenario]
    if problems := broken(result, scenario):
        yield f"- {result.title}: {'; '.join(problems)}.{' ' if scenario.cause else ''}{scenario.cause}\n"
