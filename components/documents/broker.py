"""The document of a Kafka of one node, which stands for a company's own when the shape of a cluster runs on one machine.

It is that of ``toolchain/kafka``: Kafka's own properties, and those that begin with ``trial``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker at ``address``: the ports of clients, of its controller, of its own connections and of the page of its health.

    ``folder`` has its data. ``pair`` is the path of its key and certificate in one PEM, None for plain text; ``mechanism`` that of SASL,
    None where nobody logs in.
    """

    address: str
    clients: int
    controller: int
    internal: int
    health: int
    folder: str
    pair: str | None
    mechanism: str | None


def properties(broker: Broker, *, topic: str, partitions: int, retention_milliseconds: int) -> str:
    """The properties of the broker, with the topic that it makes at its start."""
    places = {"CLIENTS": broker.clients, "CONTROLLER": broker.controller, "INTERNAL": broker.internal}
    at = {name: f"{broker.address}:{number}" for name, number in places.items()}
    found = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{at['CONTROLLER']}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "INTERNAL",
        "listeners": ",".join(f"{name}://{place}" for name, place in at.items()),
        "advertised.listeners": ",".join(f"{name}://{at[name]}" for name in ("CLIENTS", "INTERNAL")),
        "listener.security.protocol.map": f"CLIENTS:{_protocol(broker)},CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT",
        "log.dirs": broker.folder,
        "auto.create.topics.enable": "false",
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        # A first group starts at once, and not after others had time to join.
        "group.initial.rebalance.delay.ms": "0",
        "log.cleaner.dedupe.buffer.size": "2097152",
        **_secured(broker),
        "trial.page": f"{broker.address}:{broker.health}",
        "trial.admin": at["INTERNAL"],
        "trial.topic": topic,
        "trial.partitions": str(partitions),
        "trial.retention.ms": str(retention_milliseconds),
        **({"trial.mechanism": broker.mechanism} if broker.mechanism is not None else {}),
    }
    return "".join(f"{name}={value}\n" for name, value in found.items())


def _protocol(broker: Broker) -> str:
    encrypted = "SSL" if broker.pair is not None else "PLAINTEXT"
    return f"SASL_{encrypted}" if broker.mechanism is not None else encrypted


def _secured(broker: Broker) -> dict[str, str]:
    own = "listener.name.clients"
    found: dict[str, str] = {}
    if broker.pair is not None:
        found |= {f"{own}.ssl.keystore.type": "PEM", f"{own}.ssl.keystore.location": broker.pair}
    if broker.mechanism is not None:
        found[f"{own}.sasl.enabled.mechanisms"] = broker.mechanism
        if broker.mechanism.startswith("SCRAM"):
            login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            found[f"{own}.{broker.mechanism.lower()}.sasl.jaas.config"] = login
    return found
