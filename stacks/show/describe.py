"""Description of an environment in ten lines."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from stacks.changes.moves import title, when_empty
from stacks.environment.figures import spans_with_agent, topic_bytes, traces_cut
from stacks.environment.sizing import RESTART_SECONDS, away_seconds, flow, needs, queue_seconds
from stacks.environment.starts import slow_start
from stacks.environment.units import approximate_bytes, format_bytes, format_cores, format_duration, format_percent
from stacks.plan.kafka import making, topic_name
from stacks.plan.names import of_store
from stacks.plan.remote import TRIED, place_in_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.workload import Plan
    from stacks.environment.jaeger import Jaeger
    from stacks.environment.kafka import Kafka
    from stacks.environment.model import Environment
    from stacks.environment.sections import AgentQueue, Ingest, Resources
    from stacks.environment.tempo import Storage
    from stacks.plan.addresses import Shape
    from stacks.plan.remote import Remote

_NAMED = 5
"""Namespaces that a description names; of more it gives the number."""


def describe(environment: Environment, plan: Plan) -> list[tuple[str, str]]:
    """Describe an environment in pairs of a word and a text."""
    section = environment.collectors.kafka
    return [
        ("target", _target(environment)),
        ("intake", _intake(environment)),
        ("sampling", _sampling(environment)),
        *([("agent", _agent(environment))] if environment.target.kind == "kubernetes" else []),
        ("gateway", _gateway(environment)),
        *([("kafka", _kafka(environment, section))] if section is not None else []),
        ("backend", _backend(environment, plan)),
        *_move(environment, plan),
        *_starts(environment),
        *_needs(environment),
        ("metrics", _metrics(environment)),
        ("access", _access(environment)),
        ("servers", ", ".join(sorted({f"{w.server.program} {w.server.tag}" for w in plan.workloads}))),
    ]


def left_out(environment: Environment, shape: Shape) -> list[str]:
    """The parts of an environment that this machine does not have in a shape, so that nobody takes them for granted."""
    if shape == "cluster":
        return ["what only Kubernetes has: names of pods on spans, network policies, limits of memory and disk"]
    asked = [
        ("the login proxy and its Ingress (the user interface is on loopback)", environment.access is not None),
        ("TLS on the intake", environment.ingest.tls_secret is not None),
        ("the token of the intake", environment.ingest.token_secret is not None),
        ("the namespaces that may send or scrape", bool(environment.ingest.namespaces or environment.aggregation.scraper_namespaces)),
        (f"{environment.collectors.gateway.replicas} gateways (one here)", environment.collectors.gateway.replicas > 1),
    ]
    return [what for what, is_asked in asked if is_asked]


def _share(resources: Resources) -> str:
    return f"{format_cores(resources.cpu)} CPU and {format_bytes(resources.memory)}"


def _target(environment: Environment) -> str:
    target = environment.target
    match target.kind:
        case "kubernetes":
            return f"Kubernetes, context {target.context}, namespace {environment.namespace}"
        case "docker":
            return f"Docker at {target.host}, names begin with {environment.namespace}"
        case "local":
            return "processes on this machine"


def _intake(environment: Environment) -> str:
    if environment.target.kind != "kubernetes":
        return "one collector on loopback, OTLP over gRPC and HTTP"
    ingest = environment.ingest
    guards = [what for what, there in (("TLS", ingest.tls_secret), ("a token", ingest.token_secret)) if there]
    how = f"with {' and '.join(guards)}" if guards else "in plain text"
    return f"an agent on each of {environment.load.nodes} nodes, {how}, from {_senders(ingest)}"


def _senders(ingest: Ingest) -> str:
    """The namespaces that may send, of which the first are named."""
    first, rest = ingest.namespaces[:_NAMED], len(ingest.namespaces) - _NAMED
    chosen = [f"namespaces with {', '.join(f'{key}={value}' for key, value in ingest.namespace_labels.items())}"]
    return ", ".join([*first, *([f"{rest:,} more"] if rest > 0 else []), *(chosen if ingest.namespace_labels else [])])


def _agent(environment: Environment) -> str:
    """The queue of an agent: how long a gateway may be away, how much is lost with a pod, and what a restart cuts."""
    queue, wait = environment.collectors.agent.queue, environment.sampling.tail.wait
    if environment.collectors.transport == "kafka":
        return _to_kafka(environment, queue)
    if queue is None:
        return "no queue: acknowledges what a gateway took; a killed gateway loses what waits, and one that is away holds senders back"
    away = away_seconds(environment)
    loses = queue.when_full == "lose" and environment.collectors.gateway.replicas > 1
    then = "then what comes for it is lost" if loses else "then senders are refused and repeat"
    full = "" if away >= _EVER else f" for {_floored(away)}, {then}"
    cut = f"; a wait of {format_duration(wait)} cuts traces as an agent restarts, {RESTART_SECONDS}s do not"
    return (
        f"queue of {format_bytes(queue.size)} holds the share of a gateway that is away{full}; a pod that is lost takes it along, and up "
        f"to {spans_with_agent(environment):,} spans{cut if wait.total_seconds() < RESTART_SECONDS else ''}"
    )


def _to_kafka(environment: Environment, queue: AgentQueue | None) -> str:
    if queue is None:
        return "no queue: acknowledges what Kafka has; while Kafka is away senders are refused and repeat"
    away = away_seconds(environment)
    full = "" if away >= _EVER else f" for {_floored(away)}, then senders are refused and repeat"
    return f"queue of {format_bytes(queue.size)} holds spans while Kafka is away{full}; a pod that is lost takes along what is in it"


def _kafka(environment: Environment, section: Kafka) -> str:
    """The topic: what it holds, what a gateway that is away means, and how it is made."""
    written = environment.collectors.transport == "kafka"
    holds = (
        f"holds {approximate_bytes(topic_bytes(environment))} with {section.replication} copies of {format_duration(section.retention)}"
        if written
        else ("is read, and agents do not write to it")
    )
    return (
        f"topic {topic_name(environment, section)} of {section.partitions} partitions (tried with Kafka {TRIED['kafka']}) {holds}; "
        f"a gateway that is away for {format_duration(section.session_timeout)} is taken over, which cuts up to "
        f"{traces_cut(environment):,} traces in two, those that wait on what moves; make the topic: {making(environment, section)}"
    )


_EVER = 36_500 * 86_400
"""Seconds of a hundred years, which no outage lasts; a load of next to nothing would fill a queue in more than a calendar has."""


def _floored(seconds: float) -> str:
    """A time in the largest of its units, rounded down."""
    unit = next((unit for unit in (86_400, 3_600, 60) if seconds >= 2 * unit), 1)
    return format_duration(timedelta(seconds=max(1, seconds // unit * unit)))


def _hours(seconds: float) -> str:
    """A time in whole hours, rounded down; below an hour in the largest of its units."""
    return format_duration(timedelta(hours=seconds // 3600)) if seconds >= 3600 else _floored(seconds)  # noqa: PLR2004 - an hour


def _sampling(environment: Environment) -> str:
    tail = environment.sampling.tail
    kept = [*(["failed"] if tail.errors else []), *([f"{format_duration(tail.slow)} or slower"] if tail.slow is not None else [])]
    limit = f", {tail.baseline_limit:g} spans/s and gateway at most" if tail.baseline_limit is not None else ""
    noise = f", none of {', '.join(sorted(tail.noise))}" if tail.noise else ""
    rest = f"{format_percent(tail.baseline)} of the rest{limit}{noise}"
    return f"{format_percent(environment.sampling.head_ratio)} recorded; kept: {', '.join([*kept, rest])}"


def _gateway(environment: Environment) -> str:
    gateway, spans = environment.collectors.gateway, flow(environment)
    covered = queue_seconds(environment)
    outage = "any outage" if covered >= _EVER else f"{_hours(covered)} of outage"
    wait = format_duration(environment.sampling.tail.wait)
    most = f" to {gateway.autoscaling.max_replicas}" if gateway.autoscaling is not None else ""
    queue = f"queue of {format_bytes(gateway.queue.size)} covers {outage}"
    return f"{spans.gateways}{most} × {_share(gateway.resources)}, decides after {wait}; {queue}"


def _move(environment: Environment, plan: Plan) -> Iterator[tuple[str, str]]:
    """The second store, and when one of the two can be taken away."""
    second, also = environment.beside, environment.backend.also
    if second is None or also is None:
        return
    yield "also", _backend(second, plan)
    first, other = title(environment.backend), title(second.backend)
    yield (
        "move",
        (
            f"traces go to both, each with a queue of its own; {_asked(environment, second)}; without a loss {other} "
            f"can be taken away {when_empty(second, also.since)}, and {first} {when_empty(environment, also.since)}"
        ),
    )


def _asked(first: Environment, second: Environment) -> str:
    """The order in which two stores are asked, of which one that is there already may have no API for it."""
    names = [title(each.backend) for each in (first, second)]
    silent = [name for each, name in zip((first, second), names, strict=True) if not _is_read(each)]
    match silent:
        case []:
            return f"{names[0]} is asked first, {names[1]} for what it lacks"
        case [one]:
            return f"{next(name for name in names if name != one)} alone is asked from here, and {one} is read in its own user interface"
    return "neither is read from here, but each in its own user interface"


def _is_read(environment: Environment) -> bool:
    return environment.backend.kind != "otlp" or environment.backend.query_url is not None


def _backend(environment: Environment, plan: Plan) -> str:
    backend, kept = environment.backend, format_duration(environment.retention.traces)
    if backend.kind == "otlp":
        asked = f"read by the API of {backend.query_protocol.title()} at {backend.query_url}" if backend.query_url else "not read from here"
        return f"{backend.endpoint}, there already, {asked}; it keeps its own retention, and is taken to keep {kept}"
    protected = "protected" if backend.protect else "not protected"
    version = plan.workload(of_store(backend.kind, environment)).server.tag
    if backend.kind == "jaeger" and backend.storage.kind != "badger":
        return _elsewhere(environment, backend, backend.storage, plan)
    if backend.kind == "jaeger":
        room = format_bytes(backend.volume.size) if backend.volume is not None else "no volume"
        return f"Jaeger {version} on Badger (tried with {TRIED['badger']}), {room}, {_share(backend.resources)}, {kept}, {protected}"
    storage = backend.storage
    return f"Tempo {version} (tried with {TRIED['tempo']}) on {_storage(storage)}, {_share(backend.resources)}, {kept}, {protected}"


def _storage(storage: Storage) -> str:
    """Place of Tempo's blocks."""
    match storage.kind:
        case "volume":
            return format_bytes(storage.size)
        case "s3":
            return f"bucket {storage.bucket} at {storage.endpoint}"
        case "gcs":
            return f"bucket {storage.bucket} of Google Cloud"
        case "azure":
            return f"container {storage.bucket} at {storage.account}.{storage.endpoint}"
        case _:
            assert_never(storage.kind)


def _elsewhere(environment: Environment, backend: Jaeger, storage: Remote, plan: Plan) -> str:
    """Jaeger before a store that stands elsewhere, with the version of the store that it was tried with."""
    taking, kept = plan.workload(of_store("jaeger", environment)), format_duration(environment.retention.traces)
    most = f" to {taking.most_replicas}" if taking.autoscaling is not None else ""
    tried = f"tried with {TRIED[storage.kind]}" if storage.kind in TRIED else "not tried here"
    place = f"{'keyspace' if storage.kind == 'cassandra' else 'indices'} {place_in_store(storage, plan.environment)}"
    return (
        f"{taking.replicas}{most} × Jaeger {taking.server.tag}, {_share(backend.resources)}, before {storage.kind} ({tried}), {place} at "
        f"{', '.join(storage.servers)}, {kept}; {plan.workload(of_store('query', environment)).replicas} × query, {_share(backend.query)}"
    )


def _starts(environment: Environment) -> Iterator[tuple[str, str]]:
    """Starts of stores that read what they have."""
    for each in environment.stores:
        if (start := slow_start(each)) is not None:
            yield "start", start


def _needs(environment: Environment) -> Iterator[tuple[str, str]]:
    for need in needs(environment):
        word = "memory" if need.key.endswith("memory") else "disk"
        yield word, f"{need.arithmetic} of {approximate_bytes(need.provided)}"


def _metrics(environment: Environment) -> str:
    spans = environment.aggregation.span_metrics
    extra = f" and {', '.join(spans.dimensions)}" if spans.dimensions else ""
    return f"spans by service, name, kind, status{extra} ({spans.cardinality_limit:,} series a service at most); service graph"


def _access(environment: Environment) -> str:
    if environment.target.kind != "kubernetes":
        return "user interface on 127.0.0.1"
    access = environment.access
    if environment.backend.kind == "otlp":
        return f"that of the store, {environment.backend.ui_url}"
    if access is None:
        return "user interface by port-forward alone"
    return f"https://{access.host} for {', '.join(access.operator_groups)}, logged in at {access.oidc_issuer}"
