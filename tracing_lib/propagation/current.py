"""The current context and its span by the shortest way: what is asked several times for every span.

OpenTelemetry's public functions lead to the same context variable through three Python functions each. Where it keeps its context in
another way (``OTEL_PYTHON_CONTEXT``), they are used.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, cast

from opentelemetry import context as contexts
from opentelemetry.baggage import _BAGGAGE_KEY as BAGGAGE_KEY
from opentelemetry.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, Span
from opentelemetry.trace.propagation import _SPAN_KEY as SPAN_KEY

from tracing_lib.fast.native import current, derived

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracing_lib.fast.span import Ids

__all__ = [
    "BAGGAGE_KEY",
    "SPANS",
    "SPAN_KEY",
    "SUPPRESSED",
    "attach",
    "current_span",
    "get_current",
    "ids_of",
    "set_current_span",
    "span_of",
    "variable",
    "with_span",
]

_runtime: Final = contexts._RUNTIME_CONTEXT
variable: Final = _runtime._current_context if type(_runtime) is ContextVarsRuntimeContext else None
"""Where the current context is; none where OpenTelemetry keeps it in another way."""

get_current: Final = contexts.get_current if variable is None else variable.get
"""As ``opentelemetry.context.get_current``."""
attach: Final = contexts.attach if variable is None else variable.set
"""As ``opentelemetry.context.attach``."""


with_span: Final[Callable[[Span, Context], Context]] = functools.partial(derived, Context, SPAN_KEY)
"""Return the context with another span, as ``opentelemetry.trace.set_span_in_context`` does."""


SPANS: Final[set[type]] = {NonRecordingSpan}
"""Classes that are known to be spans: asking an abstract class costs more than it is asked for."""


SUPPRESSED: Final = "suppress_instrumentation"
"""Key under which a context says that nothing is to be traced (``opentelemetry.instrumentation.utils.suppress_instrumentation``)."""


def span_of(context: Context) -> Span:
    """Return the span of a context, as ``opentelemetry.trace.get_current_span`` does."""
    span = context.get(SPAN_KEY)
    return span if type(span) in SPANS or isinstance(span, Span) else INVALID_SPAN  # type: ignore[return-value]  # one of SPANS


def _shortly(asked: Callable[[], Span]) -> Callable[[], Span]:
    """Return the same in C, where it is known in which variable the context is."""
    if variable is None:
        return asked
    return functools.update_wrapper(functools.partial(current, variable, SPAN_KEY, INVALID_SPAN, span_of), asked)


@_shortly
def current_span() -> Span:
    """Return the span that is current, as ``opentelemetry.trace.get_current_span`` does: for attributes of what is being done.

    That one takes four Python functions, each of which costs microseconds in a process that does other things in between.
    """
    return span_of(get_current())


def ids_of(span: Span) -> Ids:
    """Return a span's ids."""
    ids: Ids | None = getattr(span, "ids", None)  # of a recorded one, which has no span context until it is asked for it
    return cast("Ids", span.get_span_context()) if ids is None else ids


def set_current_span(span: Span) -> Context:
    """Make a span the current one and return the context that was current before, for ``attach``."""
    before = get_current()
    attach(with_span(span, before))
    return before
