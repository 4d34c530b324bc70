"""Figures that `check` tells of an environment: its needs under the expected load, and how much and how long it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.documents.queues import FLUSH_SECONDS
from stacks.environment.sizing import (
    acknowledge_seconds,
    away_seconds,
    disk_need,
    flow,
    held_bytes,
    kept_span_bytes,
    most_spans_per_second,
    needs,
    queue_seconds,
    resident_bytes,
    stored_span_bytes,
)
from stacks.environment.starts import reading_seconds

if TYPE_CHECKING:
    from stacks.environment.model import Environment

MEMORY = "collectors.gateway.resources.memory"


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of an environment under its expected load.

    Spans per second: ``recorded_spans_per_second`` of all services, ``kept_spans_per_second`` of these, and the ``kept_share``;
    ``most_spans_per_second`` that the memory of one gateway lets pass. Bytes of one gateway's memory: ``bytes_in_use``, ``bytes_resident``
    with garbage, ``bytes_needed`` so that nothing is refused. ``kept_span_bytes`` is the size of a span in the queue of a gateway.
    Seconds that queues cover, None for any: ``outage_seconds`` of the store, ``absence_seconds`` of a gateway, which is None too where
    agents have no queue. ``start_seconds`` is the most that a start of the store reads, None where it does not grow with what is stored.
    ``spans_with_agent`` are the most spans that go with the pod of an agent, None without such a queue.
    Bytes on the store's disk, None where it has no volume here: ``disk_span_bytes`` of a span, ``disk_bytes_needed`` of a whole retention.
    ``topic_bytes`` and ``traces_cut`` are the size of the topic and the most traces that a gateway which is taken over cuts in two, None
    where agents write to no topic, and where gateways read none.
    """

    recorded_spans_per_second: float
    kept_spans_per_second: float
    kept_share: float
    most_spans_per_second: float
    bytes_in_use: float
    bytes_resident: float
    bytes_needed: float
    kept_span_bytes: float
    outage_seconds: float | None
    absence_seconds: float | None
    start_seconds: int | None
    spans_with_agent: int | None
    disk_span_bytes: float | None
    disk_bytes_needed: float | None
    topic_bytes: float | None
    traces_cut: int | None


def figures(environment: Environment) -> Figures:
    """Compute the figures of an environment."""
    spans, disk = flow(environment), disk_need(environment)
    rate, queued = spans.recorded / spans.gateways, _has_agent_queue(environment)
    collectors = environment.collectors
    return Figures(
        recorded_spans_per_second=spans.recorded,
        kept_spans_per_second=spans.kept,
        kept_share=spans.kept_share,
        most_spans_per_second=most_spans_per_second(environment),
        bytes_in_use=held_bytes(environment, rate),
        bytes_resident=resident_bytes(environment, rate),
        bytes_needed=next(need.needed for need in needs(environment) if need.key == MEMORY),
        kept_span_bytes=kept_span_bytes(environment),
        outage_seconds=_finite(queue_seconds(environment)),
        absence_seconds=_finite(away_seconds(environment)) if queued else None,
        start_seconds=reading_seconds(environment) or None,
        spans_with_agent=spans_with_agent(environment) if queued else None,
        disk_span_bytes=stored_span_bytes(environment) if disk is not None else None,
        disk_bytes_needed=disk.needed if disk is not None else None,
        topic_bytes=topic_bytes(environment) if collectors.transport == "kafka" else None,
        traces_cut=traces_cut(environment) if collectors.kafka is not None else None,
    )


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds


def _has_agent_queue(environment: Environment) -> bool:
    return environment.target.kind == "kubernetes" and environment.collectors.agent.queue is not None


def spans_with_agent(environment: Environment) -> int:
    """Most spans that an agent has acknowledged and no gateway has answered for, while nothing fails: they go with its pod.

    A span waits for its batch to be full, and then for the answer to it.
    """
    return math.ceil(flow(environment).recorded / environment.load.nodes * (FLUSH_SECONDS + acknowledge_seconds(environment)))


def topic_bytes(environment: Environment) -> float:
    """Bytes of the topic with all of its copies; 0 without one."""
    section = environment.collectors.kafka
    if section is None:
        return 0.0
    written = flow(environment).recorded * environment.load.bytes_per_span
    return written * section.retention.total_seconds() * section.replication


def traces_cut(environment: Environment) -> int:
    """Most traces that the take-over of a gateway's part of the topic cuts in two: those that wait for their decision there."""
    spans = flow(environment)
    waiting = spans.recorded / environment.load.spans_per_trace * environment.sampling.tail.wait.total_seconds()
    return math.ceil(waiting / spans.gateways)
