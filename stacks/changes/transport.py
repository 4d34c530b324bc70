"""Consequences of a changed transport between the collectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.environment.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stacks.environment.model import Environment


def _transport(_was: object, becomes: object, _old: Environment, new: Environment) -> str:
    if becomes == "kafka":
        return (
            "nothing is lost: gateways take both ways while agents are replaced; traces under way are decided in two pieces, and the topic "
            "has to be there before"
        )
    if new.collectors.kafka is not None:
        return "nothing is lost: gateways read the topic on; take the section kafka out when nothing is left on it, and not before"
    return (
        "what agents have written and gateways have not read stays on the topic and is not stored: keep the section kafka beside "
        "transport: direct until nothing is left on it"
    )


def _servers(was: object, becomes: object, old: Environment, new: Environment) -> str | None:
    if becomes is None and old.collectors.transport == "direct":
        return "what is left on the topic is not read any more"
    return _elsewhere(was, becomes, old, new)


def _elsewhere(_was: object, _becomes: object, old: Environment, new: Environment) -> str | None:
    if old.collectors.kafka is None or new.collectors.kafka is None:
        return None  # said once, of the transport
    return (
        "what gateways have not read stays on the old topic and is not stored: change the transport to direct before, and back when "
        "nothing is left on it"
    )


def _group(_was: object, _becomes: object, old: Environment, new: Environment) -> str | None:
    if old.collectors.kafka is None or new.collectors.kafka is None:
        return None
    kept = format_duration(old.collectors.kafka.retention)
    return f"a new group reads the topic from its beginning: what is on it, {kept} at most, is decided and stored a second time"


def _partitions(was: object, becomes: object, _old: Environment, _new: Environment) -> str | None:
    if not isinstance(was, int) or not isinstance(becomes, int):
        return None
    if becomes < was:
        return "a topic cannot have fewer partitions: make another one, and name it"
    return "nothing here changes the topic: kafka-topics.sh --alter --partitions; traces under way then are decided in two pieces"


def _most_gateways(was: object, becomes: object, _old: Environment, _new: Environment) -> str:
    if isinstance(was, int) and (not isinstance(becomes, int) or becomes < was):
        return (
            "gateways beyond it end, traces under way on what moves are decided in two pieces, and the queues of those that go are "
            "deleted, with what they had not delivered"
        )
    room = "the quota has room for as many, and each has a claim"
    if was is None:
        return (
            f"{room}; one gateway alone runs until the HorizontalPodAutoscaler has set the least: traces under way on what moves are "
            "decided in two pieces"
        )
    return room


def _topic_settings(_was: object, _becomes: object, old: Environment, new: Environment) -> str | None:
    if old.collectors.kafka is None or new.collectors.kafka is None:
        return None
    return "nothing here changes the topic: alter it with Kafka's own tools"


def _tls(_was: object, becomes: object, old: Environment, new: Environment) -> str | None:
    if old.collectors.kafka is None or new.collectors.kafka is None:
        return None
    return (
        "the brokers have to offer TLS there, or no span passes" if becomes else "spans cross the network in clear, and need no certificate"
    )


RULES: Mapping[str, Callable[[object, object, Environment, Environment], str | None]] = {
    "collectors.transport": _transport,
    "collectors.gateway.autoscaling.max_replicas": _most_gateways,
    "collectors.kafka.servers": _servers,
    "collectors.kafka.topic": _elsewhere,
    "collectors.kafka.group": _group,
    "collectors.kafka.tls": _tls,
    "collectors.kafka.partitions": _partitions,
    "collectors.kafka.replication": _topic_settings,
    "collectors.kafka.retention": _topic_settings,
}
