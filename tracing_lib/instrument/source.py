"""Common part of the surfaces that make spans: the source of their tracer, the start of a span, and the record of an exception."""

from __future__ import annotations

import asyncio
import functools
from abc import abstractmethod
from contextlib import AbstractContextManager, suppress
from importlib import metadata
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, runtime_checkable

from opentelemetry import trace
from opentelemetry.context import attach, detach, get_current
from opentelemetry.trace import NoOpTracer, NoOpTracerProvider, ProxyTracerProvider, Span, StatusCode

from tracing_lib.base import conventions
from tracing_lib.base.background import SUPPRESSED
from tracing_lib.base.fingerprints import marked, qualified_type, report
from tracing_lib.propagation import headers
from tracing_lib.propagation.current import start_child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, Tracer, TracerProvider
    from opentelemetry.util.types import AnyValue

    from tracing_lib.propagation.headers import Pairs

_MARK: Final = "__virtengine_traces__"
_NOTHING: Final = NoOpTracer()
_T = TypeVar("_T")


@runtime_checkable
class QuickTracer(Protocol):
    """A tracer that offers the methods of ``TracerSource`` itself, at less cost and with the same result as the public way."""

    def start_child(self, name: str, kind: SpanKind, attributes: Mapping[str, AnyValue] | None, /) -> tuple[Span, Token[Context]]:
        """Start a span under the current one and make it current; return it and the token that ends this, for ``leave``."""
        ...

    def start_server_span(self, name: str, headers: Pairs, attributes: Mapping[str, AnyValue], /) -> tuple[Span, Context]:
        """Start the span of a request with these headers; return it and the context in which it is to become current."""
        ...

    def inject(self, carrier: dict[str, str], to: str | None, /) -> None:
        """Write the headers of the current context into a dictionary; ``to``: the URL or target that is called."""
        ...

    def attach(self, context: Context, /) -> Token[Context]:
        """Make a context current, as ``opentelemetry.context.attach`` does."""
        ...

    def leave(self, token: Token[Context], /) -> None:
        """Make the context current that was before, as ``opentelemetry.context.detach`` does; elsewhere log that it cannot be."""
        ...


class TracerSource:
    """The tracer of one instrumented scope, and the three things that the surfaces do with it.

    The tracer is asked once whether it is a ``QuickTracer``; from then on the source holds either the tracer's own methods or the
    public way. Without a provider of its own a source follows OpenTelemetry's global one, which may be set after the code was
    decorated, and can be set only once in the life of a process.
    """

    __slots__ = ("_scope", "_tracer", "attach", "inject", "leave", "start_child", "start_server_span")

    start_child: Callable[[str, SpanKind, Mapping[str, AnyValue] | None], tuple[Span, Token[Context]] | None]
    """Starts a child as ``QuickTracer`` does; returns None while nobody receives spans."""
    attach: Callable[[Context], Token[Context]]
    """Makes a context current."""
    leave: Callable[[Token[Context]], None]
    """Makes the context current that was before."""
    start_server_span: Callable[[str, Pairs, Mapping[str, AnyValue]], tuple[Span, Context] | None]
    """Starts the span of a request as ``QuickTracer`` does. While nobody receives spans, it is the caller's, or None without a caller."""
    inject: Callable[[dict[str, str], str | None], None]
    """Writes the headers of the current context as ``QuickTracer`` does."""

    def __init__(self, scope: str, provider: TracerProvider | None) -> None:
        self._scope = scope
        self._tracer: Tracer | None = None
        self.start_child, self.start_server_span, self.inject = self._first_child, self._first_server_span, headers.inject
        self.attach, self.leave = attach, detach
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
            self.start_child, self.start_server_span = lambda _name, _kind, _attributes: None, _pass_on
            return
        self._tracer = tracer
        if isinstance(tracer, QuickTracer):
            self.start_child, self.start_server_span, self.inject = tracer.start_child, tracer.start_server_span, tracer.inject
            self.attach, self.leave = tracer.attach, tracer.leave
        else:
            self.start_child = functools.partial(start_child, tracer)
            self.start_server_span = functools.partial(headers.start_server_span, tracer)

    def _first_child(self, name: str, kind: SpanKind, attributes: Mapping[str, AnyValue] | None) -> tuple[Span, Token[Context]] | None:
        return None if self.tracer() is None else self.start_child(name, kind, attributes)

    def _first_server_span(self, name: str, pairs: Pairs, attributes: Mapping[str, AnyValue]) -> tuple[Span, Context] | None:
        return _pass_on(name, pairs, attributes) if self.tracer() is None else self.start_server_span(name, pairs, attributes)


def _pass_on(name: str, pairs: Pairs, attributes: Mapping[str, AnyValue]) -> tuple[Span, Context] | None:
    """Return the caller's span, so that the trace goes on through a service without tracing; None where the request has none."""
    span, active = headers.start_server_span(_NOTHING, name, pairs, attributes)
    return (span, active) if span.get_span_context().is_valid else None


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
    seen = marked(error, _MARK, set) or set()
    if trace_id in seen:
        return
    description = report(error, span)
    attributes = {conventions.EXCEPTION_TYPE: description.type, conventions.ERROR_FINGERPRINT: description.fingerprint}
    span.add_event(conventions.EXCEPTION_EVENT, attributes)
    # An exception that takes no attributes is recorded again further out: better twice than never.
    with suppress(Exception):
        setattr(error, _MARK, {trace_id, *seen})


def fail(span: Span, error: BaseException) -> None:
    """Give a span the outcome of an exception: an error, or for a cancellation ``virtengine.cancelled`` and no error."""
    try:
        _fail(span, error)
    except Exception:  # noqa: BLE001  of the exception's own class, which must not take the place of the exception
        span.set_status(StatusCode.ERROR)


def _fail(span: Span, error: BaseException) -> None:
    if not span.is_recording():
        return
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        span.set_attribute(conventions.CANCELLED, value=True)
        return
    if isinstance(error, SystemExit) and (error.code is None or (isinstance(error.code, int) and error.code == 0)):
        return  # the program ends as it wants to
    record_exception(span, error)
    kind = qualified_type(error)
    span.set_attribute(conventions.ERROR_TYPE, kind)
    span.set_status(StatusCode.ERROR, kind)


class inside(AbstractContextManager[_T]):  # noqa: N801  used like a function
    """A block whose context is current: what left it, or None, is given to ``end``, and then its context is left.

    Code that is being closed, perhaps by garbage collection, can be in another execution context: what is current there belongs to other
    code, and stays. It is a class, because ``contextlib.contextmanager`` assigns to the exception, which one of a service's own may refuse.
    """

    active: Context
    """The context that is current in the block."""
    token: Token[Context]
    """Ends it, by ``leave``."""
    leave: Callable[[Token[Context]], None]

    @abstractmethod
    def end(self, error: BaseException | None) -> None:
        """Take the exception that left the block; None where there was none."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            self.end(error)
        finally:
            # By the class itself: an exception may answer wrongly, or with an error, to the question what it is.
            if kind is None or not issubclass(kind, GeneratorExit) or get_current() is self.active:
                self.leave(self.token)


class ending(inside[Span]):  # noqa: N801  used like a function
    """A block in a span that is current: an error that leaves it is the span's, which then ends."""

    def __init__(self, span: Span, token: Token[Context], leave: Callable[[Token[Context]], None] = detach) -> None:
        self.span, self.token, self.leave, self.active = span, token, leave, get_current()

    def __enter__(self) -> Span:
        return self.span

    def end(self, error: BaseException | None) -> None:
        """End the span."""
        try:
            if error is not None:
                with suppress(Exception):  # of the exception's own class, see ``fail``
                    if isinstance(error, Exception):
                        report(error, self.span)
                fail(self.span, error)
        finally:
            self.span.end()
