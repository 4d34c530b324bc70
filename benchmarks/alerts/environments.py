"""The environments that are broken: production in small, and the same with less room, another store, or Kafka."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

from stacks.environment.sizing import queue_volume
from tests.servers.conftest import named
from tests.stacks import samples

if TYPE_CHECKING:
    from stacks.environment.model import Environment
    from stacks.environment.source import Named

EnvironmentName = Literal["small", "search", "kafka", "crowded", "tight", "disks", "tempo", "usual"]
"""``disks`` has volumes of their own size, ``tight`` low limits, ``small`` agents with little memory, ``crowded`` gateways with less.

``search`` keeps traces in OpenSearch, ``tempo`` in Tempo, and ``kafka`` has a topic between its collectors.
"""

NAMES: tuple[EnvironmentName, ...] = get_args(EnvironmentName)

QUEUE_BYTES = queue_volume(13 * 2**20)
ALL = {"wait": "2s", "slow": "1s", "baseline": "100 %", "baseline_limit": None}
"""Tail sampling that keeps every trace after a short wait."""


RARELY = "10s"
"""Interval of scrapes for a server whose memory is used up, because it is slow to show its metrics."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An environment as it is run: the factor by which times of its alerts are shorter, and whether its volumes are file systems.

    No range of a rule is shorter than ``least_seconds``, in which a server is scraped a few times. Workloads that are ``absent`` are not
    started. Programs that it ``needs`` must be on PATH, because ``toolchain/`` cannot build them.
    """

    named: Named
    factor: float = 1 / 60
    least_seconds: float = 20
    disks: bool = False
    absent: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()

    @property
    def missing(self) -> tuple[str, ...]:
        """The programs that it needs and that are not on PATH."""
        return tuple(program for program in sorted(self.needs) if shutil.which(program) is None)


@cache
def shape(name: EnvironmentName) -> Shape:
    """The environment of that name."""
    tight = {"tight": "2s", "crowded": RARELY}
    if name in {"usual", "disks"}:
        usual = _usual()
        return Shape(usual, disks=True) if name == "disks" else Shape(replace(usual, environment=_small_queues(usual.environment)))
    if name in tight:
        found = _tight(tight[name])
        if name == "tight":
            return Shape(found)
        return Shape(replace(found, environment=_with_memory(found.environment, "gateway", 64 * 2**20)), least_seconds=40)
    if name == "small":
        small = _small()
        return Shape(replace(small, environment=_with_memory(small.environment, "agent", 128 * 2**20)), least_seconds=40)
    return _with_other_servers(name)


def _with_other_servers(name: EnvironmentName) -> Shape:
    """Production on another store, or with a topic between its collectors."""
    if name == "kafka":
        # Members of a group are missed after six seconds at least.
        return Shape(_kafka(), factor=1 / 20)
    if name == "tempo":
        # None of its alerts is of Grafana, whose metrics are not scraped there.
        return Shape(_tempo(), absent=frozenset({"grafana"}), needs=frozenset({"tempo"}))
    return Shape(_search())


def _usual() -> Named:
    return named(
        "prod",
        sampling={"tail": ALL},
        aggregation={"flush_interval": "2s"},
        collectors={"gateway": {"replicas": 1, "queue": {"size": "64Mi"}}},
        backend={"volume": {"size": "4Gi"}, "sync_writes": False},
        ingest={"certificate": {"name": "company"}},
        load={"spans_per_second": 10, "nodes": 2},
        retention={"traces": "1d"},
    )


def _tight(flush: str = "2s") -> Named:
    """Low limits."""
    least = {"resources": {"memory": "192Mi"}}
    return named(
        "prod",
        sampling={"tail": ALL},
        aggregation={"flush_interval": flush, "span_metrics": {"cardinality_limit": 10}, "service_graph": {"max_edges": 300}},
        collectors={"agent": least, "gateway": {**least, "replicas": 1}},
        backend={"volume": {"size": "4Gi"}, "sync_writes": False},
        load={"spans_per_second": 1, "bytes_per_span": 16_384, "nodes": 1},
        retention={"traces": "1d"},
    )


def _small() -> Named:
    """A gateway with much memory, so that what is under way to it takes half of that of agents with little."""
    return named(
        "prod",
        sampling={"tail": ALL},
        aggregation={"flush_interval": RARELY},
        collectors={"agent": {"resources": {"memory": "192Mi"}}, "gateway": {"replicas": 1}},
        backend={"volume": {"size": "4Gi"}, "sync_writes": False},
        load={"spans_per_second": 10, "nodes": 2},
        retention={"traces": "1d"},
    )


def _search() -> Named:
    changes = {
        "access": samples.ABSENT,
        "sampling.tail": ALL,
        "aggregation.flush_interval": "2s",
        "collectors.gateway.replicas": 1,
        "load": {"spans_per_second": 10, "nodes": 2},
        "retention.traces": "1d",
    }
    return samples.named("prod-opensearch", changes, name="prod")


def _tempo() -> Named:
    changes = {
        "access": samples.ABSENT,
        "backend.limits": {"trace_size": "64Ki"},
        "sampling.tail": ALL,
        "aggregation.flush_interval": "2s",
        "collectors.gateway.replicas": 1,
        "load": {"spans_per_second": 10, "nodes": 2},
        "retention.traces": "1d",
    }
    return samples.named("prod-tempo", changes, name="prod")


def _kafka() -> Named:
    topic = {"servers": ["kafka.example.org:9093"], "sasl": {"secret": "tracing-kafka"}, "partitions": 12, "session_timeout": "6s"}
    return named(
        "prod",
        access=None,
        sampling={"tail": ALL},
        aggregation={"flush_interval": "2s"},
        collectors={"transport": "kafka", "kafka": topic, "gateway": {"resources": {"memory": "256Mi"}}},
        backend={"volume": {"size": "4Gi"}, "sync_writes": False},
        load={"spans_per_second": 10, "nodes": 2},
        retention={"traces": "1d"},
    )


def _with_memory(environment: Environment, name: Literal["agent", "gateway"], memory: int) -> Environment:
    """The environment with less memory than an environment may give a collector, so that a load of this machine uses it up."""
    section = environment.collectors.agent if name == "agent" else environment.collectors.gateway
    changed = section.model_copy(update={"resources": section.resources.model_copy(update={"memory": memory})})
    return environment.model_copy(update={"collectors": environment.collectors.model_copy(update={name: changed})})


def _small_queues(environment: Environment) -> Environment:
    """The environment with queues smaller than an environment may have, so that they are full after minutes."""
    both = environment.collectors
    agent = both.agent.model_copy(update={"queue": both.agent.queue and both.agent.queue.model_copy(update={"size": QUEUE_BYTES})})
    gateway = both.gateway.model_copy(update={"queue": both.gateway.queue.model_copy(update={"size": QUEUE_BYTES})})
    return environment.model_copy(update={"collectors": both.model_copy(update={"agent": agent, "gateway": gateway})})
