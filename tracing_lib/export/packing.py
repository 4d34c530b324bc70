"""From an ended span to the bytes that wait for the export: redacted, encoded, and joined to a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.export.encoder import encode_request, encode_span
from tracing_lib.export.groups import ScopeGroups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from tracing_lib.export.groups import ScopeGroup
    from tracing_lib.export.redactor import Redactor


class SpanEncoder:
    """Redacts and encodes spans, and joins them to requests. For one thread at a time. Without a redactor a span leaves as recorded."""

    def __init__(self, redactor: Redactor | None) -> None:
        self.redactor = redactor
        self.groups = ScopeGroups(redactor)
        # A forked child counts its own.
        self._withheld_before = {} if redactor is None else redactor.withheld.counts()

    def withheld(self) -> dict[str, int]:
        """Return how many attributes of each key stayed in the process."""
        counts = {} if self.redactor is None else self.redactor.withheld.counts()
        before = self._withheld_before
        return {key: new for key, count in counts.items() if (new := count - before.get(key, 0))}

    def encode(self, span: ReadableSpan) -> tuple[ScopeGroup, bytes]:
        """Return a span's group, and the span redacted and encoded. Raises whatever redactor and encoder raise."""
        redacted = span if self.redactor is None else self.redactor.span(span)
        return self.groups.of(span), encode_span(redacted)

    def request(self, groups: Sequence[ScopeGroup], spans: Sequence[bytes]) -> bytes:
        """Return an ``ExportTraceServiceRequest`` of encoded spans, each with its group."""
        return encode_request(groups, spans)
