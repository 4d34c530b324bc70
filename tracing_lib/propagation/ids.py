"""Trace and span ids that are not random: of a transaction, the same for everyone who knows its hash."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import SpanContext, TraceFlags

from tracing_lib.base.errors import PrivacyError, explain

if TYPE_CHECKING:
    from collections.abc import Iterator

_HASH_BYTES: Final = 32
_next: Final[ContextVar[SpanContext | None]] = ContextVar("virtengine_next_ids", default=None)


class ContextIdGenerator(IdGenerator):
    """Random ids, unless ``fixed_ids`` has said what the next ones are."""

    def __init__(self, inner: IdGenerator | None = None) -> None:
        self._inner = inner or RandomIdGenerator()
        self.child_ids = inner.generate_span_id if inner else None
        """Gives the id of a span in a trace that has begun (``fixed_ids`` is for roots alone); none where that is 64 random bits."""

    def generate_trace_id(self) -> int:
        """Return the id of a new trace."""
        wanted = _next.get()
        return self._inner.generate_trace_id() if wanted is None else wanted.trace_id

    def generate_span_id(self) -> int:
        """Return the id of a new span."""
        wanted = _next.get()
        if wanted is None:
            return self._inner.generate_span_id()
        _next.set(None)
        return wanted.span_id

    def is_trace_id_random(self) -> bool:
        """Return what the inner generator says; the ids of transactions are digests, and as evenly spread as random ones."""
        return self._inner.is_trace_id_random()


def ids_are_fixed() -> bool:
    """Whether ``fixed_ids`` has said what the ids of the next root span are."""
    return _next.get() is not None


@contextmanager
def fixed_ids(wanted: SpanContext) -> Iterator[None]:
    """Give the next span that starts here, if it is a root, these ids. A provider made by ``configure`` is needed."""
    token = _next.set(wanted)
    try:
        yield
    finally:
        _next.reset(token)


def hash_bytes(tx_hash: str | bytes) -> bytes:
    """Return a transaction's hash as 32 bytes. Raises ``PrivacyError`` for what is none; it is not shown."""
    raw: object = tx_hash
    if isinstance(raw, str):
        digits = raw.removeprefix("0x")
        try:
            raw = bytes.fromhex(digits) if len(digits) == _HASH_BYTES * 2 else b""  # spaces, which it skips, would make it shorter
        except ValueError:
            raw = b""
    if isinstance(raw, bytes) and len(raw) == _HASH_BYTES:
        return raw
    wrong = f"is a {type(tx_hash).__name__} of length {len(tx_hash)}"
    raise PrivacyError(explain("tx_hash", wrong, "32 bytes, or 64 hexadecimal digits", "pass the hash that the chain answered"))


def transaction_span(tx_hash: str | bytes) -> SpanContext:
    """Return trace and span id of the trace of a transaction, for everyone who knows its hash (32 bytes, or 64 hexadecimal digits).

    The ids are the first 24 bytes of SHA-256 over ``virtengine/transaction`` and the hash: whoever sees a trace id cannot read the
    hash from it. Raises ``PrivacyError`` for what is no such hash; it is not shown.
    """
    digest = hashlib.sha256(b"virtengine/transaction\0" + hash_bytes(tx_hash)).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16], "big"), span_id=int.from_bytes(digest[16:24], "big"), is_remote=True, trace_flags=TraceFlags(0)
    )
