"""Queue of encoded spans: bounded in bytes, with an exact account of each span."""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, Any, Final

from tracing_lib.export.accounts import ALREADY_SHUTDOWN, QUEUE_FULL, SHUTDOWN, Accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracing_lib.export.groups import ScopeGroup

OVERHEAD_BYTES: Final = 64
"""Memory of a waiting span beside its bytes: header of the object (33), two places in a queue (16), and rounding (up to 15)."""


@dataclass(slots=True)
class Batch:
    """Spans of one request."""

    groups: Sequence[ScopeGroup]
    """Resource and scope of each span."""
    spans: Sequence[bytes]
    size: int
    """Memory of the spans, in bytes. It counts against the bound of the queue until the batch is settled."""
    failed: int
    """Number of failed spans; these come first."""
    settled: bool = False
    """Whether the spans were exported, dropped or given back."""

    def __len__(self) -> int:
        return len(self.spans)


class SpanQueue:
    """A bounded queue. A full queue drops new spans, so that older traces are exported whole.

    A failed span replaces the oldest span that did not fail, and is exported first. Every method may be called from any thread, and from a
    signal handler, because the lock is reentrant.
    """

    def __init__(self, capacity_bytes: int, capacity_spans: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        self.capacity_spans = capacity_spans
        self._starts = itertools.count(1)
        self.start: Final[Callable[[], int]] = self._starts.__next__
        """Counts a sampled span that starts, in one step of the interpreter, so that threads lose no count."""
        self._not_ours = 0
        self.reset()

    def reset(self) -> None:
        """Empty the queue, its accounts and its lock in a forked child, because all spans that started before are the parent's."""
        self._lock = threading.RLock()
        # Group and span alternate, because pairs would take twice the memory.
        self._failed: deque[Any] = deque()
        self._others: deque[Any] = deque()
        self._batch: Batch | None = None
        self._bytes = 0
        self._not_ours += self._started
        self._ended = self._exported = 0
        self._dropped: Counter[str] = Counter()
        self._closed = False
        self.full = False
        """Whether a span was dropped because the queue was full, and no batch was exported since."""

    @property
    def _started(self) -> int:
        # The state of a counting iterator is readable by its representation alone: "count(8)" after seven spans.
        return int(repr(self._starts)[len("count(") : -1]) - 1 - self._not_ours

    def refuses(self) -> bool:
        """Return whether a span that did not fail is dropped now, and count it then, so that it need not be encoded."""
        if not self.full and not self._closed:
            return False
        with self._lock:
            self._ended += 1
            self._dropped[ALREADY_SHUTDOWN if self._closed else QUEUE_FULL] += 1
        return True

    def put(self, group: ScopeGroup, span: bytes, *, failed: bool) -> None:
        """Add an encoded span, or drop it."""
        size = len(span) + OVERHEAD_BYTES
        with self._lock:
            self._ended += 1
            if self._closed:
                self._dropped[ALREADY_SHUTDOWN] += 1
            elif self._fits(size) or (failed and self._make_room(size)):
                line = self._failed if failed else self._others
                line += (group, span)
                self._bytes += size
            else:
                self._dropped[QUEUE_FULL] += 1
                self.full = True

    def drop(self, reason: str) -> None:
        """Count an ended span that cannot be queued."""
        with self._lock:
            self._ended += 1
            self._dropped[reason] += 1

    def _fits(self, size: int) -> bool:
        return self._bytes + size <= self.capacity_bytes and (self.capacity_spans is None or self.held < self.capacity_spans)

    def _make_room(self, size: int) -> bool:
        while self._others and not self._fits(size):
            self._bytes -= len(_leave(self._others, 1)[1]) + OVERHEAD_BYTES
            self._dropped[QUEUE_FULL] += 1
            self.full = True
        return self._fits(size)

    @property
    def waiting(self) -> int:
        """Queued spans without those of the current batch."""
        return (len(self._failed) + len(self._others)) // 2

    @property
    def fill(self) -> float:
        """Fill of the queue, from 0 to 1."""
        by_bytes = self._bytes / self.capacity_bytes
        return by_bytes if self.capacity_spans is None else max(by_bytes, self.waiting / self.capacity_spans)

    @property
    def held(self) -> int:
        """Queued spans with those of the current batch."""
        with self._lock:
            return self.waiting + (len(self._batch) if self._batch else 0)

    @property
    def done(self) -> int:
        """Spans that were exported or dropped."""
        with self._lock:
            return self._exported + sum(self._dropped.values())

    def take(self, most: int) -> Batch | None:
        """Return a batch of at most ``most`` spans, failed ones first, oldest first; None when the queue is empty.

        The batch before must be settled or given back. A batch is at most a quarter of the queue, and at least one span, because a failed
        span cannot replace a span of the batch.
        """
        with self._lock:
            if not self.waiting or self._closed:
                return None
            failed = min(most, len(self._failed) // 2)
            parts = _leave(self._failed, failed) + _leave(self._others, min(most - failed, len(self._others) // 2))
            ends = list(accumulate(map(len, parts[1::2])))
            quarter = self.capacity_bytes // 4
            number = 1 + bisect_left(range(len(ends) - 1), quarter, key=lambda at: ends[at] + (at + 1) * OVERHEAD_BYTES)
            self._come_back(parts[2 * number :], max(0, failed - number))
            size = ends[number - 1] + number * OVERHEAD_BYTES
            self._batch = Batch(parts[: 2 * number : 2], parts[1 : 2 * number : 2], size, min(failed, number))
            return self._batch

    def _come_back(self, parts: list[Any], failed: int) -> None:
        """Put groups and spans back in front; ``failed`` of the spans failed."""
        self._others.extendleft(reversed(parts[2 * failed :]))
        self._failed.extendleft(reversed(parts[: 2 * failed]))

    def give_back(self, batch: Batch) -> None:
        """Put a batch that was not exported back in front. Does nothing after ``close``."""
        with self._lock:
            if batch.settled:
                return
            batch.settled = True
            self._batch = None
            self._come_back([part for pair in zip(batch.groups, batch.spans, strict=True) for part in pair], batch.failed)

    def settle(self, batch: Batch, *, exported: int, reason: str = "") -> None:
        """Count a batch: ``exported`` spans, and the others as dropped for ``reason``. Does nothing after ``close``."""
        with self._lock:
            if batch.settled:
                return
            batch.settled = True
            self._batch = None
            self._bytes -= batch.size
            self.full = False
            self._exported += exported
            if exported < len(batch):
                self._dropped[reason] += len(batch) - exported

    def close(self) -> None:
        """Drop all queued spans, and all that are added later."""
        with self._lock:
            self._closed = True
            left = self.waiting
            if self._batch is not None and not self._batch.settled:
                self._batch.settled = True
                left += len(self._batch)
            if left:
                self._dropped[SHUTDOWN] += left
            self._failed.clear()
            self._others.clear()
            self._batch, self._bytes = None, 0

    def accounts(self) -> Accounts:
        """Return the accounts of the spans."""
        with self._lock:
            inflight = len(self._batch) if self._batch else 0
            live = self._started - self._ended
            queued = self.waiting + inflight
            return Accounts(self._started, live, queued, self._bytes, inflight, self._exported, dict(self._dropped))


def _leave(line: deque[Any], number: int) -> list[Any]:
    """Remove spans and their groups from a queue, in one step of the interpreter, so that a signal handler never finds half a pair."""
    return list(map(deque.popleft, repeat(line, 2 * number)))
