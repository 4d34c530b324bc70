"""Settings of Kafka between agents and gateways."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from stacks.environment.hosts import HostPort
from stacks.environment.section import Section
from stacks.environment.store_names import TopicName
from stacks.environment.units import Age, Interval, ObjectName, Percent


class Sasl(Section):
    """The name and the password by which Kafka knows agents and gateways."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(default="SCRAM-SHA-512", title="SASL mechanism of Kafka")
    """Mechanism of SASL. Default: `SCRAM-SHA-512`, in which the password does not cross the network."""
    secret: ObjectName = Field(title="credentials of Kafka", examples=["tracing-kafka"])
    """Secret with the entries `username` and `password`. Its user may write to the topic, read from it, and be in the consumer group.
    Required."""


class GatewayAutoscaling(Section):
    """More gateways than the least, as many as the load asks for, by a HorizontalPodAutoscaler. Only with `transport: kafka`."""

    max_replicas: int = Field(ge=2, le=10_000, title="most gateways")
    """Most gateways, of which each has a claim of its own from the beginning; `replicas` is the least. No more than
    `collectors.kafka.partitions`, because each of them needs one. Required: it bounds the quota and the claims."""
    cpu: Percent = Field(default=0.7, title="CPU for one more gateway")
    """Share of the requested CPU, in whole percent, above which one more is started. Default: 70 %, so that
    a gateway has room until the next one reads."""
    lag: int | None = Field(default=None, ge=1, le=10**9, title="lag for one more gateway", json_schema_extra={"unit": "records"})
    """Records that wait on the topic for each gateway above which one more is started, by the external metric `kafka_consumergroup_lag`
    with the labels `consumergroup` and `topic`, as kafka_exporter names them, which an adapter for Prometheus has to serve. Default: none,
    CPU decides alone; a gateway whose memory is full before its processors are busy takes less and is not scaled by it."""


class Kafka(Section):
    """A Kafka that is there already, on whose topic spans wait for gateways. Tried with 3.9.1.

    Agents write what they have counted and redacted, in OTLP protobuf, keyed by the trace id. Gateways are one consumer group: the share of
    one that is lost is taken over by the others, and there may be more of them under load. While this section is there, gateways read the
    topic, also with `transport: direct`, so that a change of the transport loses nothing.
    """

    servers: tuple[HostPort, ...] = Field(
        title="servers of Kafka", min_length=1, strict=False, examples=[["kafka-bootstrap.kafka.svc:9093"]]
    )
    """Brokers that are asked first, as `host:port`; they tell of the others, which have to listen on one of these ports, because policies
    let no other through. Required."""
    topic: TopicName | None = Field(default=None, title="topic of Kafka")
    """Topic of the spans, of this environment alone. It has to be there, as `check` says how, because one that Kafka made by itself would
    have its default of partitions. Default: the namespace and `.spans`; of two environments on one Kafka that have one namespace each has
    to name its own, and `check` refuses the same one in two stack files of a folder."""
    group: TopicName | None = Field(default=None, title="consumer group of Kafka")
    """Consumer group of the gateways. Default: the name of the topic."""
    partitions: int = Field(default=12, ge=1, le=10_000, title="partitions of the topic")
    """Partitions that the topic has, among which traces are divided; as many gateways at most have any. Default: 12, which 2, 3, 4, 6
    and 12 gateways share evenly. With another number traces under way are cut in two."""
    replication: int = Field(default=3, ge=1, le=16, title="replication of the topic")
    """Brokers that have a copy of each span. Default: 3, of which one may be away: agents are answered when all that are in step have
    it."""
    retention: Age = Field(default=timedelta(days=1), title="retention of the topic")
    """Age at which Kafka deletes spans whether or not a gateway has read them. Default: 1 d, in which somebody answers an alert."""
    tls: bool = Field(default=True, title="TLS to Kafka")
    """Whether connections are encrypted. Default: true, since spans and the password cross the network."""
    ca_secret: ObjectName | None = Field(default=None, title="authority of Kafka", examples=["kafka-ca"])
    """Secret with the entry `ca.crt`, the PEM of the authority behind the certificates of the brokers; the stack fills it when it is given
    `<secret>.ca.crt`, else who issues it. Default: none, the public authorities."""
    sasl: Sasl | None = None
    """Name and password. Default: none, a Kafka that asks for none."""
    session_timeout: Interval = Field(default=timedelta(seconds=30), title="session timeout of Kafka")
    """Time for which the share of a gateway that is away waits for it; then the others take it over. Default: 30 s: one that is started
    again within it finds its share, so that no trace is cut; half of the minute in which a share should go on."""
    compression: Literal["none", "snappy", "lz4", "zstd"] = Field(default="snappy", title="compression of the topic")
    """Compression of what agents write. Default: `snappy`, which costs agents the least."""
