"""Kafka in the shape of a cluster on this machine: a real one of one node, in place of the company's own."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from components.documents import broker, kafka
from components.documents.images import SURROUNDINGS
from components.local.instances import Instance
from components.workload import Document, Health, Port, Volume
from stacks.placement.surroundings import Surrounding
from stacks.plan.kafka import topic_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from components.local.authority import Authority
    from stacks.environment.model import Environment

CLIENTS, CONTROLLER, INTERNAL, HEALTH = (
    Port(name, number, "http") for name, number in (("clients", 9092), ("controller", 9093), ("internal", 9094), ("health", 13133))
)

AUTHORITY_SECRET = "trial-kafka"  # noqa: S105 - the name of a Secret
"""The Secret with the authority behind the broker's certificate, where the environment names none."""

BROKER_SECRET = "trial-kafka-broker"  # noqa: S105 - the name of a Secret
"""The Secret with the broker's own key and certificate."""

USERNAME = "tracing"
"""Name of the user by which Kafka knows the collectors on this machine."""

_START_SECONDS = 300
"""Time for a Java server to start on a busy machine."""


def with_own_kafka(environment: Environment, address: str) -> Environment:
    """The environment with the Kafka of this machine at ``address``, secured as its own is; one without Kafka stays as it is."""
    collectors, section = environment.collectors, environment.collectors.kafka
    if section is None:
        return environment
    own: dict[str, object] = {"servers": (f"{address}:{CLIENTS.number}",), "replication": 1}
    if section.tls:
        own["ca_secret"] = section.ca_secret or AUTHORITY_SECRET
    changed = collectors.model_copy(update={"kafka": section.model_copy(update=own)})
    return environment.model_copy(update={"collectors": changed})


def kafka_secrets(environment: Environment, address: str, authority: Authority) -> dict[tuple[str, str], str]:
    """A value for every entry of a Secret that collectors or the broker at ``address`` read of Kafka."""
    section, filled = environment.collectors.kafka, {}
    if section is None:
        return {}
    if section.ca_secret is not None:
        pair = authority.issue((address,))
        filled = {(section.ca_secret, "ca.crt"): authority.certificate, (BROKER_SECRET, "pair"): pair.key + pair.certificate}
    if section.sasl is not None:
        filled |= {(section.sasl.secret, "username"): USERNAME, (section.sasl.secret, "password"): secrets.token_urlsafe(24)}
    return filled


def own_kafka(
    environment: Environment, address: str, folder: Path, filled: Mapping[tuple[str, str], str]
) -> tuple[tuple[Instance, ...], dict[Path, str]]:
    """The broker as an instance at ``address`` with its data below ``folder``, and its secret files; none without Kafka."""
    section = environment.collectors.kafka
    if section is None:
        return (), {}
    home, file = folder / "kafka-0", folder / "secrets/trial/kafka.pem"
    data = Volume("data", str(home / "data"), 2**30, holds="scratch", survives="workload")
    text = broker.properties(
        broker.Broker(
            address,
            CLIENTS.number,
            CONTROLLER.number,
            INTERNAL.number,
            HEALTH.number,
            data.path,
            str(file) if section.tls else None,
            section.sasl.mechanism if section.sasl is not None else None,
        ),
        topic=topic_name(environment, section),
        partitions=section.partitions,
        retention_milliseconds=round(section.retention.total_seconds() * 1000),
    )
    server = Surrounding(
        name="kafka",
        server=SURROUNDINGS["kafka"],
        arguments=(f"{home}/documents/server.properties",),
        documents=(Document("server.properties", text),),
        documents_path=str(home / "documents"),
        ports=(CLIENTS, CONTROLLER, INTERNAL, HEALTH),
        health=Health(HEALTH.name, "/", start_seconds=_START_SECONDS),
        volumes=(data,),
    )
    known = (
        {}
        if section.sasl is None
        else {
            kafka.USERNAME: filled[section.sasl.secret, "username"],
            kafka.PASSWORD: filled[section.sasl.secret, "password"],
        }
    )
    return (Instance("kafka-0", server, address, known),), {file: filled[BROKER_SECRET, "pair"]} if section.tls else {}
