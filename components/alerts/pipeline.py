"""Alerts of the collectors: spans that are refused, wait, or are lost at a queue or an exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alerts.parts import collectors
from components.alerts.rule import PREFIX, Rule, Trial, grown, selected
from components.documents.collector import SET_ASIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.alerts.parts import Collector
    from components.alerts.rule import Times
    from components.workload import Plan

_MINUTES_5, _MINUTES_10, _MINUTES_15, _HOUR = 300, 600, 900, 3600
_DAY = 86_400

REFUSED = "otelcol_receiver_refused_spans_total"
ACCEPTED = "otelcol_receiver_accepted_spans_total"
OUT_OF_MEMORY = "otelcol_processor_memory_limiter_refused_spans_total"
WAITING = "otelcol_exporter_queue_size"
ROOM = "otelcol_exporter_queue_capacity"
LOST_AT_QUEUE = "otelcol_exporter_enqueue_failed_spans_total"
SENT = "otelcol_exporter_sent_spans_total"
GIVEN_UP = "otelcol_exporter_send_failed_spans_total"
TARGET = "target_info"

_RISING, _STILL = "0+60x150", "5x150"


def pipeline(plan: Plan, times: Times) -> Iterator[Rule]:
    """The alerts of each collector of a plan."""
    for found in collectors(plan):
        if found.is_entry:
            yield _nothing_comes(found, times)
            yield _refused(found, times)
        yield _memory(found, times)
        if found.queues:
            yield _filling(found)
            yield _full(found, times)
            yield _set_aside(found, times)
            yield _stalled(found, times)
        yield _given_up(found, times)


def _own(found: Collector, **labels: str) -> dict[str, str]:
    return {"namespace": found.plan.namespace, "job": found.name, **labels}


def _one(found: Collector, name: str, /, **labels: str) -> tuple[str, dict[str, str]]:
    """A series of the first instance, and the labels of the alert that it causes."""
    pod = f"{found.name}-0"
    return selected(name, **_own(found, pod=pod, **labels)), {"pod": pod, **labels}


def _name(found: Collector, what: str) -> str:
    return f"{PREFIX}{found.name.title()}{what}"


def _nothing_comes(found: Collector, times: Times) -> Rule:
    accepted = selected(ACCEPTED, **_own(found))
    series, _ = _one(found, ACCEPTED, receiver="otlp")
    return Rule(
        name=f"{PREFIX}NoSpans",
        workload=found.name,
        expression=f"sum(rate({accepted}[{times.range(_MINUTES_15)}])) == 0",
        pending=_HOUR,
        severity="warning",
        summary="No span has come for an hour",
        description="Either no service records any, or none reaches the intake. What services could not send is lost when their queues are "
        "full or they end.",
        firing=Trial({series: _STILL}, {}),
        quiet={series: _RISING},
    )


def _refused(found: Collector, times: Times) -> Rule:
    series, labels = _one(found, REFUSED)
    return Rule(
        name=f"{PREFIX}SpansRefused",
        workload=found.name,
        expression=grown(selected(REFUSED, **_own(found)), "pod", times.range(_MINUTES_5)),
        pending=_MINUTES_5,
        severity="warning",
        summary="{{ $labels.pod }} refuses spans of services",
        description="Nothing is lost while services repeat. Their own queues drop spans when they are full, and those that do not repeat "
        "lose them at once.",
        firing=Trial({series: _RISING}, labels),
        quiet={series: _STILL},
    )


def _memory(found: Collector, times: Times) -> Rule:
    series, labels = _one(found, OUT_OF_MEMORY)
    lost = "services repeat" if found.is_entry else "agents keep what is refused in their queues, and it comes late"
    return Rule(
        name=_name(found, "MemoryFull"),
        workload=found.name,
        expression=grown(selected(OUT_OF_MEMORY, **_own(found)), "pod", times.range(_MINUTES_5)),
        pending=_MINUTES_10,
        severity="warning",
        summary="{{ $labels.pod }} refuses spans because its memory is used up",
        description=f"Nothing is lost yet: {lost}. The load is above what its memory holds, so it goes on until one of them changes.",
        firing=Trial({series: _RISING}, labels),
        quiet={series: _STILL},
    )


def _filling(found: Collector) -> Rule:
    own = _own(found, exporter="|".join(found.queues))
    waiting, labels = _one(found, WAITING, exporter=found.queues[0])
    room, _ = _one(found, ROOM, exporter=found.queues[0])
    behind = "backend" if found.name == "gateway" else "topic" if found.writes_topic else "gateway"
    return Rule(
        name=_name(found, "QueueFilling"),
        workload=found.name,
        expression=f"max by (pod, exporter) ({selected(WAITING, **own)}) / max by (pod, exporter) ({selected(ROOM, **own)}) > 0.5",
        pending=_MINUTES_5,
        severity="warning",
        summary="The queue of {{ $labels.pod }} for {{ $labels.exporter }} is half full",
        description=f"Nothing is lost yet. The {behind} takes less than comes in; when the queue is full, what comes next is "
        + ("refused." if found.refuses else "lost."),
        firing=Trial({waiting: "6x150", room: "10x150"}, labels),
        quiet={waiting: "4x150", room: "10x150"},
    )


def _full(found: Collector, times: Times) -> Rule:
    own = _own(found, exporter="|".join(found.queues))
    series, labels = _one(found, LOST_AT_QUEUE, exporter=found.queues[0])
    if found.refuses:
        lost = "Services are refused, and repeat. Nothing is lost before their own queues are full."
    elif found.name == "agent":
        lost = "What comes for this gateway is lost now, until it takes spans again. The shares of the others go on."
    else:
        lost = "What is kept by tail sampling is lost now, until the backend takes spans again."
    return Rule(
        name=_name(found, "QueueFull"),
        workload=found.name,
        expression=grown(selected(LOST_AT_QUEUE, **own), "pod, exporter", times.range(_MINUTES_5)),
        pending=0,
        severity="critical",
        summary="The queue of {{ $labels.pod }} for {{ $labels.exporter }} takes no more spans",
        description=lost,
        firing=Trial({series: _RISING}, labels),
        quiet={series: _STILL},
    )


def _stalled(found: Collector, times: Times) -> Rule:
    own = _own(found, exporter="|".join(found.queues))
    waiting, labels = _one(found, WAITING, exporter=found.queues[0])
    sent, _ = _one(found, SENT, exporter=found.queues[0])
    moving = f"sum by (pod, exporter) (rate({selected(SENT, **own)}[{times.range(_MINUTES_5)}])) > 0"
    return Rule(
        name=_name(found, "DeliveryStalled"),
        workload=found.name,
        expression=f"max by (pod, exporter) ({selected(WAITING, **own)}) > 0 unless {moving}",
        pending=_MINUTES_5,
        severity="warning" if found.name == "agent" else "critical",
        summary="{{ $labels.pod }} has spans for {{ $labels.exporter }} and cannot send any",
        description="Nothing is lost while the queue has room; `check` says for how long. No trace of it can be read until it is sent.",
        firing=Trial({waiting: "6x150", sent: _STILL}, labels),
        quiet={waiting: "6x150", sent: _RISING},
    )


def _given_up(found: Collector, times: Times) -> Rule:
    own = _own(found, exporter="|".join(found.exporters))
    series, labels = _one(found, GIVEN_UP, exporter=found.exporters[0])
    lost = "These spans are lost: they were taken, and what they were sent to refused them for good."
    refused = "Services are refused, and repeat: the agent holds nothing itself."
    return Rule(
        name=_name(found, "DeliveryFailed"),
        workload=found.name,
        expression=grown(selected(GIVEN_UP, **own), "pod, exporter", times.range(_MINUTES_5)),
        pending=0 if found.queues else _MINUTES_5,
        severity="critical" if found.queues else "warning",
        summary="{{ $labels.pod }} gave up sending spans by {{ $labels.exporter }}",
        description=lost if found.queues else refused,
        firing=Trial({series: _RISING}, labels),
        quiet={series: _STILL},
    )


def _set_aside(found: Collector, times: Times) -> Rule:
    told = _own(found)
    whole = selected(TARGET, **told)
    # Pages of metrics of traces have a target_info without the label.
    damaged = whole.removesuffix("}") + f',{SET_ASIDE}=~"[1-9].*"}}'
    series, labels = _one(found, TARGET, **{SET_ASIDE: "1"})
    healthy, _ = _one(found, TARGET, **{SET_ASIDE: "0"})
    by = f"by (pod, {SET_ASIDE})"
    return Rule(
        name=_name(found, "QueueDamaged"),
        workload=found.name,
        expression=f"max {by} ({damaged}) unless max {by} ({damaged} offset {times.text(_DAY)})",
        pending=0,
        severity="critical",
        summary="A queue file of {{ $labels.pod }} could not be read and was set aside",
        description="What was in the file is lost. The collector runs again with an empty queue. The alert ends by itself after a day.",
        firing=Trial({series: "1x150"}, labels),
        quiet={healthy: "1x150"},
    )
