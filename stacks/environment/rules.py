"""Rules across settings, each of which is right by itself. Arithmetic on the load is in ``stacks.environment.sizing``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from components.documents.series import NO_LABELS, SPAN_LABELS
from components.documents.text import prometheus_label
from stacks.environment.backend_rules import broken_backend_rules
from stacks.environment.cluster_rules import broken_cluster_rules
from stacks.environment.floors import floors, store_floors
from stacks.environment.move_rules import broken_move_rules, of_second
from stacks.environment.sizing import answers_late, grace_seconds
from stacks.environment.store_rules import broken_store_rules
from stacks.environment.transport_rules import broken_transport_rules
from stacks.environment.units import format_bytes, format_duration, format_percent, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stacks.environment.cluster_rules import Broken
    from stacks.environment.model import Environment


def broken_rules(environment: Environment) -> Iterator[Broken]:
    """Every rule that an environment breaks."""
    yield from _target(environment)
    yield from _store(environment)
    yield from _tail(environment)
    yield from _head(environment)
    yield from _aggregation(environment)
    yield from _memory(environment)
    yield from _small(floors(environment))
    yield from _queue(environment)
    yield from _ingest(environment)
    yield from _images(environment)
    yield from broken_move_rules(environment)
    if environment.beside is not None:
        # What both have wrong for one reason is said once.
        said = set(_store(environment))
        yield from (broken for broken in of_second(environment, _store(environment.beside)) if broken not in said)
    yield from broken_transport_rules(environment)
    yield from broken_cluster_rules(environment)


def _target(environment: Environment) -> Iterator[Broken]:
    ingest = environment.ingest
    if environment.target.kind == "kubernetes" and not (ingest.namespaces or ingest.namespace_labels):
        yield "ingest.namespaces", "no namespace may send, so no span would arrive; name those of your services, for example [virtengine]"
    if environment.target.kind == "kubernetes" and "nodes" not in environment.load.model_fields_set:
        yield (
            "load.nodes",
            "is required on a cluster: the quota and each agent's share of the load follow from it; write how many there are",
        )
    if environment.namespace in ingest.namespaces:
        yield "ingest.namespaces", f'"{environment.namespace}" is the backbone\'s own namespace; name those of your services'


def _store(environment: Environment) -> Iterator[Broken]:
    """Every rule that the backend breaks."""
    yield from _backend(environment)
    yield from broken_store_rules(environment)
    yield from _small(store_floors(environment))
    yield from broken_backend_rules(environment)


def _backend(environment: Environment) -> Iterator[Broken]:
    backend = environment.backend
    if backend.kind == "tempo" and backend.replicas > 1:
        yield "backend.replicas", f"monolithic Tempo 3 is one process without Kafka and cannot be {backend.replicas}; write 1"


def _tail(environment: Environment) -> Iterator[Broken]:
    tail, late = environment.sampling.tail, answers_late(environment)
    grace = timedelta(seconds=grace_seconds(environment, late=late))
    if not late and tail.wait >= grace:
        yield (
            "sampling.tail.wait",
            (
                f"{format_duration(tail.wait)} is not shorter than collectors.gateway.grace_period ({format_duration(grace)}), so a "
                "rollout would cut off what waits; write a shorter wait, or a grace period of "
                f"{format_duration(tail.wait + timedelta(seconds=20))} or more"
            ),
        )
    if tail.wait.total_seconds() != int(tail.wait.total_seconds()):
        whole = timedelta(seconds=max(1, round(tail.wait.total_seconds())))
        yield (
            "sampling.tail.wait",
            f'{format_duration(tail.wait)} is cut to whole seconds by the collector; write "{format_duration(whole)}"',
        )
    if tail.slow is not None and tail.slow >= tail.wait:
        yield (
            "sampling.tail.slow",
            (
                f"{format_duration(tail.slow)} is not shorter than sampling.tail.wait ({format_duration(tail.wait)}), so a slow trace is "
                f"decided on before it is known to be slow; write less than {format_duration(tail.wait)}, or a longer wait"
            ),
        )
    if not tail.baseline and not tail.errors and tail.slow is None:
        yield "sampling.tail", "keeps no trace at all; set errors: true, a slow threshold, or a baseline above 0 %"


def _head(environment: Environment) -> Iterator[Broken]:
    for service, strategy in environment.sampling.strategies.services.items():
        key = f"sampling.strategies.services.{service}"
        if (strategy.ratio is None) == (strategy.traces_per_second is None):
            both = "has both ratio and traces_per_second" if strategy.ratio is not None else "has neither ratio nor traces_per_second"
            yield key, f"{both}; write exactly one of them"
        elif strategy.operations and strategy.ratio is None:
            yield f"{key}.operations", "stand beside traces_per_second, which the protocol does not know; write ratio in its place"
    for service, operations in environment.sampling.targets.items():
        for operation, target in operations.items():
            if target.floor > target.ceiling:
                yield (
                    f"sampling.targets.{service}.{operation}.floor",
                    f"{format_percent(target.floor)} is above the ceiling of {format_percent(target.ceiling)}; write that or less",
                )


def _dimensions(environment: Environment) -> Iterator[Broken]:
    """Attributes that the collector's connectors refuse, or of which its Prometheus exporter would make a label that is there already."""
    aggregation = environment.aggregation
    sections = (("span_metrics", aggregation.span_metrics, SPAN_LABELS), ("service_graph", aggregation.service_graph, ()))
    for name, section, own in sections:
        labels: dict[str, str] = {}
        for dimension in section.dimensions:
            key, label = f"aggregation.{name}.dimensions", prometheus_label(dimension)
            if not label or label.startswith("__"):
                yield (
                    key,
                    f'{shown(dimension)} makes no label of Prometheus; write an attribute of letters and digits, for example "http.route"',
                )
            elif label in own:
                yield key, f"{shown(dimension)} is the label {label}, which every series has without it; leave it out"
            elif name == "span_metrics" and label in NO_LABELS:
                yield key, f"{shown(dimension)} is a name that the collector keeps for itself; leave it out"
            elif label in labels:
                yield key, f"{shown(labels[label])} and {shown(dimension)} are one label, {label}; keep one of them"
            labels.setdefault(label, dimension)


def _aggregation(environment: Environment) -> Iterator[Broken]:
    yield from _dimensions(environment)
    aggregation = environment.aggregation
    for name, buckets in (("span_metrics", aggregation.span_metrics.buckets), ("service_graph", aggregation.service_graph.buckets)):
        if list(buckets) != sorted(set(buckets)):
            right = ", ".join(format_duration(bucket) for bucket in sorted(set(buckets)))
            yield f"aggregation.{name}.buckets", f"do not rise; write [{right}]"
    if aggregation.span_metrics.expiry <= aggregation.flush_interval:
        yield (
            "aggregation.span_metrics.expiry",
            (
                f"{format_duration(aggregation.span_metrics.expiry)} is not longer than aggregation.flush_interval "
                f"({format_duration(aggregation.flush_interval)}), so series would vanish between two flushes; write "
                f"{format_duration(aggregation.flush_interval * 4)} or more"
            ),
        )


LEAST_MEMORY, MOST_MEMORY = 0.4, 0.85
"""Bounds of a memory limit: below, most of the memory is wasted; above, what a process holds beside its heap has no room."""


def _memory(environment: Environment) -> Iterator[Broken]:
    right = f"{format_percent(LEAST_MEMORY)} to {format_percent(MOST_MEMORY)}"
    for name, collector in (("agent", environment.collectors.agent), ("gateway", environment.collectors.gateway)):
        if not LEAST_MEMORY <= collector.memory_limit <= MOST_MEMORY:
            limit = format_percent(collector.memory_limit)
            yield f"collectors.{name}.memory_limit", f"{limit} is out of bounds; write {right}, so that it refuses before it is killed"


def _small(sizes: Iterable[tuple[str, str, int, int]]) -> Iterator[Broken]:
    """Sizes with which a server does not start, or not for long."""
    for key, what, given, least in sizes:
        if given < least:
            yield key, f'{format_bytes(given)} is less than {what} needs without any load; write "{format_bytes(least)}" or more'


def _queue(environment: Environment) -> Iterator[Broken]:
    queue = environment.collectors.agent.queue
    if queue is not None and queue.sync_writes and queue.when_full == "lose":
        yield (
            "collectors.agent.queue.when_full",
            '"lose" acknowledges before the disk has it, against sync_writes: true; write "refuse", or sync_writes: false',
        )


def _images(environment: Environment) -> Iterator[Broken]:
    """Digests of programs that nothing here runs: a pinned image that is not pinned."""
    # The strategy server is Jaeger's binary whatever the backend.
    used = {"otelcol-contrib", "jaeger", "busybox"}
    for backend in (each.backend for each in environment.stores):
        indexed = backend.kind == "jaeger" and backend.storage.kind in {"opensearch", "elasticsearch"}
        used |= {"jaeger-es-index-cleaner"} if indexed else set()
        used |= {"tempo", "grafana"} if backend.kind == "tempo" else set()
    used |= {"oauth2-proxy"} if environment.access else set()
    for program in environment.images.digests:
        if program not in used:
            yield f"images.digests.{program}", f"no {program} runs here; leave it out. What runs: {', '.join(sorted(used))}"


def _ingest(environment: Environment) -> Iterator[Broken]:
    ingest = environment.ingest
    access = environment.access
    if access is not None and "openid" not in access.scopes:
        right = ", ".join(["openid", *access.scopes])
        yield "access.scopes", f"without openid the issuer gives no identity, and nobody could log in; write [{right}]"
    if ingest.token_secret and not ingest.tls_secret:
        yield "ingest.token_secret", "would cross the network in clear; name a TLS secret in ingest.tls_secret too"
