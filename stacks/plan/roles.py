"""The table of roles: the workload, program, placement, builder and edges of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, assert_never, get_args

from components.documents import ports
from components.workload import Edge, OutsideName, Port
from stacks.plan import collectors, kafka, login, object_storage, stores, strategies, trace_stores
from stacks.plan.addresses import Bound
from stacks.plan.names import of_store, servers_of_store
from stacks.plan.parts import Inputs, port_of
from stacks.plan.remote import remote, store_ports
from stacks.plan.trace_stores import CLEANER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from components.workload import Job, RoleName, Workload
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses, Shape

WorkloadName = Literal["agent", "gateway", "jaeger", "query", "tempo", "grafana", "sampling", "access"]
"""Names of workloads without that of a store, in the order of a plan. Each has a record in ``role_of``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Record of one role: all that the plan knows of it beside the documents of its server.

    ``port`` is the one that services, people or programs outside of the plan use. ``on_one_host`` and ``in_cluster`` say in which shapes of
    a plan it is placed; both are required, so that no role is left out of one by omission. ``build`` gives its workload, or None where the
    environment does not ask for it. ``edges`` gives the edges that lead to it, and from it to servers outside of the plan. What is
    ``of_store`` is there once for each store, and its environment is that of this store.
    """

    workload: WorkloadName
    role: RoleName
    program: str
    port: Port
    on_one_host: bool
    in_cluster: bool
    build: Callable[[Inputs], Workload | None]
    edges: Callable[[Environment, Mapping[str, Workload]], Iterator[Edge]]
    of_store: bool = False

    def environments(self, environment: Environment) -> tuple[Environment, ...]:
        """The environment as each workload of the role has it."""
        return environment.stores if self.of_store else (environment,)

    def name_in(self, environment: Environment) -> str:
        """Name of the workload."""
        return of_store(self.workload, environment) if self.of_store else self.workload

    def placed_in(self, shape: Shape) -> bool:
        """Whether plans of this shape have the role."""
        match shape:
            case "one-host":
                return self.on_one_host
            case "cluster":
                return self.in_cluster
            case _:
                assert_never(shape)


def role_of(workload: WorkloadName) -> Role:
    """The record of the role that a workload has."""
    match workload:
        case "agent":
            role = AGENT
        case "gateway":
            role = GATEWAY
        case "jaeger":
            role = JAEGER
        case "query":
            role = QUERY
        case "tempo":
            role = TEMPO
        case "grafana":
            role = GRAFANA
        case "sampling":
            role = SAMPLING
        case "access":
            role = ACCESS
        case _:
            assert_never(workload)
    return role


def workloads(environment: Environment, addresses: Addresses, *, name: str) -> Iterator[Workload]:
    """The workloads of the environment ``name`` on a target, in the order of a plan."""
    for role in map(role_of, get_args(WorkloadName)):
        for each in role.environments(environment) if role.placed_in(addresses.shape) else ():
            built = role.build(Inputs(name, each, addresses, role.name_in(each), role.role, role.program))
            if built is not None:
                yield built


def edges(environment: Environment, placed: Mapping[str, Workload], jobs: Iterable[Job] = ()) -> list[Edge]:
    """The edges of a plan with these workloads and jobs: what services reach, the pipeline, the servers outside, then what is scraped."""
    outside: tuple[str, ...] = get_args(OutsideName)
    found = [edge for role in map(role_of, get_args(WorkloadName)) for edge in _of_role(role, environment, placed)]
    # A job has the name of its store, as the workloads have.
    found += [
        edge for job in jobs for each in environment.stores if job.name == of_store(CLEANER, each) for edge in _to_store(job.name, each)
    ]
    reached = [edge for edge in found if edge.source == "consumers"]
    pipeline = [edge for edge in found if edge.source != "consumers" and edge.destination not in outside]
    called = [edge for name in outside for edge in found if edge.destination == name]
    return [*reached, *pipeline, *called, *_scraped("scrapers", placed)]


def _of_role(role: Role, environment: Environment, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    for number, each in enumerate(role.environments(environment)):
        if role.name_in(each) in placed:
            for edge in role.edges(each, placed):
                # The login proxy is before the store that is asked first.
                yield replace(edge, source="port-forwards") if number and edge.source == ACCESS.workload else edge


def user_interface(environment: Environment) -> Role | None:
    """The role that shows traces to people; None where the store and its user interface are there already."""
    match environment.backend.kind:
        case "jaeger":
            return query_server(environment)
        case "tempo":
            return GRAFANA
        case "otlp":
            return None


def query_server(environment: Environment) -> Role | None:
    """The role that answers queries for traces; None where the store is there already."""
    match environment.backend.kind:
        case "jaeger":
            return JAEGER if environment.backend.embedded else QUERY
        case "tempo":
            return TEMPO
        case "otlp":
            return None


def _scraped(by: str, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    """Every port with metrics, reached by those that scrape; a pod reaches itself without an edge."""
    for workload in placed.values():
        for page in workload.metrics if workload.name != by else ():
            yield Edge(by, workload.name, workload.port(page.port))


def _asked(workload: str, environment: Environment) -> Iterator[Edge]:
    """The servers of metrics and logs that a user interface asks."""
    monitoring = environment.monitoring
    named: tuple[tuple[OutsideName, str | None], ...] = (
        ("prometheus", monitoring.prometheus),
        ("loki", monitoring.loki if workload == GRAFANA.name_in(environment) else None),
    )
    for server, url in named:
        if url is not None:
            yield Edge(workload, server, port_of(url))


def _from_services(workload: Workload) -> Iterator[Edge]:
    for port in (ports.OTLP_GRPC, ports.OTLP_HTTP):
        yield Edge("consumers", workload.name, workload.port(port.name))


def _to_agent(environment: Environment, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    yield from _from_services(placed["agent"])
    # Policies see the port of the server behind the Service of the API, which is 6443 almost everywhere.
    for number in (443, 6443):
        yield Edge("agent", "kubernetes-api", Port("https", number, "http"))
    if (store := environment.monitoring.remote_write) is not None:
        yield Edge("agent", "metrics-store", port_of(store.url))
        yield from _scraped("agent", placed)


def _to_gateway(environment: Environment, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    gateway = placed["gateway"]
    if "agent" in placed:
        yield Edge("agent", "gateway", gateway.port(ports.OTLP_HTTP.name))
    else:
        yield from _from_services(gateway)
    for each in environment.stores:
        if each.backend.kind == "otlp":
            yield Edge("gateway", servers_of_store(each), port_of(each.backend.endpoint))
    if "agent" in placed:
        yield from kafka.edges(environment)


def _to_jaeger(environment: Environment, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    jaeger = placed[JAEGER.name_in(environment)]
    yield Edge("gateway", jaeger.name, jaeger.port(ports.OTLP_GRPC.name))
    if QUERY.name_in(environment) in placed:
        yield from _to_store(jaeger.name, environment)
    else:
        yield _from_people(jaeger, JAEGER.port, placed)
        yield from _asked(jaeger.name, environment)


def _to_query(environment: Environment, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    query = placed[QUERY.name_in(environment)]
    yield _from_people(query, QUERY.port, placed)
    yield from _to_store(query.name, environment)
    yield from _asked(query.name, environment)


def _to_store(source: str, environment: Environment) -> Iterator[Edge]:
    """The servers of a store that stands elsewhere."""
    storage = remote(environment)
    if storage is not None:
        for port in dict.fromkeys(port for _, port in store_ports(storage)):
            yield Edge(source, servers_of_store(environment), port)


def _to_tempo(environment: Environment, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    tempo = placed[TEMPO.name_in(environment)]
    yield Edge("gateway", tempo.name, tempo.port(ports.OTLP_GRPC.name))
    yield Edge(GRAFANA.name_in(environment), tempo.name, tempo.port(TEMPO.port.name))
    if "agent" not in placed:
        # On one host programs read traces from where it publishes the query API; Jaeger's is on the port of its interface.
        yield Edge("operators", tempo.name, tempo.port(TEMPO.port.name))
    if environment.backend.kind == "tempo":
        yield from object_storage.edges(tempo.name, environment.backend.storage)


def _to_grafana(environment: Environment, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    grafana = placed[GRAFANA.name_in(environment)]
    yield _from_people(grafana, GRAFANA.port, placed)
    yield from _asked(grafana.name, environment)


def _from_people(workload: Workload, port: Port, placed: Mapping[str, Workload]) -> Edge:
    """The edge by which people reach a user interface: through the login proxy where there is one."""
    return Edge("access" if "access" in placed else "operators", workload.name, workload.port(port.name))


def _to_sampling(_: Environment, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    for port in (ports.STRATEGIES, ports.STRATEGIES_GRPC):
        yield Edge("consumers", "sampling", placed["sampling"].port(port.name))


def _to_access(environment: Environment, placed: Mapping[str, Workload]) -> Iterator[Edge]:
    yield Edge("operators", "access", placed["access"].port(ACCESS.port.name))
    if environment.access is not None:
        yield Edge("access", "oidc-issuer", port_of(environment.access.oidc_issuer))


def _jaeger(inputs: Inputs) -> Workload | None:
    backend = inputs.environment.backend
    if backend.kind != "jaeger":
        return None
    if (storage := remote(inputs.environment)) is not None:
        return trace_stores.jaeger(inputs, backend, storage)
    return stores.jaeger(inputs, backend, backend.volume) if backend.volume is not None else None


def _query(inputs: Inputs) -> Workload | None:
    backend, storage = inputs.environment.backend, remote(inputs.environment)
    return trace_stores.query(inputs, backend, storage) if backend.kind == "jaeger" and storage is not None else None


def _tempo(inputs: Inputs) -> Workload | None:
    backend = inputs.environment.backend
    return stores.tempo(inputs, backend) if backend.kind == "tempo" else None


def _grafana(inputs: Inputs) -> Workload | None:
    backend = inputs.environment.backend
    return stores.grafana(inputs, backend) if backend.kind == "tempo" else None


def _access(inputs: Inputs) -> Workload | None:
    section, shown = inputs.environment.access, user_interface(inputs.environment)
    if section is None or shown is None:
        return None
    return login.login_proxy(
        inputs, section, upstream=f"http://{Bound(inputs.addresses, shown.name_in(inputs.environment)).call(shown.port)}"
    )


AGENT = Role(
    workload="agent",
    role="agent",
    program="otelcol-contrib",
    port=ports.OTLP_GRPC,
    on_one_host=False,
    in_cluster=True,
    build=collectors.agent,
    edges=_to_agent,
)
GATEWAY = Role(
    workload="gateway",
    role="gateway",
    program="otelcol-contrib",
    port=ports.OTLP_GRPC,
    on_one_host=True,
    in_cluster=True,
    build=collectors.gateway,
    edges=_to_gateway,
)
JAEGER = Role(
    workload="jaeger",
    role="backend",
    program="jaeger",
    port=ports.JAEGER_QUERY,
    on_one_host=True,
    in_cluster=True,
    build=_jaeger,
    edges=_to_jaeger,
    of_store=True,
)
QUERY = Role(
    workload="query",
    role="ui",
    program="jaeger",
    port=ports.JAEGER_QUERY,
    on_one_host=True,
    in_cluster=True,
    build=_query,
    edges=_to_query,
    of_store=True,
)
TEMPO = Role(
    workload="tempo",
    role="backend",
    program="tempo",
    port=ports.TEMPO_QUERY,
    on_one_host=True,
    in_cluster=True,
    build=_tempo,
    edges=_to_tempo,
    of_store=True,
)
GRAFANA = Role(
    workload="grafana",
    role="ui",
    program="grafana",
    port=ports.GRAFANA,
    on_one_host=True,
    in_cluster=True,
    build=_grafana,
    edges=_to_grafana,
    of_store=True,
)
SAMPLING = Role(
    workload="sampling",
    role="sampling",
    program="jaeger",
    port=ports.STRATEGIES,
    on_one_host=True,
    in_cluster=True,
    build=strategies.strategy_server,
    edges=_to_sampling,
)
ACCESS = Role(
    workload="access",
    role="access",
    program="oauth2-proxy",
    port=ports.ACCESS,
    on_one_host=False,
    in_cluster=True,
    build=_access,
    edges=_to_access,
)
