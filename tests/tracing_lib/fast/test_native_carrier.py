"""The current span, and the headers that carry one, are the same from the module in C as from Python."""

from __future__ import annotations

import contextvars
import gc
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import propagate
from opentelemetry.baggage import set_baggage
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.tracing_lib.fast.test_entering import source, tracing
from tests.tracing_lib.fast.test_native import EACH, MANY, NOISE, TWINS
from tracing_lib import current_span
from tracing_lib.propagation.current import SPAN_KEY, span_of, variable
from tracing_lib.propagation.headers import OwnPropagator

if TYPE_CHECKING:
    from types import ModuleType

    from tracing_lib.instrument.source import TracerSource

__all__ = ["source", "tracing"]
NOT_OURS = NonRecordingSpan(SpanContext(1, 2, is_remote=True))


def asked(twin: ModuleType, context: Context) -> object:
    """Return what a twin takes for the current span of a context."""

    def run() -> object:
        attach(context)
        return twin.current(variable, SPAN_KEY, INVALID_SPAN, span_of)

    return contextvars.copy_context().run(run)


@EACH
def test_the_current_span_is_that_of_the_context(twin: ModuleType, source: TracerSource) -> None:
    recorded: Any = source.get().start_span("s")  # type: ignore[union-attr]  # there is one
    for span in (recorded, NOT_OURS):
        assert asked(twin, set_span_in_context(span, Context())) is span
    assert asked(twin, Context()) is INVALID_SPAN
    assert asked(twin, Context({SPAN_KEY: "no span"})) is INVALID_SPAN
    assert contextvars.copy_context().run(lambda: attach(set_span_in_context(recorded, Context())) and current_span() is get_current_span())


@EACH
def test_what_is_no_current_context_is_a_type_error(twin: ModuleType) -> None:
    odd: contextvars.ContextVar[Any] = contextvars.ContextVar("odd", default=5)
    for wrong in (odd, 5):
        with pytest.raises((TypeError, AttributeError)):
            twin.current(wrong, SPAN_KEY, INVALID_SPAN, span_of)


def stock(span: Any) -> tuple[tuple[str, str], ...]:  # noqa: ANN401  of any class
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span, Context()))
    return tuple(carrier.items())


@EACH
def test_the_headers_are_those_of_the_stock_propagator(twin: ModuleType, source: TracerSource) -> None:
    tracer: Any = source.get()
    for number in range(3):
        states = {"traceparent": f"00-{number + 1:032x}-{1:016x}-01", "tracestate": f"ve=state-{number // 2}" if number else ""}
        for parent in (Context(), propagate.extract(states)):
            span = tracer.start_span("s", parent)
            for _ in range(2):
                assert twin.carried(source, span, get_current()) == stock(span)


@EACH
def test_what_takes_more_is_left_to_the_propagator(twin: ModuleType, source: TracerSource) -> None:
    span: Any = source.get().start_span("s")  # type: ignore[union-attr]  # there is one
    assert twin.carried(source, NOT_OURS, Context()) is None
    assert twin.carried(source, span, set_baggage("a", "b", Context())) is None
    own = propagate.get_global_textmap()
    assert type(own) is OwnPropagator
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    assert twin.carried(source, span, Context()) is None
    propagate.set_global_textmap(own)


@EACH
def test_pairs_are_counted_and_read_until_somebody_wants_more(twin: ModuleType) -> None:
    class Pairs(twin.PairsCore):  # type: ignore[name-defined,misc]  # of either module
        changeable = ("x", "y", "z")

    pairs = Pairs()
    pairs.pairs = (("a", "b"),)
    assert (len(pairs), list(pairs)) == (1, [("a", "b")])
    pairs.pairs = None
    assert (len(pairs), list(pairs)) == (3, ["x", "y", "z"])


def test_what_the_module_in_c_cannot_take_is_a_type_error(source: TracerSource) -> None:
    _native: Any = TWINS[1]
    for arguments in ((5, NOT_OURS, Context()), (source, NOT_OURS, 5), (source,)):
        with pytest.raises(TypeError):
            _native.carried(*arguments)


def test_nothing_is_kept_that_nobody_uses(source: TracerSource) -> None:
    _native: Any = TWINS[1]
    span: Any = source.get().start_span("s")  # type: ignore[union-attr]  # there is one
    context = set_span_in_context(span, Context())

    def once() -> None:
        _native.carried(source, span, context)
        pairs = _native.PairsCore()
        pairs.pairs = (("a", "b"),)
        list(pairs)
        _native.current(variable, SPAN_KEY, INVALID_SPAN, span_of)

    def check() -> None:
        attach(context)
        once()
        gc.collect()
        counted = [span, span.ids, context, INVALID_SPAN, propagate.get_global_textmap()]
        before, blocks = [sys.getrefcount(one) for one in counted], sys.getallocatedblocks()
        for _ in range(MANY):
            once()
        assert [sys.getrefcount(one) for one in counted] == before
        assert sys.getallocatedblocks() - blocks < NOISE

    contextvars.copy_context().run(check)
