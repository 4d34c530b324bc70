"""Surroundings of a backbone in the shape of a cluster on this machine: addresses, Services, Ingress, issuer, Prometheus."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from components.alerts.file import rules_file
from components.alerts.rules import rules
from components.documents import surroundings
from components.documents.images import SURROUNDINGS
from components.documents.scraping import Page
from components.local.instances import Instance
from components.workload import Document, Health, Port, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from components.alerts.rule import Times
    from components.local.addresses import Block
    from components.workload import Plan, Server, Workload
    from stacks.environment.model import Environment

HEALTH = Port("health", 13133, "http")
ISSUER = Port("issuer", 5556, "http")
INGRESS = Port("ingress", 8443, "http")
PROMETHEUS = Port("prometheus", 9090, "http")
CLUSTER = Port("cluster", 10250, "http")

RULES = "alerts.yaml"
"""The file of the alerts, beside the document of Prometheus."""

AUTHORITY_SECRET = "trial-issuer"  # noqa: S105 - the name of a Secret
"""The Secret with the authority behind the issuer's certificate, where the environment names none."""

INGRESS_SECRET = "trial-ingress"  # noqa: S105 - the name of a Secret
"""The Secret with the certificate of the Ingress, which stands for a Gateway as well."""

STRANGERS = "strangers"
"""A group that is no operators'."""

NAMED_STORE, STORE, KAFKA, FIRST_SERVICE, FIRST_INSTANCE = 5, 10, 11, 12, 20
"""Numbers of the addresses of what stands elsewhere: a store with a name, one without, and a Kafka; then of the first Service and of the
first instance of the plan."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The address of everything: of the instances of each workload, of Services with more than one, and of what is around."""

    instances: Mapping[str, tuple[str, ...]]
    services: Mapping[str, str]
    network: str
    ingress: str
    issuer: str
    prometheus: str
    cluster: str
    kafka: str

    def environment(self, environment: Environment) -> Environment:
        """The environment with the host, the issuer, the proxies and the Prometheus of this machine; all else is as it was."""
        monitoring, own = environment.monitoring, f"http://{self.prometheus}:{PROMETHEUS.number}"
        here_: dict[str, object] = {"prometheus": own} if monitoring.prometheus is not None else {}
        if monitoring.remote_write is not None:
            # It takes what anybody on loopback writes.
            here_["remote_write"] = monitoring.remote_write.model_copy(
                update={"url": f"{own}/api/v1/write", "token_secret": None, "ca_secret": None}
            )
        environment = environment.model_copy(update={"monitoring": monitoring.model_copy(update=here_)})
        access = environment.access
        if access is None:
            return environment
        here = {
            "host": f"{self.ingress}:{INGRESS.number}",
            "oidc_issuer": f"https://{self.issuer}:{ISSUER.number}/oidc",
            "oidc_ca_secret": access.oidc_ca_secret or AUTHORITY_SECRET,
            "trusted_proxies": ("127.0.0.0/8",),
        }
        return environment.model_copy(update={"access": access.model_copy(update=here)})


@dataclass(frozen=True, slots=True)
class Surrounding:
    """A server around a backbone, with what running it needs."""

    name: str
    server: Server
    arguments: tuple[str, ...]
    documents: tuple[Document, ...]
    documents_path: str
    ports: tuple[Port, ...]
    health: Health
    volumes: tuple[Volume, ...] = ()
    grace_in_place: int = 10
    environment: Mapping[str, str] = field(default_factory=dict)

    def port(self, name: str) -> Port:
        """The port of that name."""
        return next(port for port in self.ports if port.name == name)


@dataclass(frozen=True, slots=True)
class Backbone:
    """A backbone in small: the plan as its first instances have it, all instances, and where and with which secrets they run.

    ``cluster`` is the plan as a cluster has it, from which the alerts follow; ``times`` scales these.
    """

    plan: Plan
    cluster: Plan
    instances: Sequence[Instance]
    environment: Environment
    layout: Layout
    folder: Path
    secrets: Mapping[tuple[str, str], str]
    times: Times


@dataclass(frozen=True, slots=True)
class Trial:
    """The servers that start before those of the plan, those that start after them, and their secret files by path."""

    before: tuple[Instance, ...]
    after: tuple[Instance, ...]
    files: Mapping[Path, str]


def lay_out(plan: Plan, block: Block, *, nodes: int) -> Layout:
    """Give each instance of a plan's workloads an address, with an agent on each of ``nodes``."""
    numbers = count(FIRST_INSTANCE)
    # Agents come last, so that their number moves nobody else.
    ordered = sorted(plan.workloads, key=lambda workload: workload.spread == "every-node")
    instances = {workload.name: tuple(block[next(numbers)] for _ in range(_count(workload, nodes))) for workload in ordered}
    several = [workload.name for workload in plan.workloads if workload.spread == "replicated" and workload.replicas > 1]
    services = {name: block[number] for number, name in enumerate(several, start=FIRST_SERVICE)}
    return Layout(
        instances, services, network=block[1], ingress=block[2], issuer=block[3], prometheus=block[4], cluster=block[9], kafka=block[KAFKA]
    )


def _count(workload: Workload, nodes: int) -> int:
    return nodes if workload.spread == "every-node" else workload.replicas


def around(backbone: Backbone) -> Trial:
    """Surroundings of these instances: issuer and Ingress where there is a login, Services where there are several, Prometheus."""
    before, files = _issuer(backbone)
    after = [*_services(backbone), *_ingress(backbone), _cluster(backbone), _prometheus(backbone)]
    access = backbone.environment.access
    if access is not None:
        files |= {backbone.folder / "secrets/ingress" / key: backbone.secrets[INGRESS_SECRET, key] for key in ("tls.crt", "tls.key")}
    return Trial(tuple(before), tuple(after), files)


def _issuer(backbone: Backbone) -> tuple[list[Instance], dict[Path, str]]:
    access, layout, filled = backbone.environment.access, backbone.layout, backbone.secrets
    if access is None:
        return [], {}
    documents, secret = backbone.folder / "issuer-0" / "documents", backbone.folder / "secrets/trial"
    text = surroundings.issuer(
        listen=f"{layout.issuer}:{ISSUER.number}",
        health=f"{layout.issuer}:{HEALTH.number}",
        tls=surroundings.Certificate(str(secret / "tls.crt"), str(secret / "tls.key")),
        client_id=access.client_id,
        groups_claim=access.groups_claim,
        users=[surroundings.User("operator", access.operator_groups), surroundings.User("stranger", (STRANGERS,))],
    )
    issuer = Surrounding(
        name="issuer",
        server=SURROUNDINGS["trial"],
        arguments=("issuer", str(documents / "issuer.json")),
        documents=(Document("issuer.json", text),),
        documents_path=str(documents),
        ports=(ISSUER, HEALTH),
        health=Health(HEALTH.name, "/"),
    )
    files = {secret / key: filled[AUTHORITY_SECRET, key] for key in ("tls.crt", "tls.key")}
    return [Instance("issuer-0", issuer, layout.issuer, {"CLIENT_SECRET": filled[access.secret, "client-secret"]})], files


def _services(backbone: Backbone) -> Iterator[Instance]:
    """The Services of workloads that have several interchangeable instances, in one server; none where there is no such workload."""
    services = [
        surroundings.Service(f"{address}:{port.number}", _behind(backbone, name, port))
        for name, address in backbone.layout.services.items()
        for port in dict.fromkeys(edge.port for edge in backbone.plan.edges if edge.destination == name)
    ]
    if services:
        yield _network(backbone, "services", backbone.layout.network, (HEALTH,), services=services)


def _ingress(backbone: Backbone) -> Iterator[Instance]:
    """The Ingress of the user interface; none where there is no login."""
    address, secret = backbone.layout.ingress, backbone.folder / "secrets/ingress"
    for workload in backbone.plan.workloads:
        if workload.site is not None:
            behind = _behind(backbone, workload.name, workload.port(workload.site.port))
            listen = f"{address}:{INGRESS.number}"
            ingress = surroundings.Ingress(listen, str(secret / "tls.crt"), str(secret / "tls.key"), behind)
            yield _network(backbone, "ingress", address, (INGRESS, HEALTH), ingress=ingress)


def _behind(backbone: Backbone, name: str, port: Port) -> tuple[surroundings.Target, ...]:
    """The instances of a workload, each at this port of its own address."""
    health = backbone.plan.workload(name).health
    asked = backbone.plan.workload(name).port(health.port).number
    return tuple(
        surroundings.Target(f"{instance.address}:{port.number}", f"http://{instance.address}:{asked}{health.path}")
        for instance in backbone.instances
        if instance.workload.name == name
    )


def _network(
    backbone: Backbone,
    name: str,
    address: str,
    listening: tuple[Port, ...],
    *,
    services: Sequence[surroundings.Service] = (),
    ingress: surroundings.Ingress | None = None,
) -> Instance:
    documents = backbone.folder / f"{name}-0" / "documents"
    text = surroundings.network(health=f"{address}:{HEALTH.number}", services=services, ingress=ingress)
    network = Surrounding(
        name=name,
        server=SURROUNDINGS["trial"],
        arguments=("network", str(documents / "network.json")),
        documents=(Document("network.json", text),),
        documents_path=str(documents),
        ports=listening,
        health=Health(HEALTH.name, "/"),
    )
    return Instance(f"{name}-0", network, address)


def _cluster(backbone: Backbone) -> Instance:
    """The metrics that kubelets serve of volumes, and cert-manager of certificates."""
    folder, address = backbone.folder / "cluster-0" / "documents", backbone.layout.cluster
    read = {(file.secret, file.key): file.path for workload in backbone.plan.workloads for file in workload.secret_files}
    text = surroundings.cluster(
        listen=f"{address}:{CLUSTER.number}",
        namespace=backbone.plan.namespace,
        volumes=[
            surroundings.Volume(f"{volume.name}-{instance.name}", volume.path)
            for instance in backbone.instances
            for volume in instance.workload.volumes
            if volume.survives == "workload"
        ],
        certificates=[
            surroundings.CertificateFile(issued.secret, read[issued.secret, "tls.crt"])
            for issued in backbone.cluster.certificates
            if (issued.secret, "tls.crt") in read
        ],
    )
    cluster = Surrounding(
        name="cluster",
        server=SURROUNDINGS["trial"],
        arguments=("cluster", str(folder / "cluster.json")),
        documents=(Document("cluster.json", text),),
        documents_path=str(folder),
        ports=(CLUSTER,),
        health=Health(CLUSTER.name, "/"),
    )
    return Instance("cluster-0", cluster, address)


def _pages(backbone: Backbone) -> list[Page]:
    """Every page of metrics of every instance."""
    return [
        Page(
            backbone.plan.namespace,
            workload.name,
            instance.name,
            page.port,
            f"{instance.address}:{workload.port(page.port).number}",
            page.path,
        )
        for instance in backbone.instances
        for workload in [backbone.plan.workload(instance.workload.name)]
        for page in workload.metrics
    ]


def _prometheus(backbone: Backbone) -> Instance:
    """Prometheus, which scrapes each page of metrics of the plan and evaluates the alerts."""
    layout, folder = backbone.layout, backbone.folder
    documents, data = folder / "prometheus-0" / "documents", folder / "prometheus-0" / "data"
    interval = max(1, math.floor(backbone.environment.aggregation.flush_interval.total_seconds()))
    # What agents write need not be scraped as well.
    written = backbone.environment.monitoring.remote_write is not None
    text = surroundings.prometheus(
        pages=[] if written else _pages(backbone), cluster=f"{layout.cluster}:{CLUSTER.number}", rules=RULES, interval_seconds=interval
    )
    alerts = rules(backbone.cluster, backbone.times) if backbone.cluster.monitoring.alerts else ()
    prometheus = Surrounding(
        name="prometheus",
        server=SURROUNDINGS["prometheus"],
        arguments=(
            f"--config.file={documents}/prometheus.yaml",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=1d",
            f"--web.listen-address={layout.prometheus}:{PROMETHEUS.number}",
            "--enable-feature=exemplar-storage",
            *(["--web.enable-remote-write-receiver"] if written else []),
        ),
        documents=(Document("prometheus.yaml", text), Document(RULES, rules_file(backbone.cluster, alerts, backbone.times))),
        documents_path=str(documents),
        ports=(PROMETHEUS,),
        health=Health(PROMETHEUS.name, "/-/ready"),
        volumes=(Volume("data", str(data), 2**30, holds="scratch", survives="workload"),),
    )
    return Instance("prometheus-0", prometheus, layout.prometheus)
