"""The headers that carry a trace: W3C trace context and our own part of baggage, the plain cases by a shorter way."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import default_getter, default_setter
from opentelemetry.trace import DEFAULT_TRACE_STATE, NonRecordingSpan, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracing_lib.fast.native import caller, traceparent
from tracing_lib.fast.span import context_of
from tracing_lib.propagation.baggage import OwnBaggagePropagator
from tracing_lib.propagation.current import BAGGAGE_KEY, get_current, ids_of, span_of, with_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opentelemetry.propagators.textmap import CarrierT, Getter, Setter
    from opentelemetry.trace import TraceState

    from tracing_lib.fast.span import Ids

FLAGS: Final = tuple(TraceFlags(flags) for flags in range(4))
_STOCK: Final = TraceContextTextMapPropagator()
_ANY_PARENT: Final = f"00-{1:032x}-{1:016x}-00"
_MOST_STATES: Final = 256
"""Trace states that are kept parsed. Services that sample by the same strategy send the same few."""


class OwnPropagator(CompositePropagator):
    """W3C trace context and ``OwnBaggagePropagator``, which do the work wherever headers are not plain.

    Plain are a dictionary, a ``traceparent`` of version 00, a ``tracestate`` that was seen before, and no baggage.
    """

    def __init__(self, own_hosts: Sequence[str]) -> None:
        super().__init__([_STOCK, OwnBaggagePropagator(own_hosts)])
        self.states: dict[str | bytes, TraceState] = {}
        """What the stock propagator has made of trace states, by their headers."""
        self.caller: Final[Callable[[Iterable[tuple[Any, Any]]], Ids | Literal[False] | None]] = functools.partial(
            caller, self.states, FLAGS, DEFAULT_TRACE_STATE
        )
        """Return the ids in plain headers, none where there are no headers, and ``False`` where it takes more to read them."""
        self.known_state: tuple[TraceState | None, tuple[tuple[str, str], ...]] = (None, ())
        """The trace state seen last, and the header that carries it; none where it is empty."""

    def extract(self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter) -> Context:
        """Return the context with what the headers carry, as ``opentelemetry.propagate.extract`` has it."""
        if type(carrier) is dict and getter is default_getter:
            found = self.caller(cast("dict[str, object]", carrier).items())
            if found is not False:
                context = Context() if context is None else context
                return context if found is None else with_span(NonRecordingSpan(context_of(found)), context)
            self._learn(cast("Mapping[str, Any]", carrier))
        return super().extract(carrier, context, getter)

    def _learn(self, headers: Mapping[str, Any]) -> None:
        """Remember what the stock propagator makes of a trace state, whatever it came with."""
        state = headers.get("tracestate")
        if type(state) is str and state.isascii() and state not in self.states:
            found = _STOCK.extract({"traceparent": _ANY_PARENT, "tracestate": state}, Context())
            if len(self.states) >= _MOST_STATES:  # anybody may send any
                self.states.clear()
            self.states[state] = self.states[state.encode()] = span_of(found).get_span_context().trace_state

    def inject(self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter) -> None:
        """Write the headers of a context, as ``opentelemetry.propagate.inject`` has it."""
        context = get_current() if context is None else context
        if type(carrier) is dict and setter is default_setter and BAGGAGE_KEY not in context:
            carrier.update(self.headers(ids_of(span_of(context))))  # type: ignore[attr-defined]  # looked at
        else:
            super().inject(carrier, context, setter)

    def headers(self, ids: Ids) -> tuple[tuple[str, str], ...]:
        """Return the headers that carry a span's ids, as pairs."""
        if not ids[5]:
            return ()
        state, known = ids[4], self.known_state
        if state is not known[0]:
            text = state.to_header()
            known = self.known_state = state, (("tracestate", text),) if text else ()
        return ("traceparent", traceparent(ids)), *known[1]
