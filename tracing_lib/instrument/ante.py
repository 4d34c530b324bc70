"""The span of a transaction's ante handling: that of a function, and whether the transaction was accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.trace import StatusCode

from tracing_lib.base import conventions
from tracing_lib.instrument.functions import SpanPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

    from tracing_lib.instrument.paths import AttributePaths
    from tracing_lib.instrument.source import TracerSource

REJECTED: Final = "rejected"
"""``error.type`` of a transaction that was rejected by an answer and not by an exception."""
_UNDECIDED: Final = {conventions.TX_ACCEPTED: False}


class AntePlan(SpanPlan):
    """The plan of an ante handler's spans: rejected until it returned."""

    __slots__ = ("_rejected", "_results")

    def __init__(self, name: str, source: TracerSource, *, paths: AttributePaths, rejected: Callable[[object], bool] | None) -> None:
        super().__init__(name, source, attributes=_UNDECIDED, paths=paths)
        self._results = paths.on_return
        self._rejected = rejected
        self.on_return = self._returned

    def _returned(self, span: Span, result: object) -> None:
        """Set whether the returned value accepts the transaction."""
        if self._results is not None:
            self._results(span, result)
        if self._rejected is not None and self._rejected(result):
            span.set_attribute(conventions.ERROR_TYPE, REJECTED)
            span.set_status(StatusCode.ERROR, REJECTED)
        else:
            span.set_attribute(conventions.TX_ACCEPTED, value=True)
