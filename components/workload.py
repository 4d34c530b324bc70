"""The plan: what runs, with which documents, on which ports, and who may talk to whom.

Everything here is frozen and holds plain values, so that a plan can be printed, compared and placed by any target without asking
anything of the environment that it came from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from components.scheduling import Scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.issued import Certificate, ExternalSecret, Instrumentation
    from components.monitoring import Monitoring

TargetKind = Literal["local", "docker", "kubernetes"]

BackendName = Literal["jaeger", "tempo", "otlp"]
"""Stores: two that a plan can deploy, and one that is there already."""

QueryProtocol = Literal["jaeger", "tempo", "none"]
"""APIs by which traces are read; ``none`` where this bundle knows no API of the store."""

RoleName = Literal["agent", "gateway", "backend", "sampling", "ui", "access"]
"""Purpose of a workload; of a backend and its user interface there is more than one kind."""

Family = Literal["ipv4", "ipv6", "dual"]
"""Families of addresses on which servers listen."""

OutsideName = Literal[
    "consumers",
    "operators",
    "port-forwards",
    "scrapers",
    "kubernetes-api",
    "oidc-issuer",
    "object-storage",
    "trace-store",
    "named-trace-store",
    "instance-identity",
    "kafka",
    "prometheus",
    "loki",
    "metrics-store",
]
"""Peers outside of a plan that take part in it.

``consumers`` are the services that send spans, ``operators`` the people who look at traces, ``port-forwards`` these people through the
API of the cluster, which no policy allows or forbids, ``scrapers`` the metric collectors;
the others are servers that a workload calls. Of two stores elsewhere one has a name, and is ``named-trace-store``.
"""


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port on which a workload listens.

    ``name`` is at most 15 characters, as Kubernetes demands of a port's name (RFC 6335).
    """

    name: str
    number: int
    protocol: Literal["grpc", "http"]


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file of a server.

    ``on_change`` says what a changed text does to a running server: ``restart`` when it is read at start only, ``reload`` when the
    server itself watches the file.
    """

    name: str
    text: str
    on_change: Literal["restart", "reload"] = "restart"

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder that outlives the process.

    ``holds`` tells what is lost with it: ``traces`` are the product, ``queue`` is what was accepted and not yet delivered,
    ``scratch`` can be made again. ``survives`` tells how long it lives: as long as its ``workload`` (a claim) or its ``instance``
    (an emptyDir). ``size_bytes`` is what is asked of the storage class. ``protect`` says that a placement refuses to delete it.
    """

    name: str
    path: str
    size_bytes: int
    holds: Literal["traces", "queue", "scratch"]
    survives: Literal["workload", "instance"]
    storage_class: str | None = None
    protect: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """An HTTP request that answers 2xx when the server takes traffic.

    ``start_seconds`` is the time that it may need for that after its start, ``alive_seconds`` how long it may fail later before the
    server is ended and started again. Default: two minutes, because a server under load answers late, and restarting it then would add
    to the load.
    """

    port: str
    path: str
    start_seconds: int = 60
    alive_seconds: int = 120


@dataclass(frozen=True, slots=True)
class Metrics:
    """A page of metrics in the text format of Prometheus: the name of its port, and its path."""

    port: str
    path: str = "/metrics"


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources of one replica: CPU in thousandths of a core, requested and not capped; memory in bytes, requested and capped."""

    cpu_millicores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Server:
    """A server program: its container image and the name under which a machine without containers runs it.

    ``digest`` is ``sha256:…`` when the user has pinned one, else None: a digest is never written without its source. ``entrypoint`` is
    what a container starts where the image's own entry point is not the program itself, or where another program starts it; None leaves it
    to the image.
    """

    program: str
    repository: str
    tag: str
    digest: str | None = None
    entrypoint: str | None = None

    @property
    def image(self) -> str:
        """The image reference that a container runtime takes."""
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file whose content is a secret: the plan names it, the placement fills it, and no document holds it.

    ``secret`` is the name of the Secret and ``key`` the entry in it, ``path`` where the server reads it.
    """

    secret: str
    key: str
    path: str


@dataclass(frozen=True, slots=True)
class SecretVariable:
    """An environment variable whose value is the entry ``key`` of the Secret ``secret``."""

    variable: str
    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity of a workload: the user id of its image and the rules, if any, that it needs on the Kubernetes API.

    ``reads`` maps an API group to the resources that are read (get, list, watch) in all namespaces. Empty means no token at
    all. ``annotations`` of its service account and ``labels`` of its pods are those by which a cloud knows the workload.
    """

    user_id: int
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Gateway of the Gateway API, and the name of its listener, None for every one that takes the host."""

    name: str
    namespace: str
    listener: str | None


@dataclass(frozen=True, slots=True)
class Site:
    """The host name under which browsers reach a port of a workload, over TLS.

    ``port`` is the name of the port. Either a ``gateway`` serves the host, with a certificate of its own, or an Ingress: then
    ``tls_secret`` is the Secret (type kubernetes.io/tls) of the host, and ``ingress_class`` who serves it, None for the cluster's default.
    """

    host: str
    port: str
    tls_secret: str | None
    ingress_class: str | None = None
    gateway: Gateway | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Work that waits, as an external metric tells it: the name of a series, its labels, and ``each``, the amount for one replica."""

    series: str
    labels: Mapping[str, str]
    each: int


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """Bounds of a number of replicas, of which the workload's own is the least.

    ``cpu_percent`` of the requested CPU, and more ``waiting`` than replicas are there for, are what one more is started for.
    """

    max_replicas: int
    cpu_percent: int
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A program that runs to its end, again every day at ``minute`` past ``hour`` (UTC).

    ``secret_files`` and ``secret_variables`` are as those of a workload. ``role`` is that of the workload whose work it does.
    """

    name: str
    role: RoleName
    server: Server
    arguments: tuple[str, ...]
    resources: Resources
    identity: Identity
    hour: int
    minute: int
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_files: tuple[SecretFile, ...] = ()
    secret_variables: tuple[SecretVariable, ...] = ()
    scheduling: Scheduling = field(default_factory=Scheduling)


@dataclass(frozen=True, slots=True)
class Workload:
    """A server, replicated or not. The plan decided the needs of its role; a placement needs no more than this record to run it.

    ``spread`` tells where replicas go: ``single`` (one, never two at a time), ``replicated`` (interchangeable, any node), ``ordered``
    (each with its own volume), ``every-node``. ``grace_seconds`` is how long it may take to stop after SIGTERM, where volumes that survive
    an instance go with it; ``restart_grace_seconds`` is the same where they stay, None where that is no other time. ``node_variable`` and
    ``instance_variable`` are the environment variables that tell it the name of its node and its own, which a successor has again, if it
    needs to know. ``metrics`` are the pages that scrapers may read.
    """

    name: str
    role: RoleName
    server: Server
    arguments: tuple[str, ...]
    documents: tuple[Document, ...]
    documents_path: str
    ports: tuple[Port, ...]
    volumes: tuple[Volume, ...]
    health: Health
    resources: Resources
    grace_seconds: int
    identity: Identity
    spread: Literal["single", "replicated", "ordered", "every-node"] = "single"
    replicas: int = 1
    restart_grace_seconds: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    node_variable: str | None = None
    instance_variable: str | None = None
    secret_files: tuple[SecretFile, ...] = ()
    secret_variables: tuple[SecretVariable, ...] = ()
    site: Site | None = None
    scheduling: Scheduling = field(default_factory=Scheduling)
    metrics: tuple[Metrics, ...] = ()
    autoscaling: Autoscaling | None = None

    @property
    def most_replicas(self) -> int:
        """The most replicas that may run."""
        return self.autoscaling.max_replicas if self.autoscaling is not None else self.replicas

    @property
    def grace_in_place(self) -> int:
        """Seconds to stop after SIGTERM where a successor finds the same volumes."""
        return self.grace_seconds if self.restart_grace_seconds is None else self.restart_grace_seconds

    def port(self, name: str) -> Port:
        """The port of that name.

        Raises KeyError when the workload has none.
        """
        for port in self.ports:
            if port.name == name:
                return port
        raise KeyError(f"{self.name} has no port {name!r}; it has {', '.join(p.name for p in self.ports)}")

    @property
    def restart_checksum(self) -> str:
        """Changes when, and only when, a document that the server reads at its start changes."""
        read_at_start = [f"{d.name}={d.checksum}" for d in self.documents if d.on_change == "restart"]
        return hashlib.sha256("\n".join(read_at_start).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` may open connections to ``port`` of ``destination``.

    Either end is the name of a workload or an ``OutsideName``. Both directions of a connection are one edge.
    """

    source: str
    destination: str
    port: Port


@dataclass(frozen=True, slots=True)
class Outside:
    """Location of a peer outside of the plan: namespaces by name or by their labels, networks (CIDR), or any address.

    With none of them, the edge admits no traffic.
    """

    namespaces: tuple[str, ...] = ()
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of all workloads together on a cluster: pods, CPU in thousandths of a core, memory and disk in bytes, and claims."""

    pods: int
    cpu_millicores: int
    memory_bytes: int
    storage_bytes: int
    claims: int


@dataclass(frozen=True, slots=True)
class Endpoints:
    """URLs for peers outside of the plan.

    ``strategies_user`` is the user name with which strategies are asked for, with the intake's token as password; None where they are
    for everybody.
    """

    otlp_grpc: str
    otlp_http: str
    strategies: str
    span_metrics: str
    strategies_user: str | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """A store of traces, which can be read for ``retention_seconds``.

    ``workload`` takes its spans, None where it is there already; gateways send to it by ``exporter``. ``ui`` is the URL for a browser,
    ``query`` that for a program inside of the target. ``query_protocol`` is None where it is that of the ``kind``.
    """

    kind: BackendName
    workload: str | None
    exporter: str
    query: str
    ui: str
    retention_seconds: int
    query_protocol: QueryProtocol | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Sampling target of one operation of one service, in traces per second and instance, and the ratios that bound it."""

    service: str
    operation: str
    traces_per_second: float
    floor: float
    ceiling: float


@dataclass(frozen=True, slots=True)
class HeadSampling:
    """Head sampling by services: ``ratio`` in 0..1 where no strategy or target says more."""

    ratio: float
    targets: tuple[Target, ...]
    poll_seconds: float


@dataclass(frozen=True, slots=True)
class PrivacyRule:
    """A regular expression (the common subset of RE2 and Python's ``re``) for what must not be stored.

    ``matches`` tells what it is held against: attribute ``key`` or attribute ``value``.
    """

    name: str
    matches: Literal["key", "value"]
    pattern: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Workloads of one environment, who may talk to whom, and all else that a placement needs.

    ``labels`` and ``annotations`` are on every object of a cluster, pods included. Controllers of the cluster fill the Secrets of
    ``certificates`` and ``external_secrets``. With ``instrumentation`` the OpenTelemetry operator configures services. ``toolbox`` is a
    static busybox for containers of servers whose own images hold no other program. ``jobs`` run to their end, again every day. Each of
    ``stores`` has all traces that are kept; the first is asked first.
    """

    environment: str
    target: TargetKind
    namespace: str
    stores: tuple[Store, ...]
    workloads: tuple[Workload, ...]
    edges: tuple[Edge, ...]
    endpoints: Endpoints
    head_sampling: HeadSampling
    privacy: tuple[PrivacyRule, ...]
    outside: Mapping[OutsideName, Outside]
    quota: Quota
    toolbox: Server
    monitoring: Monitoring
    pull_secret: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    addresses: Family = "ipv4"
    certificates: tuple[Certificate, ...] = ()
    external_secrets: tuple[ExternalSecret, ...] = ()
    instrumentation: Instrumentation | None = None
    jobs: tuple[Job, ...] = ()

    @property
    def told_namespaces(self) -> tuple[str, ...]:
        """The namespaces where objects tell services where to send.

        Namespaces that are chosen by their labels are not known: for them the objects are in the backbone's own, to be copied from.
        """
        consumers = self.outside["consumers"]
        return (*consumers.namespaces, *((self.namespace,) if consumers.namespace_labels else ()))

    @property
    def filled_elsewhere(self) -> frozenset[str]:
        """The names of the Secrets that controllers of the cluster fill."""
        return frozenset([*(issued.secret for issued in self.certificates), *(stored.secret for stored in self.external_secrets)])

    @property
    def secrets(self) -> Mapping[str, tuple[str, ...]]:
        """The Secrets that the plan names, and the entries that are read of each.

        Keys of a Secret of type kubernetes.io/tls are ``tls.crt`` and ``tls.key``, of a pull secret ``.dockerconfigjson``; ``ca.crt`` is
        the certificate of an authority.
        """
        readers: tuple[Workload | Job, ...] = (*self.workloads, *self.jobs)
        read = [(file.secret, file.key) for reader in readers for file in reader.secret_files]
        read += [(variable.secret, variable.key) for reader in readers for variable in reader.secret_variables]
        for site in (w.site for w in self.workloads if w.site is not None):
            read += [(site.tls_secret, key) for key in ("tls.crt", "tls.key") if site.tls_secret is not None]
        if self.pull_secret is not None:
            read.append((self.pull_secret, ".dockerconfigjson"))
        return {name: tuple(sorted({key for secret, key in read if secret == name})) for name in sorted({secret for secret, _ in read})}

    def workload(self, name: str) -> Workload:
        """The workload of that name.

        Raises KeyError when the plan has none.
        """
        for workload in self.workloads:
            if workload.name == name:
                return workload
        raise KeyError(f"no workload {name!r}; the plan has {', '.join(w.name for w in self.workloads)}")
