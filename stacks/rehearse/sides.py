"""The traces that an environment keeps of a recording, and what is lost from one environment to another."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from components.documents.shards import shard_of
from stacks.environment.sizing import burst_spans, disk_need, flow, stored_span_bytes
from stacks.rehearse.gateway import by_second, decided
from stacks.rehearse.recording import spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stacks.environment.model import Environment
    from stacks.environment.sizing import Need
    from stacks.environment.source import Named
    from stacks.rehearse.recording import Trace

BASELINE = "baseline"
Kept = Mapping[bytes, str]
"""The policy that keeps each kept trace, by trace id."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Amount of traces, of their spans, and of the bytes of these in OTLP."""

    traces: int
    spans: int
    bytes: int

    @classmethod
    def of(cls, traces: Iterable[Trace]) -> Amount:
        """The amount of some traces."""
        listed = list(traces)
        return cls(len(listed), spans_of(listed), sum(trace.bytes for trace in listed))


@dataclass(frozen=True, slots=True)
class Lost:
    """Traces of one kind and one root that B loses and A keeps, with the id of one of them."""

    kind: str
    name: str
    traces: int
    example: str
    policy: str


@dataclass(frozen=True, slots=True)
class Service:
    """Amounts of one service: what was recorded, and what is kept under A and under B."""

    recorded: Amount
    kept: tuple[Amount, Amount]


@dataclass(frozen=True, slots=True)
class Side:
    """The traces that one environment keeps of a recording.

    ``kept`` has the policy that keeps each trace, by trace id. ``limited`` are the ids of the traces that the limit of the baseline drops,
    ``cut`` is how many traces are decided on before their last span has come. ``series`` are those that one collector makes of all spans,
    by metric. ``disk`` is the need of the environment's load when of it as much is kept; None for a bucket and a store
    elsewhere.
    """

    kept: Kept
    limited: frozenset[bytes]
    cut: int
    series: Mapping[str, int]
    disk: Need | None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The traces of a recording that each of two environments keeps.

    ``policies`` has an amount under A and one under B for each name. Of a trace that several policies keep, the first is named.
    """

    recorded: Amount
    kept: tuple[Amount, Amount]
    policies: Mapping[str, tuple[Amount, Amount]]
    services: Mapping[str, Service]
    lost: tuple[Lost, ...]
    gained: int
    sides: tuple[Side, Side]

    def __bool__(self) -> bool:
        return bool(self.lost or self.gained)

    def as_mapping(self) -> dict[str, Any]:
        """The rehearsal for programs, without the ids of all traces."""
        sides = [{**asdict(replace(one, kept={})), "limited": len(one.limited)} for one in self.sides]
        for one in sides:
            del one["kept"]
        return asdict(replace(self, sides=())) | {"sides": sides}  # type: ignore[arg-type]  # instead of copying all ids


def rehearse(old: Named, new: Named, traces: Sequence[Trace], *, say: Callable[[str], None]) -> Rehearsal:
    """Let the gateways of both environments decide on recorded traces. The same recording gives the same result.

    Raises ``LocalError`` where the collector cannot be run.
    """
    return comparison(old, (side(old, traces, say=say), side(new, traces, say=say)), traces)


def comparison(old: Named, sides: tuple[Side, Side], traces: Sequence[Trace]) -> Rehearsal:
    """Compare what two environments keep of recorded traces; of ``old`` are the traces that may be lost."""
    a, b = (one.kept for one in sides)
    names = sorted({*a.values(), *b.values()})
    services = sorted({one.service for trace in traces for one in trace.spans})
    return Rehearsal(
        recorded=Amount.of(traces),
        kept=(_kept(traces, a), _kept(traces, b)),
        policies={name: (_by(traces, a, name), _by(traces, b, name)) for name in names},
        services={
            name: Service(_of_service(traces, name), (_of_service(_those(traces, a), name), _of_service(_those(traces, b), name)))
            for name in services
        },
        lost=_lost([trace for trace in traces if trace.id in a and trace.id not in b], a, slow_seconds=_slow(old.environment)),
        gained=sum(trace.id in b and trace.id not in a for trace in traces),
        sides=sides,
    )


def side(named: Named, traces: Sequence[Trace], *, say: Callable[[str], None]) -> Side:
    """Let the gateway of one environment decide on recorded traces. Raises ``LocalError`` where the collector cannot be run."""
    say(f"{named.source}: {len(traces):,} traces go through its gateway")
    environment, found = named.environment, decided(named, traces, say=say)
    tail, kept = environment.sampling.tail, dict(found.kept)
    if tail.baseline_limit is not None:
        # Which of the traces that other policies keep the baseline draws as well, only a gateway without those policies tells.
        hidden = [trace for trace in traces if kept.get(trace.id, BASELINE) != BASELINE]
        also = decided(named, hidden, say=say, baseline_alone=True).kept if hidden else {}
        drawn = {trace_id: policy for trace_id, policy in kept.items() if policy == BASELINE} | dict(also)
        passed = limited(by_second(drawn, traces), environment)
        kept = {trace_id: policy for trace_id, policy in kept.items() if policy != BASELINE or trace_id in passed}
    dropped = frozenset(found.kept.keys() - kept.keys())
    return Side(kept, dropped, _cut(environment, traces), found.series, _disk(environment, traces, kept, dropped))


def _disk(environment: Environment, traces: Sequence[Trace], kept: Kept, dropped: frozenset[bytes]) -> Need | None:
    """The disk that the environment's load needs when as much of it is kept as of the recording.

    The limit of the baseline is that of the load, because a recording may have another rate.
    """
    recorded, whole, baseline = Amount.of(traces), _kept(traces, kept), _by(traces, kept, BASELINE)
    load, limit = flow(environment), environment.sampling.tail.baseline_limit
    if not whole.spans:
        return disk_need(environment, kept=0.0)
    drawn = load.recorded * (baseline.spans + spans_of([one for one in traces if one.id in dropped])) / recorded.spans
    passed = drawn if limit is None else min(drawn, limit * load.gateways)
    always = load.recorded * (whole.spans - baseline.spans) / recorded.spans
    return disk_need(_measured(environment, list(_those(traces, kept))), kept=always + passed)


def _measured(environment: Environment, traces: Sequence[Trace]) -> Environment:
    """The environment with the sizes of these traces' spans and resources in place of the expected ones."""
    spans = spans_of(traces)
    resources = sum(one.resource.ByteSize() for trace in traces for one in trace.spans)
    sizes = {"bytes_per_span": round(sum(trace.bytes for trace in traces) / spans), "bytes_per_resource": round(resources / spans)}
    return environment.model_copy(update={"load": environment.load.model_copy(update=sizes)})


def stored_bytes(environment: Environment, traces: Sequence[Trace]) -> float:
    """Bytes on the environment's store of a span of these traces."""
    return stored_span_bytes(_measured(environment, traces))


def limited(drawn: Sequence[Trace], environment: Environment) -> set[bytes]:
    """The ids of the drawn traces that the baseline's limit lets pass, in the order of the decisions, on the clock of the recording.

    Each gateway has a bucket of its own, of which every drawn trace takes as many tokens as it has spans, or none and does not pass; failed
    and slow ones take theirs too. The bucket is filled between two decisions, a second apart: filled all the time, it would have room for
    small traces alone.
    """
    rate, burst, gateways = environment.sampling.tail.baseline_limit or 0, burst_spans(environment), flow(environment).gateways
    wait = environment.sampling.tail.wait.total_seconds()
    tokens: dict[int, float] = defaultdict(lambda: float(burst))
    last: dict[int, int] = {}
    passed = set()
    for trace in drawn:
        gateway, spans, second = shard_of(trace.id, gateways), len(trace.before(wait)), math.floor(trace.arrived)
        tokens[gateway] = min(burst, tokens[gateway] + rate * (second - last.get(gateway, second)))
        last[gateway] = second
        if tokens[gateway] >= spans:
            tokens[gateway] -= spans
            passed.add(trace.id)
    return passed


def _those(traces: Iterable[Trace], kept: Kept) -> Iterator[Trace]:
    return (trace for trace in traces if trace.id in kept)


def _kept(traces: Sequence[Trace], kept: Kept) -> Amount:
    return Amount.of(_those(traces, kept))


def _by(traces: Sequence[Trace], kept: Kept, policy: str) -> Amount:
    """The traces that a policy keeps."""
    return Amount.of(trace for trace in traces if kept.get(trace.id) == policy)


def _of_service(traces: Iterable[Trace], service: str) -> Amount:
    """The traces with a span of a service, and its own spans of them."""
    own = [[one for one in trace.spans if one.service == service] for trace in traces]
    spans = [one for those in own for one in those]
    return Amount(sum(bool(those) for those in own), len(spans), sum(one.span.ByteSize() for one in spans))


def _slow(environment: Environment) -> float | None:
    slow = environment.sampling.tail.slow
    return None if slow is None else slow.total_seconds()


def _lost(gone: Sequence[Trace], a: Kept, *, slow_seconds: float | None) -> tuple[Lost, ...]:
    """Lost traces by kind and name: failed traces first, then slow ones, then the others."""

    def kind(trace: Trace) -> str:
        if trace.failed:
            return "failed"
        return "slow" if slow_seconds is not None and trace.seconds >= slow_seconds else "other"

    order = ("failed", "slow", "other")
    count = Counter((kind(trace), trace.name) for trace in gone)
    example = {(kind(trace), trace.name): trace for trace in reversed(gone)}
    ranked = sorted(count, key=lambda key: (order.index(key[0]), -count[key], key[1]))
    return tuple(Lost(key[0], key[1], count[key], example[key].id.hex(), a[example[key].id]) for key in ranked)


def _cut(environment: Environment, traces: Sequence[Trace]) -> int:
    wait = environment.sampling.tail.wait.total_seconds()
    return sum(len(trace.before(wait)) < len(trace.spans) for trace in traces)
