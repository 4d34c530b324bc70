"""How an operation's ratio follows its traffic."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.trace import TraceState

from tracing_lib.sampling.probability import effective_ratio, threshold_of, threshold_text

if TYPE_CHECKING:
    from opentelemetry.util.types import AnyValue

    from tracing_lib.sampling.strategies import Goal

_FIRST_COUNT: Final = 16
"""Traces after which the traffic of an operation is judged for the first time, and the least that counts as a burst."""
_BURST: Final = 2.0
"""A count that reaches so many times what was expected of the whole interval ends it early."""
_BY_CHANCE: Final = 3.0
"""Counts that differ by fewer standard deviations are the same traffic, and are averaged."""


Decided: TypeAlias = "tuple[int, dict[str, AnyValue], TraceState | None]"
"""The threshold that a trace id has to reach, and the attributes and the trace state of the traces that do; no state where none does."""


class Operation:
    """The sampling of the traces that begin with one operation.

    Traffic is counted for an interval, and the ratio of the next is what would have met the goal in this one. Within the interval the
    ratio stands, so every trace's count can be scaled up by it.
    """

    __slots__ = ("_since", "decision", "goal", "limit", "rate", "tick", "until")

    def __init__(self, goal: Goal, now: float, interval: float) -> None:
        self.goal = goal
        self.rate = 0.0
        """Traces per second that begin with the operation, sampled or not."""
        self._begin(now, interval, _FIRST_COUNT)
        self.aim(1.0)

    def _begin(self, now: float, interval: float, limit: float) -> None:
        self.tick = itertools.count(1).__next__  # one step in C: no count is lost between threads
        self._since = now
        self.until = now + interval if self.goal.adapts else math.inf
        self.limit = limit if self.goal.adapts else math.inf

    def count(self, seen: int, now: float, interval: float, pressure: float) -> None:
        """End the interval, in which so many traces were seen, and begin the next."""
        elapsed = max(now - self._since, 1e-6)
        expected, found = self.rate * elapsed, seen / elapsed
        same = abs(seen - expected) <= _BY_CHANCE * math.sqrt(max(expected, 1.0))
        self.rate = (self.rate + found) / 2 if self.rate and same else found
        self._begin(now, interval, max(_FIRST_COUNT, _BURST * self.rate * interval))
        self.aim(pressure)

    def aim(self, pressure: float) -> None:
        """Set the ratio for the goal, the traffic and the pressure (1: none)."""
        threshold = threshold_of(self.goal.ratio(self.rate, pressure))
        ratio = effective_ratio(threshold)
        state = TraceState([("ot", f"th:{threshold_text(threshold)}")]) if ratio else None
        marks: dict[str, AnyValue] = {"sampler.type": "probabilistic", "sampler.param": ratio}
        self.decision: Decided = threshold, marks, state
        """Threshold, and what a sampled root carries: in one piece, so that no root carries another ratio than it was taken by."""

    @property
    def ratio(self) -> float:
        """The share that is sampled, exactly as the threshold has it."""
        return effective_ratio(self.decision[0])
