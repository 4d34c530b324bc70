"""The way of an ended span to the collector: encoded soon, queued, sent by one thread, tried again, accounted for."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor
from opentelemetry.trace import StatusCode

from tracing_lib.base.background import start_thread
from tracing_lib.export.accounts import ENCODING, INTERNAL, NOTHING, Accounts
from tracing_lib.export.groups import Groups
from tracing_lib.export.packing import build_packing
from tracing_lib.export.queue import SpanQueue
from tracing_lib.export.transport import Outcome, build_sender
from tracing_lib.fast.native import StageCore

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.export.packing import Wall
    from tracing_lib.export.queue import Batch


_logger: Final = logging.getLogger("tracing_lib")

_SHARE_FOR_FLUSHING: Final = 0.9
"""Part of the deadline given to delivering; the rest is for closing connections and for a busy machine."""
_SHARE_FOR_JOINING: Final = 0.95
"""Part of the deadline after which the delivering thread is left to itself: an answer that comes in time is counted in time."""
_SHARE_FOR_AN_ANSWER: Final = 0.1
"""Part of the deadline that must be left to begin an attempt: one without time for its answer may deliver spans that count as lost."""
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
"""Seconds between two attempts: the first, doubled up to the longest, times a random share from a half to one."""
_LONGEST_PAUSE_ASKED: Final = 60.0
"""Longest pause, in seconds, that a collector is granted: one that asks for a day has a wrong clock."""
_PAUSE_AT_THE_END: Final = 0.1
_STAGED: Final = 64
"""Spans that wait to be encoded before the delivering thread is called for them, at the end of a request."""
_MANY_STAGED: Final = 96
"""The same, whatever span it was."""
_MOST_STAGED: Final = 128
"""Spans that wait to be encoded before those that end spans encode, too. They take about 2 kB each."""
_SECONDS_FOR_ANSWERING: Final = 0.002
"""How long the delivering thread lets a request go on that called it with its last span: what it answers has not left yet, and who
encodes holds the interpreter."""
_AT_ONCE: Final = 8
"""Spans that are encoded before another thread may do so: for some tens of microseconds nobody else can."""


@dataclass(frozen=True, slots=True)
class ShutdownReport:
    """What became of the sampled spans of a process, known when tracing was shut down."""

    ended: int
    """Sampled spans that ended."""
    delivered: int
    """Of these, how many the collector acknowledged."""
    seconds: float
    """How long the shutdown took."""
    accounts: Accounts = NOTHING
    """The same by reason."""

    @property
    def lost(self) -> int:
        """Spans that the collector never acknowledged."""
        return self.ended - self.delivered

    @property
    def complete(self) -> bool:
        """Whether every span was delivered."""
        return self.lost == 0


class SpanDelivery(StageCore, SynchronousMultiSpanProcessor):
    """Takes ended spans in and delivers them; the only processor of a provider, which may be given more, as the SDK's own may.

    Who ends a span puts it on a stage and goes on; the delivering thread makes it private and encodes it, a few at a time: a request
    does not wait for that, and what then waits is a tenth of the span. Where that thread is busy, with a collector that does not answer
    or with more spans than it can encode, those that end spans take their share. Never blocks them: a span that finds no room in the
    queue is dropped and counted. A batch is tried until the collector takes it, refuses it for good, or the
    deadline of the shutdown comes; meanwhile the queue fills, within its bound.
    """

    def __init__(
        self,
        settings: TracingSettings,
        *,
        wall: Wall | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK's
        self._settings = settings
        self._wall = wall
        self.refusing = False
        """Whether the collector says, at present, that it has too much to do."""
        self._report: ShutdownReport | None = None
        self._begin()
        self.queue = SpanQueue(settings.queue_bytes, settings.queue_size, size_of=self._packing.size_of)
        if hasattr(os, "register_at_fork"):
            before, parent, child = (weakref.WeakMethod(each) for each in (self._before_fork, self._after_fork, self._in_child))
            os.register_at_fork(
                before=lambda: (method := before()) and method(),
                after_in_parent=lambda: (method := parent()) and method(),
                after_in_child=lambda: (method := child()) and method(),
            )

    def _begin(self) -> None:
        """Make what belongs to one process alone; the thread is started by the first span, so that a parent may fork before."""
        self._packing = build_packing(self._settings, self._wall)
        self._sender = build_sender(self._settings)
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._settled = threading.Event()
        self._flush = False
        self._deadline: float | None = None
        self._for_an_answer = 0.0
        self._said = ""
        self._said_full = False
        self._said_unencodable = False
        self._next_pause = _FIRST_PAUSE
        self._groups = Groups(self._wall)
        self._starting = threading.Lock()
        self._worker: threading.Thread | None = None
        self.quiet = 0
        self.stage = deque()
        # Reentrant, as the queue's is: a signal handler may ask for the accounts. Held at a fork, so that no span is on its way then.
        self._packs = threading.RLock()

    def _before_fork(self) -> None:
        self._packs.acquire()

    def _after_fork(self) -> None:
        self._packs.release()

    def _in_child(self) -> None:
        self.queue.reset(staged=len(self.stage))
        if self._report is None:
            self._begin()
        else:
            self.queue.close()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Give spans to another processor too, as the SDK's ``SynchronousMultiSpanProcessor`` does."""
        self.quiet = 0
        super().add_span_processor(span_processor)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Count a span; the sampler knows none that is recorded and not sampled."""
        self.queue.start()
        if self._span_processors:
            super().on_start(span, parent_context)

    def _on_ending(self, span: Span) -> None:
        if self._span_processors:
            super()._on_ending(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span in; never blocks, never raises."""
        stage = self.stage
        stage.append(span)
        staged = len(stage)
        if self._worker is None:
            self._start_worker()
        if staged >= _STAGED:
            # Preferably with the last span of a request: the delivering thread then has the time until the next.
            parent = span.parent
            if (parent is None or parent.is_remote or staged >= _MANY_STAGED) and not self._wake.is_set():
                self._wake.set()
            if staged > _MOST_STAGED:
                self._pack(2)  # more than the one that came, so that the stage empties
        if self._span_processors:
            super().on_end(span)

    def _pack(self, most: int) -> None:
        """Make so many staged spans private, encode and queue them, oldest first."""
        stage, queue = self.stage, self.queue
        with self._packs:
            for _ in range(min(most, len(stage))):
                span = stage.popleft()
                failed = span.status.status_code is StatusCode.ERROR
                if not failed and queue.refuses():
                    continue
                try:
                    packed, group = self._packing.pack(span), self._groups.of(span)
                except Exception as error:  # noqa: BLE001  whoever ends a span must not fail for it
                    self._unencodable(error)
                else:
                    queue.put(group, packed, failed=failed)
        if queue.waiting >= self._settings.batch_size and not self._wake.is_set():
            self._wake.set()

    def _unencodable(self, error: Exception) -> None:
        """Drop a span: what cannot be made private does not leave."""
        self.queue.drop(ENCODING)
        if not self._said_unencodable:
            self._said_unencodable = True
            # The type alone: the text may hold what must not leave the process.
            _logger.warning("%s: a span could not be made private and encoded (%s)", self._settings.service_name, type(error).__name__)

    def _start_worker(self) -> None:
        with self._starting:
            if self._worker is None and self._report is None:
                with suppress(RuntimeError):  # the interpreter ends and takes no new thread: the shutdown counts what waits
                    self._worker = start_thread("delivery", self._work)
                    self.quiet = 0 if self._span_processors else _STAGED - 1

    def _work(self) -> None:
        due = time.monotonic() + self._settings.export_interval_seconds
        while self._deadline is None:
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()
            self._ending.wait(_SECONDS_FOR_ANSWERING)
            self._pack_staged()
            now = time.monotonic()
            least = self._settings.batch_size
            if self._flush or now >= due:
                self._flush, due, least = False, now + self._settings.export_interval_seconds, 1
            while self._left() is None and self.queue.waiting >= least and (batch := self.queue.take(self._settings.batch_size)):
                self._deliver(batch)
        self._pack(len(self.stage))
        while (self._left() or 0) > self._for_an_answer and (batch := self.queue.take(self._settings.batch_size)):
            self._deliver(batch)

    def _pack_staged(self) -> None:
        """Pack what is staged."""
        while self.stage and self._deadline is None:
            self._pack(_AT_ONCE)

    def _deliver(self, batch: Batch) -> None:
        """Try a batch once. Where the collector may take it later, give it back and wait: meanwhile failed spans may replace others."""
        left = self._left()
        seconds = self._settings.export_timeout_seconds
        try:
            request = self._packing.join(batch.groups, batch.spans)
            outcome = self._sender.send(request, seconds if left is None else max(0.001, min(seconds, left)))
        except Exception:
            _logger.exception("%s: the exporter failed; a batch is lost", self._settings.service_name)
            outcome = Outcome("refused", "an error of the exporter", INTERNAL)
        self.refusing = outcome.throttled
        if outcome.kind == "again":
            self.queue.give_back(batch)
        else:
            exported = max(0, len(batch) - outcome.rejected) if outcome.kind == "accepted" else 0
            self.queue.settle(batch, exported=exported, reason=outcome.reason)
        self._settled.set()
        self._say(outcome)
        self._say_full()
        if outcome.kind == "again":
            ours = self._next_pause * random.uniform(0.5, 1.0)  # noqa: S311  no secret
            self._pause(ours if outcome.after_seconds is None else min(outcome.after_seconds, _LONGEST_PAUSE_ASKED))
            self._next_pause = min(self._next_pause * 2, _LONGEST_PAUSE)
        else:
            self._next_pause = _FIRST_PAUSE

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt; a shutdown ends the wait and tries at once, then ever again."""
        if self._deadline is None:
            self._ending.wait(seconds)
        elif (left := self._deadline - time.monotonic() - self._for_an_answer) > 0:
            time.sleep(min(_PAUSE_AT_THE_END, left))

    def _left(self) -> float | None:
        """Seconds to the deadline of the shutdown; None before one was called for."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    def _say(self, outcome: Outcome) -> None:
        """Log when the collector's behaviour changes: one line, whatever the number of batches."""
        state = outcome.why.partition(" (")[0] or outcome.kind  # what kind of error a missing answer is changes from time to time
        if outcome.rejected:
            state = f"rejects spans: {outcome.why or 'without a reason'}"
        elif outcome.kind == "accepted":
            state = ""  # words beside a full success are a warning of the collector's, not a state
        if state == self._said:
            return
        before, self._said = self._said, state
        place = (self._settings.service_name, self._settings.endpoint)
        if not state:
            _logger.info("%s: %s takes spans again (before: %s)", *place, before)
        elif outcome.kind == "again":
            _logger.warning("%s: %s does not take spans at present (%s); they wait and are tried again", *place, outcome.why)
        elif outcome.kind == "refused":
            _logger.error("%s: %s refuses spans (%s); they are dropped", *place, outcome.why)
        else:
            _logger.warning("%s: %s %s", *place, state)

    def _say_full(self) -> None:
        if self.queue.full == self._said_full:
            return
        self._said_full = self.queue.full
        if self._said_full:
            _logger.warning("%s: the queue of %d bytes is full; spans are dropped", self._settings.service_name, self.queue.capacity_bytes)
        else:
            _logger.info("%s: the queue has room again; dropped so far: %d spans", self._settings.service_name, self.queue.accounts().lost)

    def accounts(self) -> Accounts:
        """Return what became of the spans of this process so far."""
        self._pack(len(self.stage))
        return self.queue.accounts()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until every span that has ended is delivered or dropped, for at most so long; return whether that came true."""
        end = time.monotonic() + timeout_millis / 1000
        self._pack(len(self.stage))
        target = self.queue.done + self.queue.held
        while self.queue.held and self.queue.done < target and self._worker is not None:
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._settled.clear()
            self._flush = True
            self._wake.set()
            self._settled.wait(min(left, 0.05))
        return True

    def shutdown(self) -> None:
        """Deliver what is queued within ``settings.shutdown_seconds``, and close. Later calls do nothing."""
        self.end(self._settings.shutdown_seconds)

    def end(self, deadline_seconds: float) -> ShutdownReport:
        """Deliver what is queued, for at most so many seconds, drop and count the rest, and close. Later calls return the same."""
        if self._report is not None:
            return self._report
        started = time.monotonic()
        self._for_an_answer = deadline_seconds * _SHARE_FOR_AN_ANSWER
        self._deadline = started + deadline_seconds * _SHARE_FOR_FLUSHING
        self._ending.set()
        self._wake.set()
        if self._worker is not None:
            self._worker.join(deadline_seconds * _SHARE_FOR_JOINING)
        self._pack(len(self.stage))
        self.queue.close()
        accounts = self.queue.accounts()
        ended = accounts.started - accounts.live
        self._report = ShutdownReport(ended, accounts.exported, time.monotonic() - started, accounts)
        self._sender.close()
        super().shutdown()
        return self._report

    @property
    def fill(self) -> float:
        """How full the queue is, from 0 to 1."""
        return self.queue.fill

    @property
    def report(self) -> ShutdownReport | None:
        """What became of the spans; none before ``shutdown``."""
        return self._report
