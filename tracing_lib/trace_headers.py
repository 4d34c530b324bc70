"""The headers that carry a trace: W3C trace context and our own part of baggage, the plain cases by a shorter way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import default_getter, default_setter
from opentelemetry.trace import DEFAULT_TRACE_STATE, NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracing_lib.baggage import OwnBaggagePropagator
from tracing_lib.current import BAGGAGE_KEY, current_span, get_current, with_span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.propagators.textmap import CarrierT, Getter, Setter
    from opentelemetry.trace import TraceState

_TRACEPARENT: Final = r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[0-3])"
_PLAIN: Final[dict[type, re.Pattern[Any]]] = {str: re.compile(_TRACEPARENT), bytes: re.compile(_TRACEPARENT.encode())}
_FLAGS: Final = {form(f"{flags:02x}"): TraceFlags(flags) for flags in range(4) for form in (str, str.encode)}
_PARENT: Final = frozenset({"traceparent", b"traceparent"})
_BAGGAGE: Final = frozenset({"baggage", b"baggage"})
_OTHERS: Final = frozenset({"tracestate", b"tracestate"}) | _BAGGAGE
_made: Final = tuple.__new__
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
        self._states: dict[str | bytes, TraceState] = {}
        self._last: tuple[TraceState | None, str] = (None, "")

    def extract(self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter) -> Context:
        """Return the context with what the headers carry, as ``opentelemetry.propagate.extract`` has it."""
        if carrier.__class__ is dict and getter is default_getter:
            caller = self.caller(cast("dict[str, object]", carrier).items())
            if caller is not False:
                context = Context() if context is None else context
                return context if caller is None else with_span(NonRecordingSpan(caller), context)
            self._learn(cast("Mapping[str, Any]", carrier))
        return super().extract(carrier, context, getter)

    def _learn(self, headers: Mapping[str, Any]) -> None:
        """Remember what the stock propagator makes of a trace state, whatever it came with."""
        state = headers.get("tracestate")
        if state.__class__ is str and state.isascii() and state not in self._states:
            found = _STOCK.extract({"traceparent": _ANY_PARENT, "tracestate": state}, Context())
            if len(self._states) >= _MOST_STATES:  # anybody may send any
                self._states.clear()
            self._states[state] = self._states[state.encode()] = current_span(found).get_span_context().trace_state

    def caller(self, headers: Iterable[tuple[Any, Any]]) -> SpanContext | Literal[False] | None:
        """Return the ids in plain headers, none where there are no headers, and ``False`` where it takes more to read them.

        ``headers``: names in lower case with their values, both bytes or both text.
        """
        parent: Any = None
        state: Any = None
        for name, value in headers:
            if name in _PARENT:
                if parent is not None:
                    return False
                parent = value
            elif name in _OTHERS:
                if state is not None or name in _BAGGAGE:
                    return False
                state = value
        if parent is None:
            return None
        pattern = _PLAIN.get(parent.__class__)
        matched = None if pattern is None else pattern.fullmatch(parent)
        known = DEFAULT_TRACE_STATE if state is None else self._states.get(state)
        if matched is None or known is None:
            return False
        trace_id, span_id, flags = matched.groups()
        ids = int(trace_id, 16), int(span_id, 16)
        return _made(SpanContext, (*ids, True, _FLAGS[flags], known, True)) if ids[0] and ids[1] else False

    def inject(self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter) -> None:
        """Write the headers of a context, as ``opentelemetry.propagate.inject`` has it."""
        context = get_current() if context is None else context
        if carrier.__class__ is dict and setter is default_setter and BAGGAGE_KEY not in context:
            carrier.update(self.headers(current_span(context).get_span_context()))  # type: ignore[attr-defined]  # looked at
        else:
            super().inject(carrier, context, setter)

    def headers(self, ids: SpanContext) -> dict[str, str]:
        """Return the headers that carry a span's ids."""
        if not ids[5]:
            return {}
        state = ids[4]
        if not state:
            return {"traceparent": f"00-{ids[0]:032x}-{ids[1]:016x}-{ids[3]:02x}"}
        if state is not self._last[0]:
            self._last = state, state.to_header()
        return {"traceparent": f"00-{ids[0]:032x}-{ids[1]:016x}-{ids[3]:02x}", "tracestate": self._last[1]}
