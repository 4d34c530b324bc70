"""Traces of this process as trees on the console, for the first minutes with the library and for work without a collector."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

from opentelemetry.sdk.trace import SpanProcessor

from tracing_lib.base.span_tree import render

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from tracing_lib.privacy.policy import PrivacyPolicy

_logger: Final = logging.getLogger("tracing_lib")

_MOST_WAITING: Final = 1024
"""Spans of unfinished traces that are kept; then all of them are written as they are."""
_UNSEEN: Final = frozenset({"sampler.type", "sampler.param"})


class ConsoleTraces(SpanProcessor):
    """Writes each trace as a tree when its first span of this process ends, in the form that would be exported.

    Below it stand the attributes that stay in the process, each once, with the line that lets it leave. ``stream``: standard error.
    ``trace_url``: the address of a trace, as in the settings; it stands beside the id.
    """

    def __init__(self, policy: PrivacyPolicy, stream: TextIO | None = None, *, trace_url: str | None = None) -> None:
        self._policy = policy
        self._trace_url = trace_url
        self._stream = stream
        # Without a lock: a finalizer that ends a span would wait for the thread that it interrupts.
        self._ended: dict[int, list[ReadableSpan]] = {}
        self._said_unwritable = False
        self._open: set[tuple[int, int]] = set()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002  as the SDK calls it
        """Note that a span is open, so that those below it wait for it."""
        assert span.context is not None  # noqa: S101  the SDK gives every span one
        self._open.add((span.context.trace_id, span.context.span_id))

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span, and write its trace if nothing open is above it, as a background task ends after its request; never raises."""
        try:
            self._take(span)
        except Exception as error:  # noqa: BLE001  whoever ends a span must not fail for it
            if not self._said_unwritable:
                self._said_unwritable = True
                _logger.warning("a span could not be redacted and written to the console (%s)", type(error).__name__)

    def _take(self, span: ReadableSpan) -> None:
        assert span.context is not None  # noqa: S101  the SDK gives every span one
        clean, trace_id = self._policy.span(span), span.context.trace_id
        self._open.discard((trace_id, span.context.span_id))
        self._ended.setdefault(trace_id, []).append(clean)
        if span.parent is None or span.parent.is_remote or (trace_id, span.parent.span_id) not in self._open:
            self._write(trace_id)
        elif sum(map(len, list(self._ended.values()))) >= _MOST_WAITING:
            self._write_all()

    def _write(self, trace_id: int) -> None:
        spans = self._ended.pop(trace_id, ())
        if not spans:  # another thread wrote them
            return
        keys = sorted({key for span in spans for key in span.attributes or ()} - _UNSEEN)
        text = f"{trace_id:032x}"
        link = "" if self._trace_url is None else " " + self._trace_url.replace("TRACE_ID", text)
        lines = [f"trace {text}{link}", render(spans, attributes=keys, durations=True), *self._policy.withheld.news()]
        stream = self._stream or sys.stderr
        if stream is None:  # a process without a console
            return
        encoding = getattr(stream, "encoding", None) or "utf-8"
        with suppress(OSError, ValueError):  # the console is closed, or its disk is full
            print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)

    def _write_all(self) -> None:
        for trace_id in list(self._ended):
            self._write(trace_id)

    def shutdown(self) -> None:
        """Write what is left: spans whose parents have not ended."""
        self._write_all()
