"""The oldest trace that can be read, against the retention."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from stacks.environment.units import format_duration
from stacks.show.errors import QueryError
from stacks.show.fetch import reached, stores
from stacks.show.search import some_trace

if TYPE_CHECKING:
    from stacks.placement.outputs import Outputs
    from stacks.verify.findings import Account
    from stacks.verify.look import Look

_MARGIN = 0.05
"""Part of the retention by which a trace may be older: stores expire whole files, and clocks differ."""
_LEAST_MARGIN_SECONDS = 3600.0
_STEPS = 7
_OLDER_WINDOWS = 4


def retention(look: Look, account: Account) -> None:
    """Hold the store's own setting, and what can still be read, against the environment."""
    site = look.site
    own = [(store, outputs) for store, outputs in zip(site.plan.stores, stores(site.outputs), strict=False) if store.workload is not None]
    if not own:
        account.absent = "the store was there before and keeps its own retention"
        return
    account.faults += site.idle_jobs()
    for store, outputs in own:
        workload, kept = str(store.workload), timedelta(seconds=store.retention_seconds)
        account.then = f"{site.logs(workload)}; place the plan anew: {site.again}"
        look.configured(account, workload, f"{workload} expires traces after {format_duration(kept)}")
        try:
            with site.way(store.query) as (host, port):
                _oldest(reached(outputs, host, port), kept.total_seconds(), account)
        except QueryError as error:
            account.unseen.append(f"{workload} cannot be asked: {error}")


def _oldest(outputs: Outputs, retention_seconds: float, account: Account) -> None:
    now, margin = time.time(), max(_LEAST_MARGIN_SECONDS, retention_seconds * _MARGIN)
    edge = now - retention_seconds - margin
    if (old := _older(outputs, edge, retention_seconds)) is not None:
        account.faults.append(f"trace {old} can be read, and began more than {_days(now - edge)} ago by the clock of its sender")
        return
    since, until = _window(outputs, edge, now)
    if until is None:
        account.facts.append("no trace is stored yet")
    else:
        account.facts.append(f"the oldest trace that can be read began {_days(now - until)} to {_days(now - since)} ago")


def _older(outputs: Outputs, edge: float, retention_seconds: float) -> str | None:
    """The id of a trace that began in the two retentions before ``edge``, where a store that deletes nothing has some.

    It is asked for in windows of half a retention, because a store with an index for each day refuses a search that names too many.
    """
    width = retention_seconds / 2
    windows = ((max(1.0, edge - (number + 1) * width), edge - number * width) for number in range(_OLDER_WINDOWS))
    found = (some_trace(outputs, since=since, until=until) for since, until in windows if until > since)
    return next((trace for trace in found if trace is not None), None)


def _window(outputs: Outputs, edge: float, now: float) -> tuple[float, float | None]:
    """Times between which the oldest trace began, the later one None where there is no trace.

    The window grows from the edge, so that a full store is asked for a little of what it has, and is then narrowed.
    """
    width, since = (now - edge) / 2 ** (_STEPS - 1), edge
    for step in range(_STEPS):
        until = edge + width * 2**step
        if some_trace(outputs, since=since, until=until) is not None:
            break
        since = until
    else:
        return since, None
    while until - since > width:
        middle = (since + until) / 2
        if some_trace(outputs, since=since, until=middle) is not None:
            until = middle
        else:
            since = middle
    return since, until


def _days(seconds: float) -> str:
    if seconds < 2 * 3600:
        return f"{max(0, seconds) / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.1f} d"
