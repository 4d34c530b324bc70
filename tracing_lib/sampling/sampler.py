"""The sampler: it follows the decision of the caller, and samples new traces at the ratio of their operation."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import get_current_span

from tracing_lib.base.background import after_fork
from tracing_lib.sampling.operation import RANDOMNESS, Operation
from tracing_lib.sampling.strategies import Goal, Strategy, ratio_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind
    from opentelemetry.trace.span import TraceState
    from opentelemetry.util.types import Attributes

    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.sampling.operation import Decided

_MOST_OPERATIONS: Final = 256
"""Operations with a count of their own. Further ones share a count, so that memory is bounded."""
_PRESSURE_SECONDS: Final = 1.0
_PRESSED: Final = 0.5
_RELIEVED: Final = 0.25
_LEAST_PRESSURE: Final = 1 / 256
_RECOVERY: Final = 1.5
_DROPPED: Final = SamplingResult(Decision.DROP)


class TargetSampler(Sampler):
    """A parent-based sampler that steers each operation to its goal.

    The goal of an operation is the first found of: the server's strategy for the operation, the contract's target for it, the server's
    default, ``head_ratio``. The ratio of a decision is in the trace state (``ot=th:…``) and in the attributes of the root
    (``sampler.type``, ``sampler.param``: Jaeger's names), so that counts can be scaled up. Each second in which the queue is more than half
    full, or the collector throttles, halves every ratio, down to its floor. Each second in which the queue is less than a quarter full
    raises the ratios by half. ``load`` says so: it gives 0 for an empty queue, and 1 for a full one or a collector that throttles.
    """

    def __init__(
        self,
        strategy: Strategy,
        targets: Mapping[str, Goal] | None = None,
        *,
        interval_seconds: float = 10.0,
        load: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._targets = dict(targets or {})
        self._interval = interval_seconds
        self._load = load
        self._clock = clock
        # Reentrant: a finalizer may begin a span while this thread holds it.
        self._lock = threading.RLock()
        self.pressure = 1.0
        """Factor of every ratio: 1, and less under load."""
        self._next_look = clock() + _PRESSURE_SECONDS
        self._operations: dict[str, Operation] = {}
        self.apply(strategy)
        after_fork(self._renew_lock)

    def apply(self, strategy: Strategy) -> None:
        """Replace the strategy. Measured rates of traffic are kept."""
        with self._lock:
            self._strategy = strategy
            known = self._operations
            self._others = self._made(strategy.default)
            self._goals = {**self._targets, **strategy.operations}
            operations = {name: self._made(goal, known.get(name)) for name, goal in self._goals.items()}
            self._operations = operations

    def _made(self, goal: Goal, before: Operation | None = None) -> Operation:
        made = Operation(goal, self._clock(), self._interval)
        if before is not None:
            made.rate = before.rate
        made.aim(self.pressure)
        return made

    def operation(self, name: str) -> Operation:
        """Return the sampling of an operation."""
        try:
            found = self._operations.get(name)
        except Exception:  # noqa: BLE001  a service may give anything for a name
            return self._others
        if found is not None:
            return found
        if self._strategy.shared or not self._strategy.default.adapts:
            return self._others
        # Without the lock, because a finalizer that begins a span may hold what the lock's holder waits for.
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
        """Follow the parent with its trace state. Sample a root if the random bits of its trace id reach the threshold of the operation."""
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
        """Count a new trace of the operation, and return the decision."""
        operation = self.operation(name)
        now, tick = self._clock(), operation.tick
        seen = tick()
        if now >= operation.until or seen >= operation.limit:
            self._count(operation, tick, seen, now)
        if now >= self._next_look:
            self._look(now)
        return operation.decision

    def _count(self, operation: Operation, tick: Callable[[], int], seen: int, now: float) -> None:
        if self._lock.acquire(blocking=False):  # else another thread ends the interval
            try:
                if operation.tick is tick:  # else the next interval has begun
                    operation.count(seen, now, self._interval, self.pressure)
            finally:
                self._lock.release()

    def _look(self, now: float) -> None:
        """Update the pressure, and with it all ratios."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._next_look = now + _PRESSURE_SECONDS
            before, load = self.pressure, 0.0 if self._load is None else self._load()
            if load > _PRESSED:
                self.pressure = max(_LEAST_PRESSURE, before / 2)
            elif load < _RELIEVED:
                self.pressure = min(1.0, before * _RECOVERY)
            if self.pressure != before:
                for operation in (*self._operations.values(), self._others):
                    operation.aim(self.pressure)
        finally:
            self._lock.release()

    def _renew_lock(self) -> None:
        """Make the lock anew in a forked child: a thread that is not there may hold it."""
        self._lock = threading.RLock()

    def get_description(self) -> str:
        """Return the sampler's name with targets and default, for a log."""
        return f"TargetSampler{{targets={sorted(self._targets)}, default={self._strategy.default}}}"


def build_sampler(settings: TracingSettings, load: Callable[[], float] | None = None) -> TargetSampler:
    """Return the sampler of the settings. ``head_ratio`` applies beside the targets until a strategy is received."""
    targets = {
        each.operation: Goal(each.traces_per_second, each.floor, each.ceiling)
        for each in settings.targets
        if each.service == settings.service_name
    }
    return TargetSampler(ratio_strategy(settings.head_ratio), targets, interval_seconds=settings.adapt_seconds, load=load)
