"""``traced``: a function whose every call is a span; plain, asynchronous, generator or asynchronous generator."""

from __future__ import annotations

import contextvars
import functools
import inspect
from typing import TYPE_CHECKING, Final, NamedTuple, ParamSpec, TypeVar, cast, overload

from opentelemetry.trace import SpanKind

from tracing_lib.instrument import generators
from tracing_lib.instrument.paths import NO_PATHS, AttributePaths, compile_paths
from tracing_lib.instrument.source import TracerSource, ending, fail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

    from tracing_lib.instrument.generators import Begin, End

_F = TypeVar("_F", bound="Callable[..., object]")
_P = ParamSpec("_P")
_T = TypeVar("_T")
_SCOPE: Final = "tracing_lib.instrument.functions"


class SpanPlan(NamedTuple):
    """Plan of the spans of one function."""

    name: str
    source: TracerSource
    kind: SpanKind = SpanKind.INTERNAL
    attributes: Mapping[str, AttributeValue] | None = None
    """Attributes that every span starts with."""
    paths: AttributePaths = NO_PATHS


@overload
def traced(function: _F, /) -> _F: ...


@overload
def traced(
    *,
    name: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str] | None = None,
    tracer_provider: TracerProvider | None = None,
) -> Callable[[_F], _F]: ...


def traced(
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str] | None = None,
    tracer_provider: TracerProvider | None = None,
) -> object:
    """Make every call of a function a span; use it bare (``@traced``) or with keywords (``@traced(name="market.match")``).

    The function may be plain, ``async``, a generator or an asynchronous generator, and keeps its signature. The span is current inside
    it. Of a generator, the span lasts from the first step to the last, and is current in the generator's body only, never in its
    consumer; the body runs in a context of its own, so that what it sets there does not reach the consumer either.

    ``name``: the span's, of few different values; by default module and function. ``attributes``: attribute keys with the paths of
    their values among arguments and result (``{"virtengine.order.id": "order.id", "virtengine.bid.price": "return.price"}``).
    ``tracer_provider``: by default OpenTelemetry's global one, also when it is set later.

    An exception makes the span an error of its type, is recorded once in its trace, and travels on; its text is not recorded. A
    cancellation is no error: it sets ``virtengine.cancelled``. Raises ``ValueError`` for a path that fits no parameter, and
    ``TypeError`` for what is not callable.
    """
    if function is None:
        decorate: Callable[..., object] = traced
        return functools.partial(decorate, name=name, kind=kind, attributes=attributes, tracer_provider=tracer_provider)
    if isinstance(function, staticmethod | classmethod | property | type):
        raise TypeError(
            f"traced: is put on {function!r}. Wanted: a function or a method. "
            "Next: put @traced below @staticmethod, @classmethod or @property, and on a class's methods instead of the class"
        )
    full = full_name(function)
    paths = compile_paths(attributes, function, place=f"traced {full}")
    return wrap(function, SpanPlan(name or full, TracerSource(_SCOPE, tracer_provider), kind=kind, paths=paths))


def full_name(function: Callable[..., object]) -> str:
    """Return module and name of a function, for its spans."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '')}.{name}".replace("<locals>.", "")


def wrap(function: Callable[..., object], plan: SpanPlan) -> Callable[..., object]:
    """Return the function with each call a span, in the kind of function that it is."""
    if inspect.isasyncgenfunction(function):
        return generators.async_generator(function, _generator_begin(plan))
    if inspect.iscoroutinefunction(function):
        return _coroutine(cast("Callable[..., Awaitable[object]]", function), plan)
    if inspect.isgeneratorfunction(function):
        return generators.generator(function, _generator_begin(plan))
    return _plain(function, plan)


def _plain(function: Callable[_P, _T], plan: SpanPlan) -> Callable[_P, _T]:
    name, source, kind, attributes, (on_call, on_return) = plan

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        started = source.start_child(name, kind, attributes)
        if started is None:
            return function(*args, **kwargs)
        with ending(*started, source.leave) as span:
            on_call(span, args, kwargs)
            result = function(*args, **kwargs)
            on_return(span, result)
            return result

    return call


def _coroutine(function: Callable[_P, Awaitable[_T]], plan: SpanPlan) -> Callable[_P, Awaitable[_T]]:
    name, source, kind, attributes, (on_call, on_return) = plan

    @functools.wraps(function)
    async def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        started = source.start_child(name, kind, attributes)
        if started is None:
            return await function(*args, **kwargs)
        with ending(*started, source.leave) as span:
            on_call(span, args, kwargs)
            result = await function(*args, **kwargs)
            on_return(span, result)
            return result

    return call


def _generator_begin(plan: SpanPlan) -> Begin:
    """Return the function that starts the span of a generator at its first step."""
    name, source, kind, attributes, (on_call, on_return) = plan

    def begin(args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[contextvars.Context, End] | None:
        context = contextvars.copy_context()
        started = context.run(source.start_child, name, kind, attributes)
        if started is None:
            return None
        span = started[0]
        on_call(span, args, kwargs)

        def end(error: BaseException | None, result: object) -> None:
            if error is None:
                on_return(span, result)
            elif not issubclass(type(error), GeneratorExit):  # then the consumer has enough, and all is well
                fail(span, error)
            span.end()

        return context, end

    return begin
