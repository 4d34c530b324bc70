"""The volume of the traces: how full it is, and whether it will hold a retention of what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.environment.sizing import FREE_SHARE, stored_span_bytes
from stacks.environment.units import approximate_bytes, format_percent
from stacks.verify.counters import metrics
from stacks.verify.findings import CannotTellError

if TYPE_CHECKING:
    from stacks.environment.model import Environment
    from stacks.verify.findings import Account
    from stacks.verify.look import Look

_SENT, _UPTIME = "otelcol_exporter_sent_spans_total", "otelcol_process_uptime_seconds_total"
_LONG_SECONDS = 3600.0
"""Time since the start of the gateways below which their rate says little of the days to come."""


def disk(look: Look, account: Account) -> None:
    """Tell the use of the volume, and forecast it from the rate at which gateways have stored spans."""
    site = look.site
    if all(store.workload is None for store in site.plan.stores):
        account.absent = "the store was there before and has its own disk"
        return
    account.then = f"grow the volume or lower the load's share: python -m stacks check {site.plan.environment}"
    volumes = [
        (environment, store, instance, volume)
        for environment, store in zip(site.environment.stores, site.plan.stores, strict=True)
        if store.workload is not None
        for instance in look.running(store.workload)
        for volume in instance.workload.volumes
        if volume.holds == "traces"
    ]
    if not any(volume.holds == "traces" for workload in site.plan.workloads for volume in workload.volumes):
        raise CannotTellError("the traces are in a store that is not of this plan; its own monitoring tells of its room")
    for environment, store, instance, volume in volumes:
        use = site.use(instance, volume.name)
        share = use.used / use.size
        told = f"{instance.name}: {approximate_bytes(use.used)} of {approximate_bytes(use.size)} ({format_percent(round(share, 3))})"
        (account.faults if share > 1 - FREE_SHARE else account.facts).append(told)
        _forecast(look, account, environment, store.exporter, use.size)


def _forecast(look: Look, account: Account, environment: Environment, exporter: str, size: int) -> None:
    """Bytes at the end of the first whole retention, if spans come on as they have."""
    rate, shortest = 0.0, float("inf")
    for instance in look.running("gateway"):
        found = metrics(look, instance)
        uptime = sum(sample.value for sample in found if sample.name == _UPTIME)
        sent = sum(sample.value for sample in found if sample.name == _SENT and sample.labels.get("exporter") == exporter)
        shortest = min(shortest, uptime)
        rate += sent / uptime if uptime else 0.0
    if shortest < _LONG_SECONDS:
        account.facts.append(f"no forecast: a gateway was started {shortest / 60:.0f} min ago")
        return
    if shortest == float("inf"):
        raise CannotTellError("no gateway tells its rate")
    per_span = stored_span_bytes(environment)
    full = rate * per_span * environment.retention.traces.total_seconds()
    told = f"{rate:,.1f} stored spans/s come to {approximate_bytes(full)} in a retention"
    (account.faults if full > size * (1 - FREE_SHARE) else account.facts).append(told)
