"""What a collector answers: partial success, and the pause that it asks for."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_FULL_SUCCESS: Final = frozenset({b"", b"\x0a\x00"})
"""An empty answer, and one with an empty partial success: what collectors send nearly always."""
_LONGEST_ANSWER: Final = 64 * 1024
CHUNK_BYTES: Final = 8192
"""How much of an answer is asked for at once."""
_LONGEST_MESSAGE: Final = 200


class TooLongAnswerError(Exception):
    """An answer was longer, or took longer, than anything that OTLP has to say."""


def read_answer(chunks: Iterable[bytes], seconds: float, most_bytes: int = _LONGEST_ANSWER) -> bytes:
    """Return the body of an answer from its parts. Raises ``TooLongAnswerError`` for a server that keeps on talking."""
    deadline = time.monotonic() + seconds
    read = bytearray()
    for chunk in chunks:
        read += chunk
        if len(read) > most_bytes or time.monotonic() > deadline:
            raise TooLongAnswerError
    return bytes(read)


def rejected_spans(answer: bytes) -> tuple[int, str]:
    """Return how many spans of an accepted request were rejected, and why (``ExportTracePartialSuccess``); 0 for what is no OTLP."""
    if answer in _FULL_SUCCESS:
        return 0, ""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
    except DecodeError:
        return 0, ""
    return max(0, partial.rejected_spans), partial.error_message[:_LONGEST_MESSAGE]


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks to wait (RFC 9110, 10.2.3: seconds or a date); None for neither."""
    if not value:
        return None
    with suppress(ValueError):
        return max(0.0, float(int(value)))
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return None
