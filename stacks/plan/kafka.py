"""Kafka between the collectors as the plan has it: the topic, its group, and what both tiers need to reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.documents import collector, kafka, ports
from components.documents.queues import Gateways, Queue
from components.workload import Autoscaling, Edge, Outside, Port, SecretVariable, Waiting
from stacks.environment.sizing import acknowledge_seconds, most_underway_bytes, taken_bytes
from stacks.plan.location import located
from stacks.plan.parts import AUTHORITY, files_of, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.workload import SecretFile
    from stacks.environment.kafka import Kafka
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses
    from stacks.plan.parts import Inputs


def topic_name(environment: Environment, section: Kafka) -> str:
    """Name of the topic."""
    return section.topic or f"{environment.namespace}.spans"


def group_name(environment: Environment, section: Kafka) -> str:
    """Name of the consumer group."""
    return section.group or topic_name(environment, section)


def section_of(environment: Environment, addresses: Addresses) -> Kafka | None:
    """The Kafka of an environment; None where there is none, or where one host has no agents."""
    return environment.collectors.kafka if addresses.shape == "cluster" else None


def writing(inputs: Inputs) -> collector.Writing | None:
    """The topic that agents write to; None where they send to gateways."""
    section = section_of(inputs.environment, inputs.addresses)
    if section is None or inputs.environment.collectors.transport != "kafka":
        return None
    return collector.Writing(_topic(inputs, section), section.compression)


def reading(inputs: Inputs, folder: str) -> collector.Reading | None:
    """The topic that gateways read, with the queue in ``folder`` of what they have taken; None without Kafka."""
    environment, section = inputs.environment, section_of(inputs.environment, inputs.addresses)
    if section is None:
        return None
    itself = Gateways(
        (inputs.bound.own(inputs.bound[ports.OTLP_HTTP].number),),
        acknowledge_seconds(environment),
        environment.sampling.tail.wait.total_seconds(),
        most_underway_bytes(environment),
        # A record has the spans of one trace.
        request_bytes=0,
    )
    # Each entry is three writes; through to the disk a gateway would take some hundred records a second.
    taken = Queue(folder, taken_bytes(environment), sync_writes=False, name="taken")
    group = kafka.Group(group_name(environment, section), milliseconds(section.session_timeout))
    return collector.Reading(_topic(inputs, section), group, taken, itself)


def _topic(inputs: Inputs, section: Kafka) -> kafka.Topic:
    authority = next((file.path for file in secret_files(inputs)), None)
    name = topic_name(inputs.environment, section)
    return kafka.Topic(section.servers, name, section.tls, authority, section.sasl.mechanism if section.sasl is not None else None)


def secret_files(inputs: Inputs) -> tuple[SecretFile, ...]:
    """The authority behind the certificates of the brokers."""
    section = section_of(inputs.environment, inputs.addresses)
    return files_of(inputs.addresses, "kafka", (section.ca_secret, AUTHORITY)) if section is not None else ()


def secret_variables(inputs: Inputs) -> tuple[SecretVariable, ...]:
    """Name and password by which Kafka knows the collectors."""
    section = section_of(inputs.environment, inputs.addresses)
    if section is None or section.sasl is None:
        return ()
    named = ((kafka.USERNAME, "username"), (kafka.PASSWORD, "password"))
    return tuple(SecretVariable(variable, section.sasl.secret, key) for variable, key in named)


def edges(environment: Environment) -> Iterator[Edge]:
    """The edges from collectors to the brokers."""
    section = environment.collectors.kafka
    if section is None:
        return
    numbers = dict.fromkeys(int(server.rpartition(":")[2]) for server in section.servers)
    sources = ("agent", "gateway") if environment.collectors.transport == "kafka" else ("gateway",)
    for source in sources:
        for number in numbers:
            yield Edge(source, "kafka", Port("kafka", number, "http"))


def location(section: Kafka | None) -> Outside:
    """The namespaces of brokers that are named as Services; any address for others, since each tells of the rest."""
    if section is None:
        return Outside()
    found = located(server.rpartition(":")[0] for server in section.servers)
    return Outside(anywhere=True) if found.networks else found


LAG = "kafka_consumergroup_lag"
"""Series of the records that a group has not read. The collectors' own gauge is not used, because a gateway goes on to report that of a
partition which it has lost."""


def autoscaling(environment: Environment, addresses: Addresses) -> Autoscaling | None:
    """Bounds of the number of gateways; None where it is fixed."""
    section, scale = section_of(environment, addresses), environment.collectors.gateway.autoscaling
    if section is None or scale is None:
        return None
    labels = {"consumergroup": group_name(environment, section), "topic": topic_name(environment, section)}
    return Autoscaling(scale.max_replicas, round(scale.cpu * 100), Waiting(LAG, labels, scale.lag) if scale.lag is not None else None)


def making(environment: Environment, section: Kafka) -> str:
    """The command that makes the topic, with Kafka's own tool."""
    kept = round(section.retention.total_seconds() * 1000)
    settings = f"--config retention.ms={kept}"
    if section.replication > 1:
        # Agents are answered when so many have it; one of them may be away.
        settings += f" --config min.insync.replicas={section.replication - 1}"
    return (
        f"kafka-topics.sh --bootstrap-server {section.servers[0]} --create --topic {topic_name(environment, section)} "
        f"--partitions {section.partitions} --replication-factor {section.replication} {settings}"
    )
