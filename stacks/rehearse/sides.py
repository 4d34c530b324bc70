"""The traces that an environment keeps of a recording, and what is lost from one environment to another."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from components.documents.shards import shard_of
from stacks.environment.sizing import burst_spans, flow
from stacks.rehearse.gateway import by_time, decided
from stacks.rehearse.recording import spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from stacks.environment.model import Environment
    from stacks.environment.source import Named
    from stacks.rehearse.recording import Trace

BASELINE = "baseline"


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
class Rehearsal:
    """The traces of a recording that each of two environments keeps.

    ``policies`` and ``services`` have an amount under A and one under B for each name. Of a trace that several policies keep, the first
    is named. ``cut`` is how many traces each decides on before their last span has come, ``limited`` how many its limit drops.
    """

    recorded: Amount
    kept: tuple[Amount, Amount]
    policies: Mapping[str, tuple[Amount, Amount]]
    services: Mapping[str, tuple[Amount, Amount]]
    lost: tuple[Lost, ...]
    gained: int
    cut: tuple[int, int]
    limited: tuple[int, int]

    def __bool__(self) -> bool:
        return bool(self.lost or self.gained)

    def as_mapping(self) -> dict[str, Any]:
        """The rehearsal for programs."""
        return asdict(self)


def rehearse(old: Named, new: Named, traces: Sequence[Trace], *, say: Callable[[str], None]) -> Rehearsal:
    """Let the gateways of both environments decide on recorded traces. The same recording gives the same result.

    Raises ``LocalError`` where the collector cannot be run.
    """
    sides = [_kept(named, traces, say) for named in (old, new)]
    (a, dropped_a), (b, dropped_b) = sides
    names = sorted({*a.values(), *b.values()})
    services = sorted({one.service for trace in traces for one in trace.spans})
    return Rehearsal(
        recorded=Amount.of(traces),
        kept=(Amount.of(trace for trace in traces if trace.id in a), Amount.of(trace for trace in traces if trace.id in b)),
        policies={name: (_by(traces, a, name), _by(traces, b, name)) for name in names},
        services={name: (_of_service(traces, a, name), _of_service(traces, b, name)) for name in services},
        lost=_lost([trace for trace in traces if trace.id in a and trace.id not in b], a, slow_seconds=_slow(old.environment)),
        gained=sum(trace.id in b and trace.id not in a for trace in traces),
        cut=(_cut(old.environment, traces), _cut(new.environment, traces)),
        limited=(dropped_a, dropped_b),
    )


def _kept(named: Named, traces: Sequence[Trace], say: Callable[[str], None]) -> tuple[dict[bytes, str], int]:
    """The policy that keeps each kept trace, and how many the limit of the baseline's rate drops."""
    say(f"{named.source}: {len(traces):,} traces go through its gateway")
    tail, kept = named.environment.sampling.tail, decided(named, traces, say=say)
    if tail.baseline_limit is None:
        return kept, 0
    drawn = decided(named, traces, say=say, baseline_alone=True) if tail.errors or tail.slow is not None else kept
    passed = limited(by_time(drawn, traces), named.environment)
    after = {trace_id: policy for trace_id, policy in kept.items() if policy != BASELINE or trace_id in passed}
    return after, len(kept) - len(after)


def limited(drawn: Sequence[Trace], environment: Environment) -> set[bytes]:
    """The ids of the drawn traces that the baseline's limit lets pass, in the order of time, on the clock of the recording.

    Each gateway has a bucket of its own, of which every drawn trace takes as many tokens as it has spans, or none and does not pass; failed
    and slow ones take theirs too.
    """
    rate, burst, gateways = environment.sampling.tail.baseline_limit or 0, burst_spans(environment), flow(environment).gateways
    wait = environment.sampling.tail.wait.total_seconds()
    tokens: dict[int, float] = defaultdict(lambda: float(burst))
    last: dict[int, float] = {}
    passed = set()
    for trace in drawn:
        gateway, spans = shard_of(trace.id, gateways), len(trace.before(wait))
        tokens[gateway] = min(burst, tokens[gateway] + rate * (trace.arrived - last.get(gateway, trace.arrived)))
        last[gateway] = trace.arrived
        if tokens[gateway] >= spans:
            tokens[gateway] -= spans
            passed.add(trace.id)
    return passed


Side = dict[bytes, str]


def _by(traces: Sequence[Trace], side: Side, policy: str) -> Amount:
    """The traces that a policy keeps."""
    return Amount.of(trace for trace in traces if side.get(trace.id) == policy)


def _of_service(traces: Sequence[Trace], side: Side, service: str) -> Amount:
    """The traces with a span of a service, and its own spans of them."""
    own = [[one for one in trace.spans if one.service == service] for trace in traces if trace.id in side]
    spans = [one for those in own for one in those]
    return Amount(sum(bool(those) for those in own), len(spans), sum(one.span.ByteSize() for one in spans))


def _slow(environment: Environment) -> float | None:
    slow = environment.sampling.tail.slow
    return None if slow is None else slow.total_seconds()


def _lost(gone: Sequence[Trace], a: Side, *, slow_seconds: float | None) -> tuple[Lost, ...]:
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
