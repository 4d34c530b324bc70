"""Accounts: the number of sampled spans of a process by their state, exact at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUE_FULL: Final = "queue_full"
"""Reason of a drop: the queue had no room (name: OpenTelemetry semantic conventions, ``otel.sdk.processor.span.processed``)."""
ALREADY_SHUTDOWN: Final = "already_shutdown"
"""The span ended after the shutdown (name: as above)."""
SHUTDOWN: Final = "shutdown"
"""The collector had not acknowledged the span when the deadline of the shutdown came."""
REJECTED: Final = "rejected"
"""The collector took the request and rejected the span: OTLP's partial success (name: ``otel.sdk.exporter.span.exported``)."""
ENCODING: Final = "encoding"
"""The span could not be encoded; the log has the error."""
INTERNAL: Final = "internal_error"
"""An error of the library stopped the export; the log has the error."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The sampled spans of a process. ``started == live + queued + exported + sum(dropped.values())`` holds in every snapshot."""

    started: int
    """Sampled spans that started."""
    live: int
    """Started spans that have not ended."""
    queued: int
    """Ended spans that the collector has not acknowledged yet, including ``inflight``."""
    queued_bytes: int
    """Memory of the queued spans, in bytes."""
    inflight: int
    """Queued spans that are in the request that is being sent."""
    exported: int
    """Spans that the collector acknowledged."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Spans that were dropped, by reason: the constants of this module, or ``http_<status>`` and ``grpc_<status>`` for a refusal."""

    withheld: Mapping[str, int] = field(default_factory=dict)
    """Attributes of spans that stayed in the process, by key (``docs/library/privacy.md``)."""

    @property
    def lost(self) -> int:
        """Spans that were dropped, for any reason."""
        return sum(self.dropped.values())


NO_SPANS: Final = Accounts(started=0, live=0, queued=0, queued_bytes=0, inflight=0, exported=0)
"""Accounts of a process that makes no spans."""
