"""The servers' own counters: the share that is kept, and the fill of the queues."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from components.documents import ports
from stacks.environment.units import approximate_bytes, format_percent
from stacks.trial.counters import samples
from stacks.verify.findings import CannotTellError
from stacks.verify.requests import FAILURES, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.trial.counters import Sample
    from stacks.verify.findings import Account
    from stacks.verify.look import Look
    from stacks.verify.site import Instance

DECIDED = "otelcol_processor_tail_sampling_count_traces_sampled_total"
"""Counter of a gateway: decisions on traces, by policy and decision."""
KEPT = "otelcol_processor_tail_sampling_global_count_traces_sampled_total"

_FEWEST = 200
"""Decisions below which a share says little."""
_SURE = 5.0
"""Standard deviations by which a counted share may differ from the planned one: chance does so once in two million looks."""
FULL, SOON = 0.8, 0.5
"""Share of a queue from which it is nearly full, and from which it is told."""


def metrics(look: Look, instance: Instance) -> list[Sample]:
    """Samples of a server's own metrics. Raises ``CannotTellError``."""
    try:
        with look.site.reach(instance, ports.TELEMETRY) as way:
            answer = ask(way, "/metrics", trust=None)
    except FAILURES as error:
        raise CannotTellError(f"{instance.name} cannot be asked for its counters: {error}") from None
    return list(samples(answer.text))


def share(look: Look, account: Account) -> None:
    """Hold the baseline's share, as the gateways have counted it, against the environment's."""
    tail, kept, decided = look.site.environment.sampling.tail, 0.0, defaultdict[str, float](float)
    account.then = f"{look.site.logs('gateway')}; compare: python -m stacks check {look.site.plan.environment}"
    for instance in look.running("gateway"):
        for sample in metrics(look, instance):
            if sample.name == DECIDED and sample.labels.get("policy") == "baseline":
                decided[sample.labels["decision"]] += sample.value
            elif sample.name == KEPT and sample.labels.get("decision") == "sampled":
                kept += sample.value
    count, taken = sum(decided.values()), decided["sampled"]
    if not tail.baseline:
        account.absent = "no share of ordinary traces is to be kept (sampling.tail.baseline)"
    elif count < _FEWEST:
        account.unseen.append(f"{count:,.0f} traces were decided on since the gateways started, too few to tell a share")
    else:
        _held_against(account, tail.baseline, taken / count, count, limited=tail.baseline_limit is not None)
        account.facts.append(f"{kept:,.0f} of {count:,.0f} traces kept by all policies")


def _held_against(account: Account, planned: float, counted: float, count: float, *, limited: bool) -> None:
    deviation = _SURE * math.sqrt(planned * (1 - planned) / count) + 1 / count
    told = f"the baseline keeps {format_percent(round(counted, 4))} of {count:,.0f} traces, planned {format_percent(planned)}"
    below_is_right = limited and counted < planned
    if abs(counted - planned) > deviation and not below_is_right:
        account.faults.append(told)
    else:
        account.facts.append(told + (", its limit included" if limited else ""))


def queues(look: Look, account: Account) -> None:
    """Tell how full the queues of collectors are, and the volumes that hold them."""
    account.then = f"{look.site.logs('gateway')}; is the next server away? python -m stacks ps {look.site.plan.environment}"
    fullest = 0.0
    for workload in look.site.plan.workloads:
        if not any(volume.holds == "queue" for volume in workload.volumes):
            continue
        if not (running := look.running(workload.name)):
            account.unseen.append(f"no {workload.name} runs")
        for instance in running:
            fills: list[tuple[float, str]] = []
            # What holds a queue may be out of sight where its counters are not.
            for part in (_fills, _volumes):
                try:
                    fills += part(look, instance)
                except CannotTellError as error:
                    account.unseen.append(str(error))
            account.faults += [told for fill, told in fills if fill >= FULL]
            account.facts += [told for fill, told in fills if SOON <= fill < FULL]
            fullest = max([fullest, *(fill for fill, _ in fills)])
    account.facts.append(f"the fullest is at {format_percent(round(fullest, 3))}")


def _fills(look: Look, instance: Instance) -> Iterator[tuple[float, str]]:
    """Each queue's fill, from 0 to 1, and in words; and what a full one did not take."""
    found = metrics(look, instance)
    sizes = {sample.labels.get("exporter", ""): sample.value for sample in found if sample.name == "otelcol_exporter_queue_size"}
    rooms = {sample.labels.get("exporter", ""): sample.value for sample in found if sample.name == "otelcol_exporter_queue_capacity"}
    for exporter in filter(rooms.get, sizes):
        if _delivers(exporter):
            fill = sizes[exporter] / rooms[exporter]
            told = f"{approximate_bytes(sizes[exporter])} of {approximate_bytes(rooms[exporter])}"
            yield fill, f"{instance.name}: its queue {exporter} holds {told} ({format_percent(round(fill, 3))})"
    failed = [sample for sample in found if sample.name == "otelcol_exporter_enqueue_failed_spans_total"]
    outside = sum(sample.value for sample in failed if _delivers(sample.labels.get("exporter", "")))
    if outside:
        # It tells of the past: nothing but a restart sets the counter back.
        yield SOON, f"{instance.name}: {outside:,.0f} spans found a full queue since it started, and were lost or refused"


def _delivers(exporter: str) -> bool:
    """Whether an exporter delivers spans.

    Those by which a gateway waits for its decisions hold copies, and fail when an agent goes. What it has taken from a topic waits there.
    """
    kind, _, name = exporter.partition("/")
    return kind in {"otlp_grpc", "otlp_http", "kafka"} and name not in {"copy", "flush", "taken"}


def _volumes(look: Look, instance: Instance) -> Iterator[tuple[float, str]]:
    for volume in instance.workload.volumes:
        if volume.holds == "queue":
            use = look.site.use(instance, volume.name)
            told = f"{approximate_bytes(use.used)} of {approximate_bytes(use.size)}"
            yield use.used / use.size, f"{instance.name}: {told} of its volume {volume.name} are used"
