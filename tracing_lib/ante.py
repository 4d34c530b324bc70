"""What the span of a transaction's ante handling adds to that of a function: the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.trace import StatusCode

from tracing_lib import conventions
from tracing_lib.functions import SpanPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Span, Tracer

    from tracing_lib.paths import AttributePaths
    from tracing_lib.recording import TracerSource

REJECTED: Final = "rejected"
"""``error.type`` of a transaction that was rejected by an answer and not by an exception."""


class Verdict(SpanPlan):
    """The plan of an ante handler's spans: rejected until it returned."""

    __slots__ = ("_rejected",)

    def __init__(self, name: str, source: TracerSource, *, paths: AttributePaths, rejected: Callable[[object], bool] | None) -> None:
        super().__init__(name, source, paths=paths)
        self._rejected = rejected

    def start(self, tracer: Tracer, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Span:
        """Start the span of a transaction's ante handling."""
        span = super().start(tracer, args, kwargs)
        span.set_attribute(conventions.TX_ACCEPTED, value=False)
        return span

    def returned(self, span: Span, result: object) -> None:
        """Set the verdict that an answer is."""
        super().returned(span, result)
        if self._rejected is not None and self._rejected(result):
            span.set_attribute(conventions.ERROR_TYPE, REJECTED)
            span.set_status(StatusCode.ERROR, REJECTED)
        else:
            span.set_attribute(conventions.TX_ACCEPTED, value=True)
