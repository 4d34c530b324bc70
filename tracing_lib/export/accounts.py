"""What became of the sampled spans of a process: exact at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUE_FULL: Final = "queue_full"
"""The queue had no room (name: OpenTelemetry semantic conventions, ``otel.sdk.processor.span.processed``)."""
ALREADY_SHUTDOWN: Final = "already_shutdown"
"""The span ended after the shutdown (name: as above)."""
SHUTDOWN: Final = "shutdown"
"""The collector had not acknowledged the span when the deadline of the shutdown came."""
REJECTED: Final = "rejected"
"""The collector took the request and rejected the span: OTLP's partial success (name: ``otel.sdk.exporter.span.exported``)."""
ENCODING: Final = "encoding"
"""The span could not be encoded; the log has the error."""
INTERNAL: Final = "internal_error"
"""The exporter failed in a way that it should not; the log has the error."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The sampled spans of a process. ``started == live + queued + exported + sum(dropped.values())`` holds in every snapshot."""

    started: int
    """Sampled spans that were started."""
    live: int
    """Of these, how many have not ended."""
    queued: int
    """Ended, and waiting for the collector's acknowledgement; those under way at this moment included."""
    queued_bytes: int
    """Memory that these take, in bytes."""
    inflight: int
    """Queued spans that are in a request which is being sent at this moment."""
    exported: int
    """Acknowledged by the collector."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Never acknowledged, by reason: the constants of this module, or ``http_<status>`` and ``grpc_<status>`` for a refusal."""

    withheld: Mapping[str, int] = field(default_factory=dict)
    """Attributes of spans that stayed in the process, by key (``docs/library/privacy.md``)."""

    @property
    def lost(self) -> int:
        """Spans that were dropped, whatever the reason."""
        return sum(self.dropped.values())


NO_SPANS: Final = Accounts(started=0, live=0, queued=0, queued_bytes=0, inflight=0, exported=0)
"""The accounts of a process that makes no spans."""
