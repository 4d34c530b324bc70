"""Every promise of an environment, held against what runs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from stacks.verify import alerts, canary, certificates, counters, doors, retention, room, served
from stacks.verify.findings import NAMES, Account, CannotTellError, Name
from stacks.verify.look import look
from stacks.verify.requests import FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from stacks.verify.findings import Finding
    from stacks.verify.look import Look
    from stacks.verify.site import Site

MOST_SECONDS = 40.0
"""Time for all checks beside the tail-sampling wait; a server that hangs is not waited for longer."""


def verify(site: Site, promises: Collection[Name] = NAMES, *, seconds: float = MOST_SECONDS) -> tuple[Finding, ...]:
    """Look at a running backbone once, and give a finding for each of ``promises`` (default: all), in their order.

    All that is written is one canary trace. A check that fails for a reason of its own, or that has not ended ``seconds`` and the
    tail-sampling wait after the start, is a promise that cannot be told.
    """
    deadline = time.monotonic() + seconds + site.environment.sampling.tail.wait.total_seconds()
    seen = look(site)
    accounts = {name: Account(name, faults=list(seen.differing[name]), then=site.again) for name in NAMES}
    # Daemons, because nothing ends a thread that waits for a server which hangs.
    running = {
        names: threading.Thread(target=_checked, args=(seen, accounts, names, check), name=f"verify {names[0]}", daemon=True)
        for names, check in CHECKS.items()
        if set(names) & set(promises)
    }
    for one in running.values():
        one.start()
    for names, one in running.items():
        one.join(max(0.0, deadline - time.monotonic()))
        if one.is_alive():
            for name in names:
                accounts[name].unseen.append(f"no answer within {seconds:g} s and the wait of tail sampling")
    return tuple(accounts[name].finding() for name in NAMES if name in promises)


def _checked(seen: Look, accounts: Mapping[Name, Account], names: tuple[Name, ...], check: Callable[..., None]) -> None:
    try:
        check(seen, *(accounts[name] for name in names))
    except (CannotTellError, *FAILURES) as error:
        for name in names:
            accounts[name].unseen.append(str(error) or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - whatever a server answers, the other lines are told
        for name in names:
            accounts[name].unseen.append(f"the check itself failed: {type(error).__name__}: {error}")


def _servers(seen: Look, account: Account) -> None:
    account.then = f"{seen.site.logs('')}; {seen.site.again}"
    account.faults += seen.site.troubles()
    account.facts.append(f"{len(seen.site.instances())} of {len(seen.site.instances())} answer")


def _versions(seen: Look, account: Account) -> None:
    told: dict[str, int] = {}
    for instance in seen.site.instances():
        version, program = seen.site.version(instance), instance.workload.server.program
        if version.running in version.right:
            planned = "" if version.running == version.right[0] else f" (this machine builds it; the plan has {version.right[0]})"
            told[f"{program} {version.running}{planned}"] = told.get(f"{program} {version.running}{planned}", 0) + 1
        else:
            account.faults.append(f"{instance.name} runs {program} {version.running}, planned {version.right[0]}")
    account.facts += [f"{count} × {what}" for what, count in told.items()]
    account.unseen += seen.absent()


def _documents(seen: Look, account: Account) -> None:
    account.faults += seen.site.deviations()
    account.unseen += [*sorted(set(seen.unread.values())), *seen.absent()]
    account.facts.append(f"{sum(seen.read.values())} documents are those of the plan")


def _ports(seen: Look, account: Account) -> None:
    told, fact = seen.site.openings()
    account.faults += told
    account.facts.append(fact)
    account.unseen += seen.absent()


def _sampling(seen: Look, account: Account) -> None:
    tail = seen.site.environment.sampling.tail
    there = {"errors": tail.errors, "slow": tail.slow is not None, "baseline": bool(tail.baseline)}
    policies = ", ".join(name for name, is_there in there.items() if is_there)
    seen.configured(account, "gateway", f"{len(seen.running('gateway'))} gateways have {policies}")


CHECKS: Mapping[tuple[Name, ...], Callable[..., None]] = {
    # The one that waits begins first.
    ("delivery", "privacy"): canary.canary,
    ("servers",): _servers,
    ("versions",): _versions,
    ("documents",): _documents,
    ("ports",): _ports,
    ("intake",): doors.intake,
    ("strategies-access",): doors.strategies_access,
    ("strategies",): served.strategies,
    ("login",): doors.login,
    ("sampling",): _sampling,
    ("share",): counters.share,
    ("retention",): retention.retention,
    ("queue",): counters.queues,
    ("disk",): room.disk,
    ("certificates",): certificates.certificates,
    ("alerts",): alerts.alerts,
}
"""The check of each promise; one that takes several has an account of each."""
