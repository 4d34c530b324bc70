"""Jobs and events that outlive the request that made them: a compact token leads from the work back to who asked for it.

Producer and consumer are spans of different traces, joined by a link (semantic conventions, "Messaging spans"): a trace that lasts for
days, over restarts, could not be sampled, stored or read as one.
"""

from __future__ import annotations

import base64
import binascii
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from tracing_lib.errors import JobTokenError, explain
from tracing_lib.fingerprints import report
from tracing_lib.identifiers import fixed_ids, transaction_span
from tracing_lib.recording import fail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.trace import Span, Tracer, TracerProvider
    from opentelemetry.util.types import AttributeValue

_PREFIX: Final = "ve1."
_BYTES: Final = 16 + 8 + 1 + 5
_LATEST: Final = 2**40 - 1
"""Hundredths of a second that five bytes hold: enough until the year 2318."""
_HUNDREDTHS: Final = 100


@dataclass(frozen=True, slots=True)
class JobContext:
    """Who asked for a job, and when: what is to be stored beside it. It holds ids and a time, nothing of the job."""

    trace_id: int
    """Trace of the producer."""
    span_id: int
    """Span of the producer."""
    sampled: bool
    """Whether the producer's trace was sampled at its head."""
    made_at: float
    """When it was made, seconds since 1970 (UTC), to a hundredth."""

    @classmethod
    def of(cls, span: Span) -> Self | None:
        """Return the context of a span; none where it has no valid ids, as when tracing is off."""
        context = span.get_span_context()
        return cls._of(context) if context.is_valid else None

    @classmethod
    def current(cls) -> Self | None:
        """Return the context of the current span, or none outside of one."""
        return cls.of(trace.get_current_span())

    @classmethod
    def of_transaction(cls, tx_hash: str | bytes) -> Self:
        """Return the context of a transaction's own trace, for a hop that carries its hash and no header.

        Raises ``PrivacyError`` for what is no hash of 32 bytes.
        """
        return cls._of(transaction_span(tx_hash))

    @classmethod
    def _of(cls, context: SpanContext) -> Self:
        now = round(time.time(), 2)
        return cls(context.trace_id, context.span_id, bool(context.trace_flags & TraceFlags.SAMPLED), now)

    @property
    def token(self) -> str:
        """The context as 44 characters: letters, digits and ``._-``, fit for a database row, a chain event, a label or an annotation."""
        time_part = min(max(int(self.made_at * _HUNDREDTHS), 0), _LATEST)
        raw = (
            self.trace_id.to_bytes(16, "big") + self.span_id.to_bytes(8, "big") + bytes([int(self.sampled)]) + time_part.to_bytes(5, "big")
        )
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
    return (provider or trace.get_tracer_provider()).get_tracer("tracing_lib.jobs")


@contextmanager
def produce(
    name: str, *, attributes: Mapping[str, AttributeValue] | None = None, provider: TracerProvider | None = None
) -> Iterator[JobContext | None]:
    """Hand a job out: a producer span named ``create NAME`` in the current trace.

    Yields what is to be stored with the job, or none when tracing is off. ``name`` is the kind of job (``provision``), not one job.
    """
    with _tracer(provider).start_as_current_span(
        f"create {name}", kind=SpanKind.PRODUCER, attributes={"virtengine.job.kind": name, **(attributes or {})}
    ) as span:
        yield JobContext.of(span)


@contextmanager
def consume(
    name: str,
    job: JobContext | str | None,
    *,
    attempt: int | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
    provider: TracerProvider | None = None,
) -> Iterator[Span]:
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
    links = [] if context is None else [context.link()]
    with _rooted(_tracer(provider), f"process {name}", SpanKind.CONSUMER, {**described, **(attributes or {})}, links=links) as span:
        yield span


@contextmanager
def transaction(
    name: str, tx_hash: str | bytes, *, attributes: Mapping[str, AttributeValue] | None = None, provider: TracerProvider | None = None
) -> Iterator[Span]:
    """Work on a transaction in the block that holds it: the root of the trace that everyone who knows the hash can name.

    It is for the one place that executes the transaction; others link to it by ``JobContext.of_transaction(tx_hash).link()``. The
    span that is current, if any, is linked to. Ids are derived only under a provider made by ``configure`` or the test kit. Raises
    ``PrivacyError`` for what is no hash.
    """
    wanted = transaction_span(tx_hash)
    here = trace.get_current_span().get_span_context()
    links = [Link(here)] if here.is_valid else []
    shown = tx_hash.hex().upper() if isinstance(tx_hash, bytes) else tx_hash.removeprefix("0x").upper()
    described = {"virtengine.tx.hash": shown, **(attributes or {})}
    with _rooted(_tracer(provider), name, SpanKind.INTERNAL, described, links=links, ids=wanted) as span:
        yield span


@contextmanager
def _rooted(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, AttributeValue],
    *,
    links: list[Link],
    ids: SpanContext | None = None,
) -> Iterator[Span]:
    """Start a root span in the current context, so that baggage stays, and give it the error that leaves the block."""
    parentless = trace.set_span_in_context(INVALID_SPAN)
    if ids is None:
        span = tracer.start_span(name, parentless, kind, attributes, links)
    else:
        with fixed_ids(ids):
            span = tracer.start_span(name, parentless, kind, attributes, links)
    token = contexts.attach(trace.set_span_in_context(span, parentless))
    try:
        yield span
    except BaseException as error:
        report(error, span)
        fail(span, error)
        raise
    finally:
        contexts.detach(token)
        span.end()


def _readable(job: JobContext | str | None) -> JobContext | None:
    if not isinstance(job, str):
        return job
    try:
        return JobContext.from_token(job)
    except JobTokenError:
        return None


@contextmanager
def continued(job: JobContext | str | None) -> Iterator[None]:
    """Make the producer's span the current one: for work that belongs to its trace, seconds later.

    Spans in the block are its children, and a ``transaction`` in it is linked to it. ``job`` is the stored context or its token; with
    one that cannot be read, or none, nothing changes.
    """
    context = _readable(job)
    if context is None:
        yield
        return
    token = contexts.attach(trace.set_span_in_context(NonRecordingSpan(context.span_context)))
    try:
        yield
    finally:
        contexts.detach(token)
