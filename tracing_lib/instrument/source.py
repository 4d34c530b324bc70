"""What the surfaces that make spans share: where their tracer comes from, how a span starts, and how an exception is recorded."""

from __future__ import annotations

import asyncio
import functools
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from opentelemetry import trace
from opentelemetry.context import attach, get_current
from opentelemetry.trace import NoOpTracer, NoOpTracerProvider, ProxyTracerProvider, StatusCode

from tracing_lib.base import conventions
from tracing_lib.base.background import SUPPRESSED
from tracing_lib.base.fingerprints import qualified_type, report
from tracing_lib.propagation import headers
from tracing_lib.propagation.current import start_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, Tracer, TracerProvider
    from opentelemetry.util.types import AnyValue

    from tracing_lib.propagation.headers import Pairs

_MARK: Final = "__virtengine_traces__"


@runtime_checkable
class QuickTracer(Protocol):
    """A tracer that offers the methods of ``TracerSource`` itself, at less cost and with the same result as the public way."""

    def start_child(self, name: str, kind: SpanKind, attributes: Mapping[str, AnyValue] | None, /) -> tuple[Span, Context]:
        """Start a span under the current one and make it current; return it and the context that was current before."""
        ...

    def start_server_span(self, name: str, headers: Pairs, attributes: Mapping[str, AnyValue], /) -> tuple[Span, Context]:
        """Start the span of a request with these headers; return it and the context in which it is to become current."""
        ...

    def inject(self, carrier: dict[str, str], to: str | None, /) -> None:
        """Write the headers of the current context into a dictionary; ``to``: the URL or target that is called."""
        ...


class TracerSource:
    """The tracer of one instrumented scope, and the three things that the surfaces do with it.

    The tracer is asked once whether it is a ``QuickTracer``; from then on the source holds either the tracer's own methods or the
    public way. Without a provider of its own a source follows OpenTelemetry's global one, which may be set after the code was
    decorated, and can be set only once in the life of a process.
    """

    __slots__ = ("_scope", "_tracer", "inject", "start_child", "start_server_span")

    start_child: Callable[[str, SpanKind, Mapping[str, AnyValue] | None], tuple[Span, Context] | None]
    """Starts a child as ``QuickTracer`` does; returns None while nobody receives spans."""
    start_server_span: Callable[[str, Pairs, Mapping[str, AnyValue]], tuple[Span, Context] | None]
    """Starts the span of a request as ``QuickTracer`` does; returns None while nobody receives spans."""
    inject: Callable[[dict[str, str], str | None], None]
    """Writes the headers of the current context as ``QuickTracer`` does."""

    def __init__(self, scope: str, provider: TracerProvider | None) -> None:
        self._scope = scope
        self._tracer: Tracer | None = None
        self.start_child, self.start_server_span, self.inject = self._first_child, self._first_server_span, headers.inject
        if provider is not None:
            self._hold(provider)

    def tracer(self) -> Tracer | None:
        """Return the tracer, or None while nobody would receive a span."""
        if self._tracer is None:
            provider = trace.get_tracer_provider()
            if not isinstance(provider, ProxyTracerProvider):
                self._hold(provider)
        return self._tracer

    def _hold(self, provider: TracerProvider) -> None:
        tracer = None if isinstance(provider, NoOpTracerProvider) else provider.get_tracer(self._scope, _version(), conventions.SCHEMA_URL)
        if tracer is None or isinstance(tracer, NoOpTracer):
            self.start_child, self.start_server_span = _no_span, _no_span
            return
        self._tracer = tracer
        if isinstance(tracer, QuickTracer):
            self.start_child, self.start_server_span, self.inject = tracer.start_child, tracer.start_server_span, tracer.inject
        else:
            self.start_child = functools.partial(start_child, tracer)
            self.start_server_span = functools.partial(headers.start_server_span, tracer)

    def _first_child(self, name: str, kind: SpanKind, attributes: Mapping[str, AnyValue] | None) -> tuple[Span, Context] | None:
        return None if self.tracer() is None else self.start_child(name, kind, attributes)

    def _first_server_span(self, name: str, pairs: Pairs, attributes: Mapping[str, AnyValue]) -> tuple[Span, Context] | None:
        return None if self.tracer() is None else self.start_server_span(name, pairs, attributes)


def _no_span(_name: str, _kind_or_headers: object, _attributes: object) -> None:
    """Start no span: the provider makes none."""


@functools.cache
def _version() -> str | None:
    try:
        return metadata.version("virtengine-tracing")
    except metadata.PackageNotFoundError:
        return None


def suppressed() -> bool:
    """Whether the current context asks for no instrumentation."""
    return bool(get_current().get(SUPPRESSED))


def record_exception(span: Span, error: BaseException) -> None:
    """Record the exception that ended an operation as an event: type and fingerprint, never the text.

    An exception that travels up through several spans of a trace is recorded on the first of them only, and knows that one from then
    on (``fingerprints.report``). The caller sets the status.
    """
    trace_id = span.get_span_context().trace_id
    seen: set[int] = getattr(error, _MARK, None) or set()
    if trace_id in seen:
        return
    description = report(error, span)
    attributes = {conventions.EXCEPTION_TYPE: description.type, conventions.ERROR_FINGERPRINT: description.fingerprint}
    span.add_event(conventions.EXCEPTION_EVENT, attributes)
    try:
        setattr(error, _MARK, {trace_id, *seen})
    except AttributeError:
        # An exception that takes no attributes is recorded again further out: better twice than never.
        return


def fail(span: Span, error: BaseException) -> None:
    """Give a span the outcome of an exception: an error, or for a cancellation ``virtengine.cancelled`` and no error."""
    if not span.is_recording():
        return
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        span.set_attribute(conventions.CANCELLED, value=True)
        return
    record_exception(span, error)
    kind = qualified_type(error)
    span.set_attribute(conventions.ERROR_TYPE, kind)
    span.set_status(StatusCode.ERROR, kind)


@contextmanager
def ending(span: Span, before: Context) -> Iterator[Span]:
    """Run the block in a span that is current, then end it and make the context before it current. An error that leaves is the span's."""
    try:
        yield span
    except BaseException as error:
        if isinstance(error, Exception):
            report(error, span)
        fail(span, error)
        raise
    finally:
        attach(before)
        span.end()


def restore(active: Context, before: Context, *, closed: bool) -> None:
    """Leave a context. ``closed``: from code that is being closed, perhaps by garbage collection and in another execution context.

    ``detach`` would log "Failed to detach context" there, and the context that is current belongs to other code.
    """
    if not closed or get_current() is active:
        attach(before)
