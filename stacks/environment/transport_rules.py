"""Rules across the settings of the transport between the collectors."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from stacks.environment.cluster_rules import broken_processor_share
from stacks.environment.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.cluster_rules import Broken
    from stacks.environment.kafka import Kafka
    from stacks.environment.model import Environment

SHORTEST_SESSION, LONGEST_SESSION = timedelta(seconds=6), timedelta(minutes=30)
"""Bounds of a session in a broker's own defaults (group.min.session.timeout.ms, group.max.session.timeout.ms)."""


def broken_transport_rules(environment: Environment) -> Iterator[Broken]:
    """Every rule of the transport that an environment breaks."""
    collectors, key = environment.collectors, "collectors.kafka"
    section = collectors.kafka
    yield from _autoscaling(environment)
    if section is None:
        if collectors.transport == "kafka":
            yield key, "is required with transport: kafka and missing; write its servers, or transport: direct"
        return
    if environment.target.kind != "kubernetes":
        yield key, "is of no use on one host, whose one collector takes spans and decides on them; leave it out"
    yield from _group(environment, section)
    yield from _security(section)
    if collectors.agent.queue is not None and collectors.agent.queue.when_full == "lose" and collectors.transport == "kafka":
        yield (
            "collectors.agent.queue.when_full",
            '"lose" is for the share of one gateway of several, and agents have one queue to Kafka; write "refuse"',
        )


def _group(environment: Environment, section: Kafka) -> Iterator[Broken]:
    gateways, timeout = environment.collectors.gateway.replicas, section.session_timeout
    if section.partitions < gateways:
        yield (
            "collectors.kafka.partitions",
            f"{section.partitions} are fewer than the {gateways} gateways, so that some would have none; write {gateways} or more",
        )
    if not SHORTEST_SESSION <= timeout <= LONGEST_SESSION:
        right = f"{format_duration(SHORTEST_SESSION)} to {format_duration(LONGEST_SESSION)}"
        yield "collectors.kafka.session_timeout", f"{format_duration(timeout)} is out of the bounds that brokers have; write {right}"
    wait = environment.sampling.tail.wait
    if section.retention < 10 * wait + timeout:
        minutes = math.ceil((10 * wait + timeout) / timedelta(minutes=1))
        right = f'write "{format_duration(timedelta(minutes=minutes))}" or more'
        yield (
            "collectors.kafka.retention",
            f"{format_duration(section.retention)} is so short that spans could go before a gateway takes over; {right}",
        )


def _autoscaling(environment: Environment) -> Iterator[Broken]:
    collectors, key = environment.collectors, "collectors.gateway.autoscaling"
    section, scale = collectors.kafka, collectors.gateway.autoscaling
    if scale is None:
        return
    if environment.target.kind != "kubernetes":
        yield key, "is done by a cluster alone; leave it out, or write target.kind: kubernetes"
        return
    if collectors.transport != "kafka":
        right = "leave it out, or write transport: kafka"
        yield key, f"needs a topic that gateways share, because agents that send directly have a share for each gateway; {right}"
    elif section is not None and scale.max_replicas > section.partitions:
        yield (
            f"{key}.max_replicas",
            (
                f"{scale.max_replicas} are more than the {section.partitions} partitions of the topic, so that some would have none; write "
                f"{section.partitions} or less, or raise collectors.kafka.partitions"
            ),
        )
    if scale.max_replicas < collectors.gateway.replicas:
        yield f"{key}.max_replicas", f"{scale.max_replicas} is less than the gateways; write {collectors.gateway.replicas} or more"
    yield from broken_processor_share(f"{key}.cpu", scale.cpu)


def _security(section: Kafka) -> Iterator[Broken]:
    if not section.tls and section.ca_secret is not None:
        yield "collectors.kafka.ca_secret", "is of no use without TLS; leave it out, or write tls: true"
    if not section.tls and section.sasl is not None and section.sasl.mechanism == "PLAIN":
        yield "collectors.kafka.sasl.mechanism", '"PLAIN" would send the password in clear; write tls: true, or "SCRAM-SHA-512"'
