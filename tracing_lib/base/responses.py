"""Responses of collectors and strategy servers: their body, rejected spans, and the pause that they ask for."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_FULL_SUCCESS: Final = frozenset({b"", b"\x0a\x00"})
"""An empty response, and one with an empty partial success. Nearly all responses are one of these."""
_LONGEST_ANSWER: Final = 64 * 1024
CHUNK_BYTES: Final = 8192
"""Bytes of a response that are read at once."""
_LONGEST_MESSAGE: Final = 200


class TooLongAnswerError(Exception):
    """A response was longer, or took longer, than any response of OTLP."""


def read_answer(chunks: Iterable[bytes], seconds: float, most_bytes: int = _LONGEST_ANSWER) -> bytes:
    """Return the body of a response from its chunks.

    Raises ``TooLongAnswerError`` after ``seconds``, and for more than ``most_bytes``.
    """
    deadline = time.monotonic() + seconds
    read = bytearray()
    for chunk in chunks:
        read += chunk
        if len(read) > most_bytes or time.monotonic() > deadline:
            raise TooLongAnswerError
    return bytes(read)


def rejected_spans(answer: bytes) -> tuple[int, str]:
    """Return the number of rejected spans of an accepted request, and the reason (``ExportTracePartialSuccess``).

    The number is 0 for a body that is not OTLP.
    """
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
    """Return the seconds to wait that a ``Retry-After`` header asks for (RFC 9110, 10.2.3: seconds or a date), or None."""
    if not value:
        return None
    with suppress(ValueError):
        return max(0.0, float(int(value)))
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return None
