"""Kafka between the collectors: agents write spans to a topic by their trace id, and gateways read it as one consumer group.

A gateway has taken a span when it is in a queue on the gateway's own disk; then its offset is committed. From there it goes to the
gateway's own intake, which answers when the span is decided on. So what a killed gateway had taken is in its claim, and what it had not
taken is on the topic, for itself or for another gateway. The queue has room for what the gateway holds in memory and no more: a backlog
stays on the topic, where others can take it over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.documents.text import Quoted, go_duration

Part = dict[str, Any]

ENCODING = "otlp_proto"
EXPORTER, RECEIVER, TAKEN = "kafka", "kafka", "otlp_http/taken"
"""Exporter of agents to the topic, receiver of gateways, and exporter to the gateway's own intake."""

USERNAME, PASSWORD, MEMBER = "KAFKA_USERNAME", "KAFKA_PASSWORD", "KAFKA_MEMBER"
"""Environment variables of a collector: name and password, and of a gateway its own name, by which it finds its share again."""

LARGEST_RECORD = 1_000_000
"""Bytes of a record, a little below what Kafka takes by default: spans of one trace that come together are one record."""

LARGEST_BATCH = 900_000
"""Bytes of a batch, which may be of one trace alone, and has its resource and its scope besides."""


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic as both tiers reach it: the ``host:port`` of brokers, its name, and what secures the connections.

    ``tls`` says whether they are encrypted, ``authority`` is the path of the PEM of the brokers' own authority, ``mechanism`` that of SASL.
    """

    servers: tuple[str, ...]
    name: str
    tls: bool
    authority: str | None
    mechanism: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """The consumer group of the gateways; a share waits ``session_milliseconds`` for a gateway that is away."""

    name: str
    session_milliseconds: int


def partition_of(trace_id: bytes, partitions: int) -> int:
    """The partition of a trace: the exporter's own hash (FNV-1a of 32 bits, signed) of the trace id in hexadecimal."""
    value = 0x811C9DC5
    for character in trace_id.hex().encode():
        value = (value ^ character) * 0x01000193 % 2**32
    signed = value - 2**32 if value >= 2**31 else value
    # Go's remainder has the sign of what is divided.
    return abs(signed) % partitions


def exporter(topic: Topic, *, compression: str, sending: Part) -> Part:
    """The exporter of an agent, with its queue and its retries."""
    return {
        **_client(topic),
        "traces": {"topic": topic.name, "encoding": ENCODING},
        # All spans of a trace are of one partition, which one gateway reads.
        "partition_traces_by_id": True,
        "producer": {
            # All brokers that are in step have it, so that what is acknowledged survives the loss of one.
            "required_acks": -1,
            "compression": compression,
            "max_message_bytes": LARGEST_RECORD,
            # With its default of partitions, which is one, a single gateway would read all.
            "allow_auto_topic_creation": False,
        },
        **sending,
    }


def receiver(topic: Topic, group: Group) -> Part:
    """The receiver of a gateway."""
    return {
        **_client(topic),
        "traces": {"topics": [topic.name], "encoding": ENCODING},
        "group_id": group.name,
        # A gateway that is started again within the session is the same member: nothing moves, and no trace is cut.
        "group_instance_id": Quoted(f"${{env:{MEMBER}}}"),
        "session_timeout": go_duration(group.session_milliseconds),
        "heartbeat_interval": go_duration(group.session_milliseconds // 10),
        # What was written before the first gateway came is read as well.
        "initial_offset": "earliest",
        # An offset is committed when all up to it is on the gateway's disk.
        "autocommit": {"enable": False},
        # A record that is no OTLP would stop its partition for good; it is counted and left out.
        "message_marking": {"after": True, "on_error": False, "on_permanent_error": True},
        "error_backoff": {"enabled": True, "initial_interval": "500ms", "max_interval": "5s", "max_elapsed_time": "0s"},
        # How late it reads, in seconds; the lag is a number of records, which says little.
        "telemetry": {"metrics": {"kafka_receiver_records_delay": {"enabled": True}}},
    }


def _client(topic: Topic) -> Part:
    secured: Part = {"tls": {"ca_file": topic.authority} if topic.authority is not None else {"insecure": False}} if topic.tls else {}
    if topic.mechanism is not None:
        known = {name: Quoted(f"${{env:{variable}}}") for name, variable in (("username", USERNAME), ("password", PASSWORD))}
        secured["auth"] = {"sasl": {**known, "mechanism": topic.mechanism}}
    # Metadata of this topic alone, and soon enough to follow partitions to another broker.
    return {
        "brokers": list(topic.servers),
        "client_id": "virtengine-tracing",
        "metadata": {"full": False, "refresh_interval": "1m"},
    } | secured
