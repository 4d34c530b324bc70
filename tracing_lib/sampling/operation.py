"""Sampling ratio of one operation, adapted to its traffic, and its threshold.

The threshold is that of consistent probability sampling (OpenTelemetry specification, "TraceState: Probability Sampling"): a trace id has
56 random bits, R. The trace is sampled if R is at least the threshold T, so the ratio is 1 - T / 2**56. T is propagated, so that every
reader can scale counts up.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.trace import TraceState

if TYPE_CHECKING:
    from opentelemetry.util.types import AnyValue

    from tracing_lib.sampling.strategies import Goal

RANDOMNESS: Final = (1 << 56) - 1
"""The bits of a trace id that are random (W3C Trace Context level 2, "random-trace-id")."""
NEVER: Final = 1 << 56
"""Threshold above every R: no trace is sampled."""
_DIGITS: Final = 14
_PRECISION: Final = 4
"""Significant hexadecimal digits of a threshold, beside leading f: the specification's default."""
_FIRST_COUNT: Final = 16
"""Traces after which the first interval of an operation ends, and the least number of a burst."""
_BURST: Final = 2.0
"""Factor of the expected count of an interval that ends the interval early."""
_BY_CHANCE: Final = 3.0
"""Standard deviations below which two counts are taken for the same rate, and averaged."""
Decided: TypeAlias = "tuple[int, dict[str, AnyValue], TraceState | None]"
"""Threshold for trace ids, and attributes and trace state of the roots of sampled traces; no state if none is sampled."""


class Operation:
    """The sampling of the traces that begin with one operation.

    Traces are counted for an interval. The ratio of the next interval is the one that would have met the goal in this one. The ratio is
    constant within an interval, so that counts can be scaled up by it.
    """

    __slots__ = ("_since", "decision", "goal", "limit", "rate", "tick", "until")

    def __init__(self, goal: Goal, now: float, interval: float) -> None:
        self.goal = goal
        self.rate = 0.0
        """Traces per second, sampled or not."""
        self._begin(now, interval, _FIRST_COUNT)
        self.aim(1.0)

    def _begin(self, now: float, interval: float, limit: float) -> None:
        self.tick = itertools.count(1).__next__  # one step of the interpreter: threads lose no count
        self._since = now
        self.until = now + interval if self.goal.adapts else math.inf
        self.limit = limit if self.goal.adapts else math.inf

    def count(self, seen: int, now: float, interval: float, pressure: float) -> None:
        """End the interval, in which ``seen`` traces were counted, and begin the next."""
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
        """The current decision, replaced as one object, so that a root never has the attributes of another ratio."""

    @property
    def ratio(self) -> float:
        """Ratio of the threshold."""
        return effective_ratio(self.decision[0])


def threshold_of(ratio: float) -> int:
    """Return the threshold for a ratio, rounded to four significant digits; ``NEVER`` for zero and what rounds to it."""
    if ratio <= 0:
        return NEVER
    if ratio >= 1:
        return 0
    # A ratio below 1/16**n has a threshold that begins with n digits f, which say nothing about its precision.
    leading = max(0, math.floor(-math.log(ratio, 16)))
    bits = 4 * max(0, _DIGITS - _PRECISION - leading)
    exact = NEVER - round(ratio * NEVER)
    return min(NEVER, (exact + (1 << bits >> 1)) >> bits << bits)


def effective_ratio(threshold: int) -> float:
    """Return the ratio that a threshold stands for."""
    return (NEVER - threshold) / NEVER


def threshold_text(threshold: int) -> str:
    """Return a threshold as the value of ``th``: hexadecimal, without trailing zeros."""
    return f"{threshold:014x}".rstrip("0") or "0"
