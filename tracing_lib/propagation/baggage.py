"""Baggage of declared keys, sent to own hosts only (W3C Baggage, "Privacy Considerations").

Every instrumentation that injects context would send baggage, to any host. So baggage is injected only where the context names the host
that is called: the library's clients do, and ``outbound_to`` does for others.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from opentelemetry import baggage, propagate, trace
from opentelemetry import context as contexts
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator, default_getter, default_setter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracing_lib.base.errors import PrivacyError, explain
from tracing_lib.base.hosts import OWN_HOSTS, is_own
from tracing_lib.privacy.policy import PrivacyPolicy
from tracing_lib.privacy.registry import library_registry
from tracing_lib.propagation.current import attached

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from opentelemetry.propagators.textmap import CarrierT, Getter, Setter

_HEADER: Final = "baggage"
_MOST_ENTRIES: Final = 64
"""Entries of a header that are read (W3C Baggage, "Limits")."""
_MOST_BYTES: Final = 8192
"""Bytes of a header that are read: beyond them OpenTelemetry's propagator reads nothing."""
_ENTRY: Final = re.compile(r"[A-Za-z0-9_.-]+=[A-Za-z0-9._:/%-]{1,256}")

_DESTINATION: Final = contexts.create_key("virtengine-destination")


def set_baggage(key: str, value: str, context: Context | None = None) -> Context:
    """Return a context with a value that is sent to own hosts with every call made in it.

    Raises ``PrivacyError`` when the key is not declared with ``baggage=True``, or when the value does not have the declared shape.
    """
    declared = library_registry().get(key)
    place = f"baggage {key[:80]!r}"
    if declared is None or not declared.baggage:
        right = "a key declared with Attribute(..., baggage=True)"
        raise PrivacyError(explain(place, "may not travel as baggage", right, "declare it, or pass the value in the request itself"))
    if PrivacyPolicy().attribute(key, value) != value:
        wrong = "has a value that is not shown here, and not of its declared shape"
        raise PrivacyError(explain(place, wrong, f"the shape {declared.shape.value}", "pass an identifier; personal data never"))
    return baggage.set_baggage(key, value, context)


def outbound_to(target: str) -> AbstractContextManager[None]:
    """Name the URL, ``host:port`` or gRPC target that is called in the block, so that baggage is injected if it is an own host."""
    return attached(contexts.set_value(_DESTINATION, target))


def inject(carrier: CarrierT, *, to: str, context: Context | None = None, setter: Setter[CarrierT] = default_setter) -> None:
    """Write trace context into the headers of a request to ``to``, and allowed baggage if that is an own host."""
    propagate.inject(carrier, contexts.set_value(_DESTINATION, to, context), setter)


class OwnBaggagePropagator(TextMapPropagator):
    """Propagator of W3C baggage for declared keys with values of their shape. It injects for ``own_hosts`` only."""

    def __init__(self, own_hosts: Sequence[str] = OWN_HOSTS, policy: PrivacyPolicy | None = None) -> None:
        self._own_hosts = tuple(own_hosts)
        self._policy = policy
        self._inner = W3CBaggagePropagator()

    @property
    def fields(self) -> set[str]:
        """The header's name."""
        return self._inner.fields

    def extract(self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter) -> Context:
        """Return the context with the allowed entries of the request's baggage."""
        base = contexts.get_current() if context is None else context
        entries = [entry for header in getter.get(carrier, _HEADER) or () for entry in header.split(",")]
        # Entries are chosen before they are parsed, because OpenTelemetry's propagator logs the value of an entry that it cannot parse.
        declared = [entry.strip() for entry in entries[:_MOST_ENTRIES] if self._declared(entry.partition("=")[0].strip())]
        fitting = [entry for entry in declared if _ENTRY.fullmatch(entry)]
        ends = accumulate(len(entry) + 1 for entry in fitting)
        header = ",".join(entry for entry, end in zip(fitting, ends, strict=True) if end <= _MOST_BYTES)
        return self._with_allowed(base, self._inner.extract({_HEADER: header}, contexts.Context()) if header else base)

    def _declared(self, key: str) -> bool:
        found = library_registry().get(key) if self._policy is None else self._policy.registry.get(key)
        return found is not None and found.baggage

    def inject(self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter) -> None:
        """Write the allowed entries of the context's baggage, if the context names an own host as the target."""
        context = contexts.get_current() if context is None else context
        target = contexts.get_value(_DESTINATION, context)
        if isinstance(target, str) and self.own(target):
            self._inner.inject(carrier, self._with_allowed(contexts.Context(), context), setter)

    def own(self, target: str) -> bool:
        """Whether baggage may be sent to a URL, address or gRPC target."""
        return is_own(target, self._own_hosts)

    def allowed(self, key: str, value: object) -> bool:
        """Whether an entry is propagated: the key is declared for it, and the value has the declared shape and matches no privacy rule."""
        if self._policy is None:
            self._policy = PrivacyPolicy()
        return self._declared(key) and self._policy.attribute(key, value) == value

    def _with_allowed(self, base: Context, source: Context) -> Context:
        for key, value in baggage.get_all(source).items():
            if self.allowed(key, value):
                base = baggage.set_baggage(key, value, base)
        return base


_MOST_MEMBERS: Final = 32
"""Entries of a trace state; of more OpenTelemetry's propagator reads none."""
_KNOWN_FLAGS: Final = 3
"""Flags of a trace that W3C Trace Context, level 2, defines: sampled and random."""


class OwnTraceContextPropagator(TraceContextTextMapPropagator):
    """W3C trace context by the specification: two ``traceparent`` are none, unknown flags zero, and the first entry of a key holds."""

    def extract(self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter) -> Context:
        """Return the context with the span that the headers name."""
        parents = [] if carrier is None else list(getter.get(carrier, "traceparent") or ())
        if len(parents) > 1:
            return Context() if context is None else context
        entries = [entry for header in getter.get(carrier, "tracestate") or () for entry in header.split(",")]
        first = {entry.partition("=")[0].strip(): entry for entry in reversed(entries)}
        if len(first) < len(entries) <= _MOST_MEMBERS:
            kept = ",".join(entry for entry in entries if first.get(entry.partition("=")[0].strip()) is entry)
            found = super().extract({"traceparent": parents, "tracestate": kept}, context)
        else:
            found = super().extract(carrier, context, getter)
        span = trace.get_current_span(found)
        ids = span.get_span_context()
        if not ids.is_remote or ids.trace_flags <= _KNOWN_FLAGS:
            return found
        flags = trace.TraceFlags(ids.trace_flags & _KNOWN_FLAGS)
        known = trace.SpanContext(ids.trace_id, ids.span_id, is_remote=True, trace_flags=flags, trace_state=ids.trace_state)
        return trace.set_span_in_context(trace.NonRecordingSpan(known), found)


class OwnPropagator(CompositePropagator):
    """W3C trace context and ``OwnBaggagePropagator``, as ``configure`` makes them the propagators of the process."""

    def __init__(self, own_hosts: Sequence[str]) -> None:
        super().__init__([OwnTraceContextPropagator(), OwnBaggagePropagator(own_hosts)])
