"""Places of moments on a page: true to time, and with the waits in which no span ran folded."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stacks.show.stored import Span

_FOLDED_WIDTH: Final = 0.03
"""Width of a folded wait, as a share of the lane: enough for its label, written upright."""
_FOLDED_WIDTHS: Final = 0.3
"""Width of all folded waits together at most, so that most of the lane is left for spans."""
_TICKS: Final = 5


@dataclass(frozen=True, slots=True)
class Wait:
    """A time in which no span ran, in nanoseconds since 1970."""

    begin_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        """Length of the wait in nanoseconds."""
        return self.end_ns - self.begin_ns


class Scale:
    """Map moments to shares of the lane, from 0 to 1: ``true`` to time, or ``folded``.

    A fold gives each long wait a fixed width and shares out the rest by time. ``waits`` are those that it folds; without one both maps
    are the same.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self.begin_ns = min(span.start_ns for span in spans)
        self.end_ns = max(self.begin_ns, *(max(span.start_ns, span.end_ns) for span in spans))
        self._length = max(self.end_ns - self.begin_ns, 1)
        waits = sorted(_waits(spans), key=lambda wait: -wait.length_ns)
        # Only waits that a fold makes narrower are folded: with one more of them, each gets less.
        while waits and waits[-1].length_ns <= self._length * _folded_width(len(waits)):
            waits.pop()
        self.waits = tuple(sorted(waits, key=lambda wait: wait.begin_ns))
        self._moments, self._places = self._bends()

    @property
    def length_ns(self) -> int:
        """Nanoseconds from the first start to the last end; at least 1."""
        return self._length

    @property
    def idle(self) -> float:
        """Share of the time that the folded waits take."""
        return sum(wait.length_ns for wait in self.waits) / self._length

    def true(self, moment_ns: int) -> float:
        """Return the place of a moment, true to time."""
        return min(max((moment_ns - self.begin_ns) / self._length, 0.0), 1.0)

    def folded(self, moment_ns: int) -> float:
        """Return the place of a moment where waits are folded."""
        after = min(max(bisect_right(self._moments, moment_ns), 1), len(self._moments) - 1)
        begin, end = self._moments[after - 1], self._moments[after]
        left, right = self._places[after - 1], self._places[after]
        return left + (right - left) * min(max((moment_ns - begin) / max(end - begin, 1), 0.0), 1.0)

    def ticks(self) -> Iterator[int]:
        """Yield round distances from the start in nanoseconds, for the axis of the scale that is true to time."""
        step = _round_step(self._length / _TICKS)
        yield from range(0, self._length, step)

    def _bends(self) -> tuple[list[int], list[float]]:
        """Moments at which the folded scale changes its slope, and their places."""
        width = _folded_width(len(self.waits))
        busy = max(self._length - sum(wait.length_ns for wait in self.waits), 1)
        slope = (1 - width * len(self.waits)) / busy
        moments, places = [self.begin_ns], [0.0]
        for wait in self.waits:
            moments += [wait.begin_ns, wait.end_ns]
            places.append(places[-1] + (wait.begin_ns - moments[-3]) * slope)
            places.append(places[-1] + width)
        return [*moments, max(self.end_ns, self.begin_ns + 1)], [*places, 1.0]


def _folded_width(count: int) -> float:
    return min(_FOLDED_WIDTH, _FOLDED_WIDTHS / max(count, 1))


def _waits(spans: Iterable[Span]) -> Iterator[Wait]:
    """Yield the times between the first start and the last end in which no span ran."""
    busy_until: int | None = None
    for span in sorted(spans, key=lambda span: span.start_ns):
        if busy_until is not None and span.start_ns > busy_until:
            yield Wait(busy_until, span.start_ns)
        busy_until = max(span.end_ns, span.start_ns, busy_until or 0)


def _round_step(least: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50, … that is not below ``least``."""
    power = 1
    while power * 10 <= least:
        power *= 10
    return next((power * factor for factor in (1, 2, 5) if power * factor >= least), power * 10)
