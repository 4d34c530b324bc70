"""The page of what fails, made from the results that are kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.reliability.results import START_SECONDS, Computed, broken, late_elsewhere, most_taken
from benchmarks.reliability.run import MARGIN_SECONDS, NODES
from benchmarks.reliability.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.reliability.results import Result

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


HEAVY = """
## Heavy loads

Five times the load that `prod` expects needs more processors than this machine has. So `prod`'s memory gets the load that `prod` expects,
and the overload goes to one gateway of 256Mi, with a load in proportion. The arithmetic is the same.

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


def page(results: Mapping[str, Result], *, gateways: int) -> str:
    """The page of these results, by the names of their scenarios, in the order of the scenarios."""
    known = [results[name] for name in SCENARIOS if name in results]
    faults, heavy = ([result for result in known if (result.computed is None) is usual] for usual in (True, False))
    rate = max((result.traces_per_second for result in faults), default=0.0)
    late = next((result.account.late_after for result in known), 0.0)
    averages = [result.load_average for result in known] or [0.0]
    head = HEAD.format(
        nodes=NODES,
        gateways=gateways,
        rate=rate,
        processors=os.cpu_count(),
        quietest=min(averages),
        busiest=max(averages),
    )
    rows = _table(COLUMNS, [_line(result, rate) for result in faults])
    heavy_rows = HEAVY + _table(HEAVY_COLUMNS, map(_heavy_line, heavy)) if heavy else ""
    return head + rows + FOOT.format(late=late, margin=MARGIN_SECONDS) + heavy_rows + _allowed(known) + _not_kept(known)


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


def _line(result: Result, usual_rate: float) -> str:
    account, scenario = result.account, SCENARIOS[result.scenario]
    living = late_elsewhere(result, scenario)
    slower = "" if result.traces_per_second == usual_rate else f", at {result.traces_per_second:g} traces/s"
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


def _allowed(results: Sequence[Result]) -> str:
    """The losses that are not hidden: what was lost, and what that is."""
    lines = [
        f"- {result.title}: {SCENARIOS[result.scenario].loses} is lost, here {result.account.lost:,} traces.\n"
        for result in results
        if SCENARIOS[result.scenario].loses
    ]
    lines += [
        f"- {result.title}: {SCENARIOS[result.scenario].miscounts} are not seen by a scrape.\n"
        for result in results
        if SCENARIOS[result.scenario].miscounts
    ]
    return "\n## What is lost, and why\n\n" + "".join(lines) if lines else ""


def _not_kept(results: Sequence[Result]) -> str:
    """The promises that a run broke."""
    lines = []
    for result in results:
        scenario = SCENARIOS[result.scenario]
        if problems := broken(result, scenario):
            lines.append(f"- {result.title}: {'; '.join(problems)}.{' ' if scenario.cause else ''}{scenario.cause}\n")
    if not lines:
        return (
            f"\nNothing else that was acknowledged was lost, no living gateway was held up or repeated to, and what was down was healthy\n"
            f"within {START_SECONDS:g} s.\n"
        )
    return "\n## Not as it should be\n\n" + "".join(lines)
