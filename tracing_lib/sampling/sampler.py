"""Which traces are recorded: a caller's decision is followed; a new trace is taken by its id, at the ratio of its first operation."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import get_current_span

from tracing_lib.base.background import after_fork
from tracing_lib.sampling.operation import Operation
from tracing_lib.sampling.probability import RANDOMNESS
from tracing_lib.sampling.strategies import Goal, Strategy, ratio_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind
    from opentelemetry.trace.span import TraceState
    from opentelemetry.util.types import Attributes

    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.sampling.operation import Decided, Lease

_MOST_OPERATIONS: Final = 256
"""Operations that are counted each for itself. Further ones share a count, so that made-up names cost no memory."""
_PRESSURE_SECONDS: Final = 1.0
_PRESSED: Final = 0.5
_RELIEVED: Final = 0.25
_LEAST_PRESSURE: Final = 1 / 256
_RECOVERY: Final = 1.5
_DROPPED: Final = SamplingResult(Decision.DROP)


class Load(Protocol):
    """How the delivery of spans fares."""

    @property
    def fill(self) -> float:
        """How full the queue is, from 0 to 1."""
        ...

    @property
    def refusing(self) -> bool:
        """Whether the collector says that it has too much to do."""
        ...


class Idle:
    """The load of a sampler that stands alone: none."""

    fill = 0.0
    refusing = False


class TargetSampler(Sampler):
    """A parent-based sampler that meets rates.

    What an operation's ratio is made from, first found: the strategy server's own word on the operation, the contract's target for it,
    the server's default, ``head_ratio``. Decisions of one interval are made with one ratio, which travels in the trace state (``ot=th:…``)
    and stands on the root (``sampler.type``, ``sampler.param``: Jaeger's names), so that counts can be scaled up. Each second in
    which the queue is more than half full, or the collector throttles, halves every ratio, down to its floor; each second in which it is
    less than a quarter full gives half of it back.
    """

    def __init__(
        self,
        strategy: Strategy,
        targets: Mapping[str, Goal] | None = None,
        *,
        interval_seconds: float = 10.0,
        load: Load | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._targets = dict(targets or {})
        self._interval = interval_seconds
        self._load = load or Idle()
        self._clock = clock
        # Reentrant: a finalizer may begin a span while this thread holds it.
        self._lock = threading.RLock()
        self.pressure = 1.0
        """What every ratio is multiplied by; less than 1 under pressure."""
        self._next_look = clock() + _PRESSURE_SECONDS
        self.leases: dict[str, Lease] | None = {} if clock is time.monotonic else None
        """Decisions that follow no traffic, and so stand until the pressure is looked at again; none with a clock of one's own."""
        self._operations: dict[str, Operation] = {}
        self.apply(strategy)
        after_fork(self._renew_lock)

    def apply(self, strategy: Strategy) -> None:
        """Follow another strategy from now on. Traffic that was counted stays known."""
        with self._lock:
            self._strategy = strategy
            known = self._operations
            self._others = self._made(strategy.default)
            self._goals = {**self._targets, **strategy.operations}
            operations = {name: self._made(goal, known.get(name)) for name, goal in self._goals.items()}
            self._operations = operations
            if self.leases is not None:
                self.leases.clear()

    def _made(self, goal: Goal, before: Operation | None = None) -> Operation:
        made = Operation(goal, self._clock(), self._interval)
        if before is not None:
            made.rate = before.rate
        made.aim(self.pressure)
        return made

    def operation(self, name: str) -> Operation:
        """Return the sampling of the traces that begin with this operation."""
        found = self._operations.get(name)
        if found is not None:
            return found
        if self._strategy.shared or not self._strategy.default.adapts:
            return self._others
        with self._lock:
            if len(self._operations) >= _MOST_OPERATIONS + len(self._goals):
                return self._others
            return self._operations.setdefault(name, self._made(self._strategy.default))

    def should_sample(  # noqa: PLR0917  the interface's
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,  # noqa: ARG002  the interface's
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002
        trace_state: TraceState | None = None,  # noqa: ARG002
    ) -> SamplingResult:
        """Follow the parent, trace state included; without one, take the trace when its randomness reaches the operation's threshold."""
        parent = get_current_span(parent_context).get_span_context()
        if parent.is_valid:
            if parent.trace_flags.sampled:
                return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, parent.trace_state)
            return SamplingResult(Decision.DROP, None, parent.trace_state) if parent.trace_state else _DROPPED
        threshold, marks, state = self.decision(name)
        if trace_id & RANDOMNESS < threshold:
            return _DROPPED
        return SamplingResult(Decision.RECORD_AND_SAMPLE, {**attributes, **marks} if attributes else marks, state)

    def decision(self, name: str) -> Decided:
        """Count a trace that begins with the operation; return the threshold that its id has to reach, and what its root then carries."""
        operation = self._operations.get(name) or self.operation(name)
        now, tick = self._clock(), operation.tick
        seen = tick()
        if now >= operation.until or seen >= operation.limit:
            self._count(operation, tick, seen, now)
        if now >= self._next_look:
            self._look(now)
        decision = operation.decision
        leases = self.leases
        if leases is not None and not operation.goal.adapts and (len(leases) < _MOST_OPERATIONS or name in leases):
            leases[name] = decision, self._next_look
        return decision

    def _count(self, operation: Operation, tick: Callable[[], int], seen: int, now: float) -> None:
        if self._lock.acquire(blocking=False):  # else another thread is at it
            try:
                if operation.tick is tick:  # else another thread was faster, and the next interval has begun
                    operation.count(seen, now, self._interval, self.pressure)
            finally:
                self._lock.release()

    def _look(self, now: float) -> None:
        """Judge the pressure; when it changed, so do all ratios, at once."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._next_look = now + _PRESSURE_SECONDS
            before, fill = self.pressure, self._load.fill
            if fill > _PRESSED or self._load.refusing:
                self.pressure = max(_LEAST_PRESSURE, before / 2)
            elif fill < _RELIEVED:
                self.pressure = min(1.0, before * _RECOVERY)
            if self.pressure != before:
                if self.leases is not None:
                    self.leases.clear()
                for operation in (*self._operations.values(), self._others):
                    operation.aim(self.pressure)
        finally:
            self._lock.release()

    def _renew_lock(self) -> None:
        """Make the lock anew in a forked child: a thread that is not there may hold it."""
        self._lock = threading.RLock()

    def get_description(self) -> str:
        """Return what the sampler does, for a log."""
        return f"TargetSampler{{targets={sorted(self._targets)}, default={self._strategy.default}}}"


def build_sampler(settings: TracingSettings, load: Load | None = None) -> TargetSampler:
    """Return the sampler that the settings ask for; until a strategy server was heard, ``head_ratio`` holds beside the targets."""
    targets = {
        each.operation: Goal(each.traces_per_second, each.floor, each.ceiling)
        for each in settings.targets
        if each.service == settings.service_name
    }
    return TargetSampler(ratio_strategy(settings.head_ratio), targets, interval_seconds=settings.adapt_seconds, load=load)
