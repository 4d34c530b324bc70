"""What the short way to a span needs, where a process is traced by our own provider."""

from __future__ import annotations

from random import getrandbits
from typing import Final

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.trace import DEFAULT_TRACE_STATE, NonRecordingSpan, SpanKind

from tracing_lib.fast.pure import Home
from tracing_lib.fast.span import Ids, RecordedSpan, context_of
from tracing_lib.fast.tracer import ShortTracer
from tracing_lib.propagation.current import BAGGAGE_KEY, SPAN_KEY, variable
from tracing_lib.propagation.headers import FLAGS, OwnPropagator


def _not_recorded(ids: Ids) -> NonRecordingSpan:
    return NonRecordingSpan(context_of(ids))


HOME: Final = Home(
    variable=variable,
    context=Context,
    span_key=SPAN_KEY,
    span=RecordedSpan,
    tracer=ShortTracer,
    bits=getrandbits,
    no_marks={},
    server=SpanKind.SERVER,
    not_recorded=_not_recorded,
    textmaps=vars(propagate),
    textmap="_HTTP_TEXT_FORMAT",
    propagator=OwnPropagator,
    flags=FLAGS,
    default_state=DEFAULT_TRACE_STATE,
    baggage_key=BAGGAGE_KEY,
)
