"""The queue between the code that ends spans and the exporter, and how it ends in time."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from tracing_lib.exporters import AccountingExporter
    from tracing_lib.settings import TracingSettings

_SHARE_FOR_FLUSHING: Final = 0.9
"""Part of the deadline given to delivering; the rest is for closing connections and for a busy machine."""


@dataclass(frozen=True, slots=True)
class ShutdownReport:
    """What became of the sampled spans of a process, known when tracing was shut down."""

    ended: int
    """Sampled spans that ended."""
    delivered: int
    """Of these, how many the collector acknowledged."""
    seconds: float
    """How long the shutdown took."""

    @property
    def lost(self) -> int:
        """Spans that the collector never acknowledged."""
        return self.ended - self.delivered

    @property
    def complete(self) -> bool:
        """Whether every span was delivered."""
        return self.lost == 0


class DeadlineBatchProcessor(BatchSpanProcessor):
    """The SDK's batch processor, ending within a deadline.

    Read and ran (SDK 1.45.2): the stock ``shutdown`` waits 30 s for its worker, whatever the collector does. Here the worker gets
    ``deadline_seconds``; then the exporter is closed, which ends a retry or a gRPC call at once. An HTTP request that hangs is left
    to its daemon thread.
    """

    def __init__(self, exporter: AccountingExporter, settings: TracingSettings) -> None:
        super().__init__(
            exporter,
            max_queue_size=settings.queue_size,
            schedule_delay_millis=settings.export_interval_seconds * 1000,
            max_export_batch_size=settings.batch_size,
            export_timeout_millis=settings.export_timeout_seconds * 1000,
        )
        self._exporter = exporter
        self._ended = itertools.count()  # next() is atomic, += is not
        self._report: ShutdownReport | None = None
        self.deadline_seconds = settings.shutdown_seconds

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a sampled span; never blocks."""
        if span.context is not None and span.context.trace_flags.sampled:
            next(self._ended)
        super().on_end(span)

    def shutdown(self) -> None:
        """Deliver what is queued, for at most ``deadline_seconds``, and close. Later calls do nothing."""
        if self._report is not None:
            return
        started = time.monotonic()
        self._batch_processor.shutdown(timeout_millis=int(self.deadline_seconds * _SHARE_FOR_FLUSHING * 1000))
        self._report = ShutdownReport(next(self._ended), self._exporter.delivered, time.monotonic() - started)

    @property
    def report(self) -> ShutdownReport | None:
        """What became of the spans; none before ``shutdown``."""
        return self._report


def build_processor(exporter: AccountingExporter, settings: TracingSettings) -> DeadlineBatchProcessor:
    """Return the processor that queues ended spans for the exporter."""
    return DeadlineBatchProcessor(exporter, settings)
