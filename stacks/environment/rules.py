"""What cannot work although each setting by itself is right. Arithmetic on the load is in ``stacks.environment.sizing``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from stacks.environment.sizing import acknowledge_seconds, answers_late
from stacks.environment.units import format_duration, format_percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.model import Environment

Broken = tuple[str, str]
"""The key below ``environment``, and what is wrong and would be right."""


def broken_rules(environment: Environment) -> Iterator[Broken]:
    """Every rule that an environment breaks."""
    yield from _target(environment)
    yield from _backend(environment)
    yield from _tail(environment)
    yield from _head(environment)
    yield from _aggregation(environment)
    yield from _memory(environment)
    yield from _ingest(environment)


def _target(environment: Environment) -> Iterator[Broken]:
    if environment.target.kind == "kubernetes" and not environment.ingest.namespaces:
        yield "ingest.namespaces", "no namespace may send, so no span would arrive; name those of your services, for example [virtengine]"
    if environment.namespace in environment.ingest.namespaces:
        yield "ingest.namespaces", f'"{environment.namespace}" is the backbone\'s own namespace; name those of your services'


def _backend(environment: Environment) -> Iterator[Broken]:
    backend = environment.backend
    if backend.replicas > 1 and backend.kind == "jaeger":
        yield (
            "backend.replicas",
            f"Badger is opened by one process, not shared by {backend.replicas}; write 1, or choose kind: tempo",
        )
    elif backend.replicas > 1:
        yield "backend.replicas", f"monolithic Tempo 3 is one process without Kafka and cannot be {backend.replicas}; write 1"


def _tail(environment: Environment) -> Iterator[Broken]:
    tail, gateway = environment.sampling.tail, environment.collectors.gateway
    needed = timedelta(seconds=acknowledge_seconds(environment)) if answers_late(environment) else tail.wait
    if needed >= gateway.grace_period:
        enough = format_duration(needed + timedelta(seconds=20))
        yield (
            "sampling.tail.wait",
            (
                f"{format_duration(tail.wait)}, after which agents are answered within {format_duration(needed)}, is not shorter than "
                f"collectors.gateway.grace_period ({format_duration(gateway.grace_period)}), so a rollout would cut off what waits; "
                f"write a shorter wait, or a grace period of {enough} or more"
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


def _aggregation(environment: Environment) -> Iterator[Broken]:
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
"""Bounds of a memory limit: below, most of the memory is wasted; above, it acts no sooner than the garbage collector, at nine tenths."""


def _memory(environment: Environment) -> Iterator[Broken]:
    right = f"{format_percent(LEAST_MEMORY)} to {format_percent(MOST_MEMORY)}"
    for name, collector in (("agent", environment.collectors.agent), ("gateway", environment.collectors.gateway)):
        if not LEAST_MEMORY <= collector.memory_limit <= MOST_MEMORY:
            limit = format_percent(collector.memory_limit)
            yield f"collectors.{name}.memory_limit", f"{limit} is out of bounds; write {right}, so that it refuses before it is killed"


def _ingest(environment: Environment) -> Iterator[Broken]:
    ingest = environment.ingest
    if ingest.token_secret and not ingest.tls_secret:
        yield "ingest.token_secret", "would cross the network in clear; name a TLS secret in ingest.tls_secret too"
