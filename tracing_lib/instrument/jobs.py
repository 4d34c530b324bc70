"""Jobs and events that outlive the request that made them: a compact token leads from the work back to who asked for it.

Producer and consumer are spans of different traces, joined by a link (semantic conventions, "Messaging spans"): a trace that lasts for
days, over restarts, could not be sampled, stored or read as one.
"""

from __future__ import annotations

import base64
import binascii
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple, Self, cast

from opentelemetry.context import get_current
from opentelemetry.trace import Link, NonRecordingSpan, NoOpTracer, SpanContext, SpanKind, TraceFlags, set_span_in_context

from tracing_lib.base.errors import JobTokenError, explain
from tracing_lib.instrument.source import TracerSource, ending
from tracing_lib.propagation.current import attached, current_span, set_current_span, start_child, without_span
from tracing_lib.propagation.ids import fixed_ids, transaction_span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span, Tracer, TracerProvider
    from opentelemetry.util.types import AttributeValue

_PREFIX: Final = "ve1."
"""Beginning of a job's token: its kind and version."""
_BYTES: Final = 16 + 8 + 1 + 5
_LATEST: Final = 2**40 - 1
"""Hundredths of a second that five bytes hold: enough until the year 2318."""
_HUNDREDTHS: Final = 100
_HUNDREDTH: Final = 1_000_000_000 // _HUNDREDTHS
"""Hundredth of a second, in nanoseconds."""
_SCOPE: Final = "tracing_lib.instrument.jobs"
_NO_TRACER: Final = NoOpTracer()
_source: Final = TracerSource(_SCOPE, None)


class JobContext(NamedTuple):
    """Context of a job, to be stored beside it: the ids of the span that asked for it, and the time. Nothing of the job is in it."""

    trace_id: int
    """Trace of the producer."""
    span_id: int
    """Span of the producer."""
    sampled: bool
    """Whether the producer's trace was sampled at its head."""
    made_at: float
    """Time at which the context was made, in seconds since 1970 (UTC), to a hundredth."""

    @classmethod
    def of(cls, span: Span) -> Self | None:
        """Return the context of a span; none where it has no valid ids, as when tracing is off."""
        ids = span.get_span_context()
        made_at = time.time_ns() // _HUNDREDTH / _HUNDREDTHS
        return cls(ids.trace_id, ids.span_id, ids.trace_flags.sampled, made_at) if ids.is_valid else None

    @classmethod
    def current(cls) -> Self | None:
        """Return the context of the current span, or none outside of one."""
        return cls.of(current_span())

    @classmethod
    def of_transaction(cls, tx_hash: str | bytes) -> Self:
        """Return the context of a transaction's own trace, for a hop that carries its hash and no header.

        Raises ``PrivacyError`` for what is no hash of 32 bytes.
        """
        ids = transaction_span(tx_hash)
        return cls(ids.trace_id, ids.span_id, ids.trace_flags.sampled, time.time_ns() // _HUNDREDTH / _HUNDREDTHS)

    @property
    def token(self) -> str:
        """The context as 44 characters: letters, digits and ``._-``, fit for a database row, a chain event, a label or an annotation."""
        trace_id, span_id, sampled, made_at = self
        hundredths = int(made_at * _HUNDREDTHS + 0.5)
        if not 0 <= hundredths <= _LATEST:
            hundredths = 0 if hundredths < 0 else _LATEST
        raw = trace_id.to_bytes(16) + span_id.to_bytes(8) + (sampled << 40 | hundredths).to_bytes(6)
        return _PREFIX + base64.urlsafe_b64encode(raw).decode("ascii")

    @classmethod
    def from_token(cls, token: str) -> Self:
        """Return the context in a token. Raises ``JobTokenError`` for anything else; the token is not shown."""
        try:
            raw = base64.b64decode(token.removeprefix(_PREFIX).encode("ascii"), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        # Of the flags one bit has a meaning so far: other bits are a damaged token, or one of a version that has another prefix.
        if len(raw) != _BYTES or not token.startswith(_PREFIX) or raw[24] > 1:
            wrong = f"is no token of this library ({len(token)} characters)"
            raise JobTokenError(explain("job token", wrong, "what JobContext.token gave, unchanged", "start the job without it"))
        made_at = int.from_bytes(raw[25:30], "big") / _HUNDREDTHS
        made = cls(int.from_bytes(raw[:16], "big"), int.from_bytes(raw[16:24], "big"), bool(raw[24]), made_at)
        if not made.span_context.is_valid:
            raise JobTokenError(explain("job token", "has ids of zero", "what JobContext.token gave", "start the job without it"))
        return made

    @property
    def span_context(self) -> SpanContext:
        """The producer's span as OpenTelemetry has it, for a link of your own."""
        flags = TraceFlags(TraceFlags.SAMPLED if self.sampled else TraceFlags.DEFAULT)
        return SpanContext(self.trace_id, self.span_id, is_remote=True, trace_flags=flags)

    def link(self, attributes: Mapping[str, AttributeValue] | None = None) -> Link:
        """Return a link to the producer."""
        return Link(self.span_context, attributes)


def _tracer(provider: TracerProvider | None) -> Tracer:
    # A provider makes a new scope, under a lock, for each tracer that it is asked for.
    return (_source.tracer() or _NO_TRACER) if provider is None else provider.get_tracer(_SCOPE)


def produce(
    name: str, *, attributes: Mapping[str, AttributeValue] | None = None, provider: TracerProvider | None = None
) -> AbstractContextManager[JobContext | None]:
    """Hand a job out: a producer span named ``create NAME`` in the current trace.

    Yields what is to be stored with the job, or none when tracing is off. ``name`` is the kind of job (``provision``), not one job.
    """
    described = {"virtengine.job.kind": name, **(attributes or {})}
    block = _Producing(*start_child(_tracer(provider), f"create {name}", SpanKind.PRODUCER, described))
    return cast("AbstractContextManager[JobContext | None]", block)


class _Producing(ending):
    def __enter__(self) -> JobContext | None:  # type: ignore[override]  # in place of the span
        return JobContext.of(self.span)


def link_to_transaction(tx_hash: str | bytes) -> None:
    """Link the current span to a transaction's own trace: for the request that sent it.

    Raises ``PrivacyError`` for what is no hash of 32 bytes.
    """
    linked, span = transaction_span(tx_hash), current_span()
    if span.is_recording():
        span.add_link(linked)


def consume(
    name: str,
    job: JobContext | str | None,
    *,
    attempt: int | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
    provider: TracerProvider | None = None,
) -> AbstractContextManager[Span]:
    """Do a job: a consumer span named ``process NAME``, the root of a trace of its own, linked to who handed it out.

    ``job`` is the stored context or its token. One that cannot be read, or none, leaves the link away and nothing else: work is never
    refused for want of a trace. ``attempt`` counts from 1. An exception that leaves the block is the span's error.
    """
    context = _readable(job)
    described: dict[str, AttributeValue] = {"virtengine.job.kind": name}
    if context is not None:
        described["virtengine.job.wait_seconds"] = round(max(time.time() - context.made_at, 0.0), 2)
    if attempt is not None:
        described["virtengine.job.attempt"] = attempt
    asked = None if context is None else context.span_context
    return _rooted(_tracer(provider), f"process {name}", {**described, **(attributes or {})}, asked, kind=SpanKind.CONSUMER)


def transaction(
    name: str, tx_hash: str | bytes, *, attributes: Mapping[str, AttributeValue] | None = None, provider: TracerProvider | None = None
) -> AbstractContextManager[Span]:
    """Work on a transaction in the block that holds it: the root of the trace that everyone who knows the hash can name.

    It is for the one place that executes the transaction; others link to it by ``JobContext.of_transaction(tx_hash).link()``. The
    span that is current, if any, is linked to. Ids are derived only under a provider made by ``configure`` or the test kit. Raises
    ``PrivacyError`` for what is no hash.
    """
    wanted, here = transaction_span(tx_hash), current_span().get_span_context()
    shown = tx_hash.hex().upper() if isinstance(tx_hash, bytes) else tx_hash.removeprefix("0x").upper()
    described = {"virtengine.tx.hash": shown, **(attributes or {})}
    return _rooted(_tracer(provider), name, described, here if here.is_valid else None, wanted=wanted)


def _rooted(
    tracer: Tracer,
    name: str,
    attributes: Mapping[str, AttributeValue],
    to: SpanContext | None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    wanted: SpanContext | None = None,
) -> ending:
    """Start a root span in the current context, so that baggage stays. ``to``: the span that it is linked to. ``wanted``: its ids."""
    with fixed_ids(wanted) if wanted else nullcontext():
        span = tracer.start_span(name, without_span(), kind, attributes, [Link(to)] if to else [])
    return ending(span, set_current_span(span))


def _readable(job: JobContext | str | None) -> JobContext | None:
    if not isinstance(job, str):
        return job
    try:
        return JobContext.from_token(job)
    except JobTokenError:
        return None


def continued(job: JobContext | str | None) -> AbstractContextManager[None]:
    """Make the producer's span the current one: for work that belongs to its trace, seconds later.

    Spans in the block are its children, and a ``transaction`` in it is linked to it. ``job`` is the stored context or its token; with
    one that cannot be read, or none, nothing changes.
    """
    context = _readable(job)
    return attached(set_span_in_context(NonRecordingSpan(context.span_context)) if context else get_current())
