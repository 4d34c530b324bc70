"""How every surface starts, fails and ends a span: one place, so that an error looks the same wherever it happened."""

from __future__ import annotations

import asyncio
from importlib import metadata
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import NoOpTracer, NoOpTracerProvider, StatusCode

from tracing_lib.base import conventions
from tracing_lib.base.fingerprints import report
from tracing_lib.fast.native import SourceCore
from tracing_lib.propagation.current import SUPPRESSED, attach, get_current

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from tracing_lib.fast.pure import Home

_MARK: Final = "__virtengine_traces__"


class TracerSource(SourceCore):
    """The tracer of one instrumented scope, looked up again only when the provider changed.

    Without a provider of its own it follows OpenTelemetry's global one, which may be set after the code was decorated.
    """

    __slots__ = ("_scope",)

    def __init__(self, scope: str, provider: TracerProvider | None) -> None:
        self._scope = scope
        self._fixed = provider is not None
        self._provider = provider
        self._tracer = _tracer_of(provider, scope) if provider is not None else None
        self._home = _home_of(self._tracer)
        # The public accessor reads the environment on every call until a provider is set: 25 times what looking here costs.
        self._globals, self._key = vars(trace), "_TRACER_PROVIDER"

    def _look_up(self) -> Tracer | None:
        provider = self._globals[self._key] if self._key in self._globals else trace.get_tracer_provider()
        if provider is not self._provider:
            self._provider = provider
            self._tracer = _tracer_of(provider, self._scope)
            self._home = _home_of(self._tracer)
        return self._tracer


def _home_of(tracer: Tracer | None) -> Home | None:
    """Return what the short way to a span needs, for a tracer of ours: only then is the SDK loaded."""
    if type(tracer).__module__ != "tracing_lib.fast.tracer":
        return None
    from tracing_lib.fast.home import HOME

    return HOME


def _tracer_of(provider: TracerProvider | None, scope: str) -> Tracer | None:
    if provider is None or isinstance(provider, NoOpTracerProvider):
        return None
    tracer = provider.get_tracer(scope, _version(), conventions.SCHEMA_URL)
    return None if isinstance(tracer, NoOpTracer) else tracer


def _version() -> str | None:
    try:
        return metadata.version("virtengine-tracing")
    except metadata.PackageNotFoundError:
        return None


def suppressed() -> bool:
    """Whether somebody asked for no instrumentation here."""
    return bool(get_current().get(SUPPRESSED))


def name_of(error: BaseException | type[BaseException]) -> str:
    """Return the fully qualified name of an exception's type, as ``error.type`` wants it; a builtin goes without its module."""
    kind = error if isinstance(error, type) else type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def record_exception(span: Span, error: BaseException) -> None:
    """Record what ended the operation as an event: type and fingerprint, never the text.

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
    """Give a span the outcome that an exception is: an error, or for a cancellation ``virtengine.cancelled`` and no error."""
    if not span.is_recording():
        return
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        span.set_attribute(conventions.CANCELLED, value=True)
        return
    record_exception(span, error)
    kind = name_of(error)
    span.set_attribute(conventions.ERROR_TYPE, kind)
    span.set_status(StatusCode.ERROR, kind)


def leave(active: Context, before: Context) -> None:
    """Leave a context from code that is being closed, perhaps by the collector and in another execution context.

    ``detach`` would log "Failed to detach context" there, and the context that is current is somebody else's.
    """
    if get_current() is active:
        attach(before)


def restore(active: Context, before: Context, *, closed: bool) -> None:
    """Leave a context; ``closed``: from code that may be being closed."""
    if closed:
        leave(active, before)
    else:
        attach(before)
