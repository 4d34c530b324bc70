"""What fails, what is lost and how long it takes: the shape of a cluster broken on purpose, and the table of it.

``python -m benchmarks.reliability`` (``make reliability``) writes ``docs/reliability.md``. As root it also fills a disk. ``--quick``
shortens every time; ``--only`` names faults.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from components.local.disks import can_mount
from components.local.errors import LocalError
from components.local.faults import DAMAGES, Damage, Faults
from stacks.environment.source import ROOT, read
from stacks.placement.small import deploy
from stacks.trial.account import Account, Trial, trial
from stacks.trial.load import Pace

PAGE = ROOT / "docs" / "reliability.md"
MARGIN_SECONDS = 15.0
"""A trace is late when it can be read later than the tail-sampling wait and this after its start."""
NODES = 2


@dataclass(frozen=True, slots=True)
class Times:
    """Traces per second, and in seconds: the length of the load, when the fault is made, and how long it lasts."""

    rate: float
    load: float
    begin: float
    last: float


FULL, QUICK = Times(100, 180, 30, 90), Times(50, 45, 10, 20)

Break = Callable[[Faults, Times], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in the words of operators, and the calls that make it; ``disks`` where volumes must have their size."""

    title: str
    make: Break
    disks: bool = False


def _none(_faults: Faults, _times: Times) -> None:
    return


def _killed(name: str) -> Break:
    return lambda faults, _times: faults.kill(name)


def _away(name: str) -> Break:
    def make(faults: Faults, times: Times) -> None:
        faults.refuse(name)
        time.sleep(times.last)
        faults.release(name)

    return make


def _hanging(name: str) -> Break:
    def make(faults: Faults, times: Times) -> None:
        faults.hang(name)
        time.sleep(times.last)
        faults.release(name)

    return make


def _slow(name: str, share: float) -> Break:
    def make(faults: Faults, times: Times) -> None:
        with faults.slowed(name, share):
            time.sleep(times.last)

    return make


def _restarted(workload: str) -> Break:
    return lambda faults, _times: faults.restart_each(workload)


def _full(name: str, volume: str) -> Break:
    def make(faults: Faults, times: Times) -> None:
        faults.refuse("jaeger-0")
        with faults.full_disk(name, volume, left=2**16):
            time.sleep(times.last)
        faults.release("jaeger-0")

    return make


def _damaged(how: Damage) -> Break:
    def make(faults: Faults, times: Times) -> None:
        faults.refuse("jaeger-0")
        time.sleep(times.last / 2)
        faults.damage("gateway-1", "queue", how)
        faults.wait_healthy("gateway-1", seconds=times.last)
        faults.release("jaeger-0")

    return make


FAULTS = {
    "nothing": Fault("Nothing fails", _none),
    "gateway-killed": Fault("A gateway is killed and started again", _killed("gateway-1")),
    "gateway-away": Fault("A gateway is down", _away("gateway-1")),
    "gateway-hangs": Fault("A gateway hangs", _hanging("gateway-1")),
    "gateway-slow": Fault("A gateway has a tenth of its time", _slow("gateway-1", 0.1)),
    "gateways-restarted": Fault("All gateways are restarted, one after the other", _restarted("gateway")),
    "agent-killed": Fault("An agent is killed and started again", _killed("agent-1")),
    "agents-restarted": Fault("All agents are restarted, one after the other", _restarted("agent")),
    "backend-killed": Fault("The backend is killed and started again", _killed("jaeger-0")),
    "backend-away": Fault("The backend is away", _away("jaeger-0")),
    "disk-full": Fault("The backend is away and the disk of a gateway's queue is full", _full("gateway-1", "queue"), disks=True),
    **{f"queue-{how}": Fault(f"The backend is away and a gateway's queue file is damaged ({how})", _damaged(how)) for how in DAMAGES},
}


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, its account, and what kept it from being made, if anything did."""

    fault: Fault
    account: Account | None
    problem: str = ""


def run(fault: Fault, times: Times) -> Row:
    """Break a fresh shape in one way, under load, and give the account."""
    # In memory where that can be: else it is the speed of this machine's disk that is measured, which the backend waits for at each span.
    environment = read("prod")
    late_after = environment.environment.sampling.tail.wait.total_seconds() + MARGIN_SECONDS
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        state = Path(folder)
        pace = Pace(times.rate, times.load)
        with (
            deploy(environment, nodes=NODES, say=_tell, state=state, disks=can_mount() is None),
            trial(state / environment.name, pace, late_after=late_after) as load,
        ):
            problem = _break(load, fault, Faults(state / environment.name), times)
            return Row(fault, load.settle(), problem)


def _break(load: Trial, fault: Fault, faults: Faults, times: Times) -> str:
    time.sleep(times.begin)
    load.fault()
    try:
        fault.make(faults, times)
    except LocalError as error:
        for name in ("gateway-1", "jaeger-0"):
            faults.release(name)
        return str(error).partition(";")[0]
    return ""


def _tell(line: str) -> None:
    sys.stderr.write(f"    {line}\n")


HEAD = """# What fails, what is lost, how long it takes

Written by `make reliability` from a run of `prod` in the shape of a cluster on one machine
(`python -m stacks run prod --shape cluster`): {nodes} agents, {gateways} gateways, TLS and token on the intake. The load is
{rate:g} traces/s of 10 spans for {load:g} s; all of them are kept. A fault is made {begin:g} s after the start and, where it lasts,
lasts {last:g} s.

- **Lost**: traces that senders were told are taken and that cannot be read in the end.
- **Refused**: traces that senders were not told are taken, so that they know.
- **Late**: traces that could be read later than {late:g} s after their start, which is the tail-sampling wait and {margin:g} s.
- **Counted**: spans in the span metrics, as a share of those sent.
- **Passed twice**: spans that gateways took beyond those sent, as a share of those sent.
- **Whole again**: seconds from the fault until the last late trace could be read.

| What fails | Traces sent | Lost | Refused | Late | Counted | Passed twice | Stored twice | Slowest trace | Whole again |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""


def page(rows: list[Row], times: Times, *, gateways: int) -> str:
    """The table as a page."""
    late = next((row.account.late_after for row in rows if row.account), 0.0)
    head = HEAD.format(
        nodes=NODES,
        gateways=gateways,
        rate=times.rate,
        load=times.load,
        begin=times.begin,
        last=times.last,
        late=late,
        margin=MARGIN_SECONDS,
    )
    notes = [f"- {row.fault.title}: {row.problem}" for row in rows if row.problem]
    told = "\n".join(["", "Not as expected:", "", *notes, ""]) if notes else ""
    return head + "".join(map(_line, rows)) + told


def _line(row: Row) -> str:
    account = row.account
    if account is None:
        return f"| {row.fault.title} | not run | | | | | | | | |\n"
    passed = max(0, sum(account.taken.values()) - account.spans)
    whole = "never" if account.whole_after is None else f"{account.whole_after:.0f} s" if account.late else "at once"
    cells = [
        row.fault.title,
        f"{account.sent:,}",
        f"{account.lost:,}",
        f"{account.sent - account.acknowledged:,}",
        f"{account.late:,}",
        f"{account.counted / account.spans:.1%}",
        f"{passed / account.spans:.1%}",
        f"{account.stored_twice:,}",
        f"{account.slowest:.0f} s",
        whole,
    ]
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Run every fault, or those that are named, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less load, for a shorter time")
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="FAULT", help=f"some of {', '.join(FAULTS)}")
    parser.add_argument("--output", type=Path, default=PAGE, help="page to write (default: docs/reliability.md)")
    given = parser.parse_args()
    times, rows = QUICK if given.quick else FULL, []
    for name in given.only:
        fault = FAULTS[name]
        print(f"{fault.title}")
        if fault.disks and (reason := can_mount()):
            rows.append(Row(fault, None, reason))
        else:
            rows.append(run(fault, times))
            print(rows[-1])
        given.output.write_text(page(rows, times, gateways=read("prod").environment.collectors.gateway.replicas))


if __name__ == "__main__":
    main()
