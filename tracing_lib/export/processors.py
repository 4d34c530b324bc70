"""``Processors``: the export processor beside those that a user adds to the provider; each is flushed and ended, whatever the others do."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor

from tracing_lib.base.background import start_thread
from tracing_lib.export.processor import ExportProcessor

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

_logger: Final = logging.getLogger("tracing_lib")


class Processors(SynchronousMultiSpanProcessor):
    """The processors of a provider. Those of a user see a span as it was recorded: redaction belongs to the library's own export."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK's
        self._all: list[SpanProcessor] = []

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor."""
        super().add_span_processor(span_processor)
        self._all.append(span_processor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the processors, a user's first: the library's waits for its collector as long as there is time."""
        end = time.monotonic() + timeout_millis / 1000
        ordered = sorted(self._all, key=lambda each: isinstance(each, ExportProcessor))
        flushed = [_asked(each.force_flush, max(0, int((end - time.monotonic()) * 1000))) for each in ordered]
        return all(flushed)

    def end_others(self) -> threading.Thread | None:
        """Shut a user's processors down, in a thread: they may take longer than the deadline. None where there are none."""
        others = [each for each in self._all if not isinstance(each, ExportProcessor)]

        def work() -> None:
            for each in others:
                _asked(each.shutdown)

        with suppress(RuntimeError):  # the interpreter ends and takes no new thread
            return start_thread("others", work) if others else None
        work()
        return None


def _asked(ask: Callable[..., object], *arguments: int) -> bool:
    """Return the answer of a processor; False for one that fails, which the log then has."""
    try:
        return bool(ask(*arguments))
    except Exception:
        _logger.exception("a span processor failed")
        return False
