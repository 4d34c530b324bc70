"""The verbs of ``python -m stacks`` that try an environment which runs on this machine: its processes, faults of them, and a load."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.cli import values

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from components.local.faults import Faults

OK, FAILED, INTERRUPTED = 0, 2, 130
"""Exit statuses; the last is what a shell reports of a program that Ctrl-C ended."""

STATE = "folder that the environment runs in, as given to `run` (default: .state/local)"
ANY_ENVIRONMENT = "name of an environment (dev), path of a stack file, or dev@REVISION as git has it"
ENVIRONMENT = "name of the running environment, or path of its stack file"
FAULTS = ("kill", "refuse", "hang", "slow", "full-disk", "damage", "restart", "release")
DAMAGES = ("header", "pages", "cut", "garbage", "empty")


def add_trying(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs to a parser."""
    listing = verbs.add_parser("ps", help="list the processes of an environment that runs on this machine")
    listing.add_argument("environment", nargs="?", default="dev", help=f"{ENVIRONMENT} (default: dev)")
    listing.add_argument("--json", action="store_true", help="print them for programs")
    _finish(listing, _ps)

    fault = verbs.add_parser("fault", help="make a fault in an environment that runs on this machine")
    fault.add_argument("environment", help=ENVIRONMENT)
    fault.add_argument("fault", choices=FAULTS, help="kill: SIGKILL; refuse: kill and keep down; hang: SIGSTOP; release: undo both")
    fault.add_argument("instance", help="instance as `ps` lists it, such as gateway-1; for restart also a workload, one after the other")
    fault.add_argument("--seconds", type=values.seconds, help="undo it after so many seconds (default: with `release`, or Ctrl-C)")
    fault.add_argument("--share", type=values.share, default=0.1, help="slow: share of the time in which the instance runs (default: 0.1)")
    fault.add_argument("--volume", default="queue", help="full-disk, damage: name of the volume (default: queue)")
    fault.add_argument("--how", choices=DAMAGES, default="header", help="damage: kind of damage to the largest file (default: header)")
    _finish(fault, _fault)

    load = verbs.add_parser("load", help="send traces to an environment on this machine, and say what became of them")
    load.add_argument("environment", help=ENVIRONMENT)
    load.add_argument("--traces-per-second", type=values.traces_per_second, default=100, metavar="RATE", help="default: 100")
    load.add_argument("--seconds", type=values.seconds, default=60, help="how long to send (default: 60)")
    load.add_argument("--spans", type=values.spans, default=10, help="spans of a trace (default: 10)")
    load.add_argument("--late-after", type=values.seconds, default=25, metavar="SECONDS", help="when a trace is late (default: 25)")
    load.add_argument("--json", action="store_true", help="print the account for programs")
    _finish(load, _load)


def _finish(parser: argparse.ArgumentParser, verb: Callable[[argparse.Namespace], int]) -> None:
    parser.add_argument("--state", type=Path, metavar="DIR", help=STATE)
    parser.set_defaults(verb=_explained(verb))


def _explained(verb: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A verb whose expected failures are told in their own words."""

    def run(arguments: argparse.Namespace) -> int:
        from components.local.errors import LocalError

        try:
            return verb(arguments)
        except LocalError as error:
            sys.stderr.write(f"{error}\n")
            return FAILED
        except KeyboardInterrupt:
            sys.stderr.write("interrupted\n")
            return INTERRUPTED

    return run


def folder_of(arguments: argparse.Namespace) -> Path:
    """The folder of an environment that runs on this machine, as the command line names it."""
    from stacks.environment.source import name_of
    from stacks.placement.local import STATE as DEFAULT

    state: Path = arguments.state or DEFAULT
    return state / name_of(arguments.environment)


def _ps(arguments: argparse.Namespace) -> int:
    from components.local.instances import read_listing

    listed = read_listing(folder_of(arguments))
    if arguments.json:
        sys.stdout.write(json.dumps([asdict(instance) for instance in listed], indent=2) + "\n")
    else:
        from stacks.show.tables import print_instances

        print_instances(listed)
    return OK


def _fault(arguments: argparse.Namespace) -> int:
    from components.local.faults import Faults
    from components.local.instances import command_for

    faults, name, since = Faults(folder_of(arguments)), arguments.instance, time.monotonic()
    match arguments.fault:
        case "kill":
            faults.kill(name)
        case "release":
            faults.release(name)
            faults.wait_healthy(name)
        case "restart" if faults.instances(name):
            faults.restart_each(name)
        case "restart":
            faults.restart(name)
        case "damage":
            sys.stdout.write(f"{faults.damage(name, arguments.volume, arguments.how)} is damaged: {arguments.how}\n")
            faults.wait_healthy(name)
        case "refuse" | "hang" as kind:
            getattr(faults, kind)(name)
            if arguments.seconds is not None:
                try:
                    time.sleep(arguments.seconds)
                finally:
                    faults.release(name)
        case "slow" | "full-disk" as kind:
            _during(_lasting(faults, kind, arguments), arguments.seconds)
    see = command_for("ps", folder_of(arguments), arguments.environment)
    sys.stdout.write(f"{arguments.fault} {name}: done after {time.monotonic() - since:.1f} s; see: {see}\n")
    return OK


def _lasting(faults: Faults, kind: str, arguments: argparse.Namespace) -> AbstractContextManager[None]:
    if kind == "slow":
        return faults.slowed(arguments.instance, arguments.share)
    return faults.full_disk(arguments.instance, arguments.volume)


def _during(fault: AbstractContextManager[None], seconds: float | None) -> None:
    """Keep a fault up for so many seconds, or until Ctrl-C."""
    with fault:
        sys.stdout.write("until Ctrl-C\n" if seconds is None else "")
        sys.stdout.flush()
        try:
            time.sleep(seconds if seconds is not None else 1e9)
        except KeyboardInterrupt:
            return


def _load(arguments: argparse.Namespace) -> int:
    from stacks.trial.account import trial
    from stacks.trial.load import Pace

    pace = Pace(arguments.traces_per_second, arguments.seconds, spans=arguments.spans)
    with trial(folder_of(arguments), pace, late_after=arguments.late_after) as running:
        account = running.settle()
    if arguments.json:
        sys.stdout.write(json.dumps(asdict(account) | {"lost": account.lost}, indent=2) + "\n")
    else:
        from stacks.show.tables import print_pairs

        print_pairs("of a load", account.rows())
    return OK
