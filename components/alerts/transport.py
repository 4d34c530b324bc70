"""Alerts of Kafka between the collectors: spans that are read late or not at all, shares that move, and records that are no spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alerts.parts import collectors
from components.alerts.rule import PREFIX, Rule, Trial, grown, selected
from components.documents import kafka

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.alerts.parts import Collector
    from components.alerts.rule import Times
    from components.workload import Plan

_MINUTES_5, _MINUTES_15, _MINUTES_30 = 300, 900, 1800

DELAY = "otelcol_kafka_receiver_records_delay_seconds"
READ = "otelcol_kafka_receiver_records_total"
WRITTEN = "otelcol_exporter_sent_spans_total"
BEGUN = "otelcol_kafka_receiver_partition_start_total"
ENDED = "otelcol_kafka_receiver_partition_close_total"
UNREADABLE = "otelcol_kafka_receiver_unmarshal_failed_spans_total"

LATE_SECONDS = 60
"""Time on the topic above which an alert fires: twice the session in which a share waits for a gateway that is away."""

MOST_MOVES = 6
"""Times within half an hour that a gateway may be seen to lose partitions: a rollout of three gateways has three."""

_RISING, _STILL = "0+60x150", "5x150"


def transport(plan: Plan, times: Times) -> Iterator[Rule]:
    """The alerts of each end of the topic of a plan."""
    for found in collectors(plan):
        if found.reads_topic:
            yield _late(found, times)
            yield _unreadable(found, times)
            yield _moving(found, times)
            yield _idle(found)
            if found.is_written_to:
                yield _not_read(found, times)


def _own(found: Collector, **labels: str) -> dict[str, str]:
    return {"namespace": found.plan.namespace, "job": found.name, **labels}


def _late(found: Collector, times: Times) -> Rule:
    pod, window = f"{found.name}-0", times.range(_MINUTES_5)
    total, count = (selected(f"{DELAY}_{what}", **_own(found)) for what in ("sum", "count"))
    waited, read = (selected(f"{DELAY}_{what}", **_own(found, pod=pod)) for what in ("sum", "count"))
    return Rule(
        name=f"{PREFIX}KafkaReadLate",
        workload=found.name,
        expression=f"sum(rate({total}[{window}])) / sum(rate({count}[{window}])) > {LATE_SECONDS}",
        pending=_MINUTES_5,
        severity="warning",
        summary=f"Gateways read spans more than {LATE_SECONDS} s after agents wrote them",
        description="Nothing is lost while the topic keeps them (`collectors.kafka.retention`). Traces can be read as much later. There "
        "are too few gateways for what comes, or the backend takes less than they keep.",
        firing=Trial({waited: "0+7200x150", read: _RISING}, {}),
        quiet={waited: "0+60x150", read: _RISING},
    )


def _not_read(found: Collector, times: Times) -> Rule:
    window = times.range(_MINUTES_5)
    agent = {"namespace": found.plan.namespace, "job": "agent", "exporter": kafka.EXPORTER}
    written, read = selected(WRITTEN, **agent), selected(READ, **_own(found))
    one, other = selected(WRITTEN, **agent, pod="agent-0"), selected(READ, **_own(found, pod=f"{found.name}-0"))
    return Rule(
        name=f"{PREFIX}KafkaNotRead",
        workload=found.name,
        expression=f"(sum(rate({written}[{window}])) > 0) unless (sum(rate({read}[{window}])) > 0)",
        pending=_MINUTES_5,
        severity="critical",
        summary="Agents write spans to Kafka and no gateway reads any",
        description="Nothing is lost while the topic keeps them (`collectors.kafka.retention`), and no trace can be read until then.",
        firing=Trial({one: _RISING, other: _STILL}, {}),
        quiet={one: _RISING, other: _RISING},
    )


def _unreadable(found: Collector, times: Times) -> Rule:
    pod = f"{found.name}-0"
    series = selected(UNREADABLE, **_own(found, pod=pod, topic="spans"))
    return Rule(
        name=f"{PREFIX}KafkaUnreadable",
        workload=found.name,
        expression=grown(selected(UNREADABLE, **_own(found)), "topic", times.range(_MINUTES_5)),
        pending=0,
        severity="critical",
        summary="Records on the topic {{ $labels.topic }} are no spans",
        description="They are left out, and lost if they were spans. Something else than the agents of this backbone writes to its topic.",
        firing=Trial({series: _RISING}, {"topic": "spans"}),
        quiet={series: _STILL},
    )


def _moving(found: Collector, times: Times) -> Rule:
    pod = f"{found.name}-0"
    series = selected(ENDED, **_own(found, pod=pod))
    return Rule(
        name=f"{PREFIX}KafkaRebalances",
        workload=found.name,
        expression=f"sum(changes({selected(ENDED, **_own(found))}[{times.range(_MINUTES_30)}])) >= {MOST_MOVES}",
        pending=0,
        severity="warning",
        summary="Shares of the topic move between gateways again and again",
        description="No span is lost. Each time the traces that are under way on what moves are decided in two pieces. Gateways that are "
        "away for longer than `collectors.kafka.session_timeout`, or are scaled up and down, cause it.",
        firing=Trial({series: "0+4x150"}, {}),
        quiet={series: "4x150"},
    )


def _idle(found: Collector) -> Rule:
    pod = f"{found.name}-0"
    begun, ended, up = (selected(name, **_own(found)) for name in (BEGUN, ENDED, "up"))
    held = f"sum by (pod) ({begun}) - (sum by (pod) ({ended}) or 0 * sum by (pod) ({begun}))"
    started, lost, there = (selected(name, **_own(found, pod=pod)) for name in (BEGUN, ENDED, "up"))
    return Rule(
        name=f"{PREFIX}GatewayIdle",
        workload=found.name,
        expression=f"max by (pod) ({up} == 1) unless ({held}) > 0",
        pending=_MINUTES_15,
        severity="warning",
        summary="{{ $labels.pod }} has no share of the topic",
        description="Nothing is lost. The topic has fewer partitions than there are gateways, or this one does not reach the brokers.",
        firing=Trial({there: "1x150", started: "4x150", lost: "4x150"}, {"pod": pod}),
        quiet={there: "1x150", started: "8x150", lost: "4x150"},
    )
