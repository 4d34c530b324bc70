"""``ExportProcessor``: encodes and queues ended spans, sends them from one thread, tries again, and accounts for each."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import StatusCode

from tracing_lib.base.background import Wake, around_fork, start_thread
from tracing_lib.export.accounts import ALREADY_SHUTDOWN, ENCODING, INTERNAL, NO_SPANS, QUEUE_FULL, SHUTDOWN, Accounts
from tracing_lib.export.queue import SpanQueue
from tracing_lib.export.transport import ExportResult, build_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider

    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.export.packing import SpanEncoder
    from tracing_lib.export.queue import Batch


_logger: Final = logging.getLogger("tracing_lib")
_RANDOM: Final = random.SystemRandom()
"""Not the generator of ``random``, whose sequence is the service's own once it is seeded."""
_SHARE_FOR_FLUSHING: Final = 0.9
"""Part of the deadline given to delivering; the rest is for closing connections and for a busy machine."""
_SHARE_FOR_JOINING: Final = 0.95
"""Part of the deadline after which the export thread is no longer waited for: a response that comes in time is counted in time."""
_SHARE_FOR_AN_ANSWER: Final = 0.1
"""Part of the deadline that must be left to begin an attempt: one without time for its answer may deliver spans that count as lost."""
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
"""Seconds between two attempts: the first, doubled up to the longest, times a random share from a half to one."""
_LONGEST_PAUSE_ASKED: Final = 60.0
"""Longest pause, in seconds, that a collector is granted: one that asks for a day has a wrong clock."""
_PAUSE_AT_THE_END: Final = 0.1
_PENDING: Final = 64
"""Spans that wait to be encoded before the end of a request's last span wakes the export thread. Below, ending a span only appends it."""
_MANY_PENDING: Final = 96
"""Spans that wait to be encoded before the end of any span wakes the export thread."""
_MOST_PENDING: Final = 128
"""Spans that wait to be encoded before the threads that end spans encode as well. Each takes about 2 kB."""
_TOO_MANY_PENDING: Final = 4096
"""Spans that wait to be encoded before those that come are dropped, while another thread encodes and cannot go on."""
_SECONDS_FOR_ANSWERING: Final = 0.002
"""Delay before the export thread starts encoding. The request that woke it has not sent its response yet, and encoding holds the GIL."""
_AT_ONCE: Final = 8
"""Spans that are encoded before another thread may encode: some tens of microseconds."""


@dataclass(frozen=True, slots=True)
class ShutdownReport:
    """Report on the sampled spans of a process, made when tracing was shut down."""

    ended: int
    """Sampled spans that ended."""
    delivered: int
    """Of these, how many the collector acknowledged."""
    seconds: float
    """Duration of the shutdown, in seconds."""
    accounts: Accounts = NO_SPANS
    """Accounts at the end of the shutdown, with the drops by reason."""

    @property
    def lost(self) -> int:
        """Spans that the collector never acknowledged."""
        return self.ended - self.delivered

    @property
    def complete(self) -> bool:
        """Whether every span was delivered."""
        return self.lost == 0


class ExportProcessor(SpanProcessor):
    """A span processor that delivers ended spans to the collector.

    Ending a span appends it to ``pending``. The export thread redacts and encodes pending spans, a few at a time, so that no request
    waits for that; an encoded span takes a tenth of the memory. Where the export thread is busy, with a collector that does not respond
    or with more spans than it can encode, the threads that end spans encode some of them. They are never blocked: a span that finds no
    room in the queue is dropped and counted. A batch is tried until the collector accepts it, refuses it for good, or the deadline of
    the shutdown comes; meanwhile the queue fills, within its bound.

    ``make_encoder`` gives the encoder of this process, and in a forked child that of the child.
    """

    def __init__(self, settings: TracingSettings, make_encoder: Callable[[], SpanEncoder]) -> None:
        self._settings = settings
        self._make_encoder = make_encoder
        self.refusing = False
        """Whether the collector says, at present, that it has too much to do."""
        self._report: ShutdownReport | None = None
        self.provider: TracerProvider | None = None
        """Provider of the spans. Its resource is another object in each process, so it tells a span that began before a fork."""
        self._of_parents: list[Resource] = []
        self.queue = SpanQueue(settings.queue_bytes, settings.queue_size)
        self.count_start = self.queue.start
        """Counts a sampled span that starts, as ``on_start`` does."""
        self._begin()
        around_fork(before=self._before_fork, in_parent=self._after_fork, in_child=self._in_child)

    def _begin(self) -> None:
        """Make everything that belongs to one process alone. The first span starts the thread, so that a parent may fork before."""
        self._encoder = self._make_encoder()
        self._transport = build_transport(self._settings)
        self._wake = Wake()
        self._ending = threading.Event()
        self._settled = threading.Event()
        self._flush = False
        self._deadline: float | None = None
        self._for_an_answer = 0.0
        self._said = ""
        self._said_full = False
        self._said_unencodable = False
        self._next_pause = _FIRST_PAUSE
        self._most = self._settings.batch_size  # fewer where the collector finds its requests too large
        self._starting = threading.Lock()  # never waited for: see where it is taken
        self._worker: threading.Thread | None = None
        self.quiet = 0
        """With fewer pending spans than this, ``on_end`` does nothing but to append one more; 0 until the export thread runs."""
        self.pending: deque[ReadableSpan] = deque()
        """Spans that ended and wait to be encoded."""
        # Reentrant, as the queue's is: a signal handler may ask for the accounts. Held at a fork, so that no span is being encoded then.
        self._encoding = threading.RLock()

    def _before_fork(self) -> None:
        self._encoding.acquire()

    def _after_fork(self) -> None:
        self._encoding.release()

    def _in_child(self) -> None:
        self.queue.reset()
        if self.provider is not None:
            self._of_parents.append(self.provider.resource)  # the provider renews it later
        if self._report is None:
            self._begin()
        else:
            self.queue.close()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002  the interface's
        """Count a span. Every recorded span is sampled: the library's samplers know no other."""
        self.count_start()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span in; never blocks, never raises."""
        if self._report is not None:
            self._drop(span, ALREADY_SHUTDOWN)
            return
        pending = self.pending
        pending.append(span)
        waiting = len(pending)
        if self._worker is None:
            self._start_worker()
        if waiting >= _PENDING:
            # Preferably with the last span of a request: the export thread then has the time until the next.
            if not self._wake.is_set() and (waiting >= _MANY_PENDING or (parent := span.parent) is None or parent.is_remote):
                self._wake.set()
            if waiting > _MOST_PENDING:
                self._encode_beside(waiting)

    def _encode_beside(self, waiting: int) -> None:
        """Take a little off ``waiting`` pending spans, in a thread that ended one."""
        if self._deadline is not None:
            self._drop_pending(waiting - 1, SHUTDOWN)  # the process ends: what encoding takes here is lacking where spans are delivered
        # Never waited for: a finalizer that ends a span may hold what the thread that encodes is waiting for.
        elif self._encoding.acquire(blocking=False):
            try:
                # More than the one that came, so that the next ends of spans only append.
                self._encode(_AT_ONCE)
            finally:
                self._encoding.release()
        elif waiting > _TOO_MANY_PENDING:
            self._drop_pending(waiting - 1, QUEUE_FULL)

    def _encode(self, most: int) -> None:
        """Redact, encode and queue so many pending spans, oldest first."""
        pending, queue = self.pending, self.queue
        with self._encoding:
            for _ in range(min(most, len(pending))):
                span = pending.popleft()
                if self._of_parents and not self._is_ours(span):
                    continue
                failed = span.status.status_code is StatusCode.ERROR
                if not failed and queue.refuses():
                    continue
                try:
                    group, encoded = self._encoder.encode(span)
                except Exception as error:  # noqa: BLE001  whoever ends a span must not fail for it
                    self._unencodable(error)
                else:
                    queue.put(group, encoded, failed=failed)
        if queue.waiting >= self._settings.batch_size and not self._wake.is_set():
            self._wake.set()

    def _drop_pending(self, most: int, reason: str) -> None:
        """Drop pending spans beyond so many, newest first, and count them."""
        with suppress(IndexError):  # another thread was faster
            while len(self.pending) > most:
                self._drop(self.pending.pop(), reason)

    def _is_ours(self, span: ReadableSpan) -> bool:
        """Whether a span began here, and not before a fork in the parent, which sends it."""
        own = self.provider and self.provider.resource  # the parent's still, where the SDK cannot join it with that of the child
        return span.resource is own or all(span.resource is not resource for resource in self._of_parents)

    def _drop(self, span: ReadableSpan, reason: str) -> None:
        if self._is_ours(span):
            self.queue.drop(reason)

    def _unencodable(self, error: Exception) -> None:
        """Drop a span that cannot be redacted and encoded: it must not leave."""
        self.queue.drop(ENCODING)
        if not self._said_unencodable:
            self._said_unencodable = True
            # The type alone: the text may hold what must not leave the process.
            _logger.warning("%s: a span could not be redacted and encoded (%s)", self._settings.service_name, type(error).__name__)

    def _start_worker(self) -> None:
        # A finalizer in the thread that is being started must not wait for who starts it.
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._worker is None and self._report is None:
                with suppress(RuntimeError):  # the interpreter ends and takes no new thread: the shutdown counts what waits
                    self._worker = start_thread("export", self._work)
                    self.quiet = _PENDING - 1
        finally:
            self._starting.release()

    def _work(self) -> None:
        due = time.monotonic() + self._settings.export_interval_seconds
        while self._deadline is None:
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()
            self._ending.wait(_SECONDS_FOR_ANSWERING)
            self._encode_pending()
            now = time.monotonic()
            least = self._settings.batch_size
            if self._flush or now >= due:
                self._flush, due, least = False, now + self._settings.export_interval_seconds, 1
            while self._left() is None and self.queue.waiting >= least and (batch := self.queue.take(self._most)):
                self._deliver(batch)
        while (self._left() or 0) > self._for_an_answer:
            self._encode(_AT_ONCE)
            if not self.pending or self.queue.waiting >= self._settings.batch_size:
                if not (batch := self.queue.take(self._most)):
                    break
                self._deliver(batch)

    def _encode_pending(self) -> None:
        """Encode all pending spans, until a shutdown is called for."""
        while self.pending and self._deadline is None:
            self._encode(_AT_ONCE)

    def _deliver(self, batch: Batch) -> None:
        """Try a batch once. Where the collector may take it later, give it back and wait: meanwhile failed spans may replace others."""
        left = self._left()
        seconds = self._settings.export_timeout_seconds
        try:
            request = self._encoder.request(batch.groups, batch.spans)
            result = self._transport.send(request, seconds if left is None else max(0.001, min(seconds, left)))
        except Exception:
            _logger.exception("%s: the exporter failed; a batch is lost", self._settings.service_name)
            result = ExportResult("refused", "an error of the exporter", INTERNAL)
        self.refusing = result.throttled
        too_large = result.kind == "smaller" and len(batch) > 1
        if too_large or result.kind == "again":
            self.queue.give_back(batch)
        else:
            exported = max(0, len(batch) - result.rejected) if result.kind == "accepted" else 0
            self.queue.settle(batch, exported=exported, reason=result.reason)
        self._settled.set()
        if too_large:
            self._most = len(batch) // 2
            return
        self._most = min(self._settings.batch_size, self._most + self._most // 8 + 1)
        self._say(result)
        self._say_full()
        self._say_withheld()
        if result.kind == "again":
            ours = self._next_pause * _RANDOM.uniform(0.5, 1.0)
            self._pause(ours if result.after_seconds is None else min(result.after_seconds, _LONGEST_PAUSE_ASKED))
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

    def _say(self, result: ExportResult) -> None:
        """Log when the collector's behaviour changes: one line, whatever the number of batches."""
        state = result.why.partition(" (")[0] or result.kind  # what kind of error a missing answer is changes from time to time
        if result.rejected:
            state = f"rejects spans: {result.why or 'without a reason'}"
        elif result.kind == "accepted":
            state = ""  # words beside a full success are a warning of the collector's, not a state
        if state == self._said:
            return
        before, self._said = self._said, state
        place = (self._settings.service_name, self._settings.endpoint)
        if not state:
            _logger.info("%s: %s takes spans again (before: %s)", *place, before)
        elif result.kind == "again":
            _logger.warning("%s: %s does not take spans at present (%s); they wait and are tried again", *place, result.why)
        elif result.kind in {"refused", "smaller"}:
            _logger.error("%s: %s refuses spans (%s); they are dropped", *place, result.why)
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

    def _say_withheld(self) -> None:
        """Log each attribute that stays once, outside of all locks, because a handler may end spans."""
        if (redactor := self._encoder.redactor) is not None:
            for new in redactor.withheld.news():
                _logger.warning("%s: %s", self._settings.service_name, new)

    def accounts(self) -> Accounts:
        """Return what became of the spans of this process so far."""
        self._encode(len(self.pending))
        return self._accounts()

    def _accounts(self) -> Accounts:
        return replace(self.queue.accounts(), withheld=self._encoder.withheld())

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until every span that has ended is delivered or dropped, for at most so long; return whether that came true."""
        end = time.monotonic() + timeout_millis / 1000
        self._encode(len(self.pending))
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
        self.quiet = 0
        self._ending.set()
        self._wake.set()
        if self._worker is not None:
            self._worker.join(deadline_seconds * _SHARE_FOR_JOINING)
        self._drop_pending(0, SHUTDOWN)
        self.queue.close()
        self._say_withheld()
        accounts = self._accounts()
        self._report = ShutdownReport(accounts.started - accounts.live, accounts.exported, time.monotonic() - started, accounts)
        self._transport.close()
        return self._report

    def load(self) -> float:
        """Return the load of the export, from 0 to 1: how full the queue is, and 1 while the collector says that it has too much to do."""
        return 1.0 if self.refusing else self.queue.fill
