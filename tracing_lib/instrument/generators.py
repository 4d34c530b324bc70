"""Generators whose body runs in an execution context of its own (``contextvars.Context``).

By default a generator shares the context of its consumer. Then a span that its body makes current is current in the consumer between
two steps, and a generator that is closed in another task cannot detach it ("Failed to detach context").
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    import contextvars
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator

_P = ParamSpec("_P")
_T = TypeVar("_T")

End: TypeAlias = "Callable[[BaseException | None, object], None]"
"""Called once at the end of a generator, with the exception or None and the returned value. ``GeneratorExit``: the consumer stopped."""
Begin: TypeAlias = "Callable[[tuple[object, ...], dict[str, object]], tuple[contextvars.Context, End] | None]"
"""Called at the first step with the arguments. Returns the context of the body and its ``End``, or None to run the body unchanged."""


def generator(function: Callable[_P, Iterator[_T]], begin: Begin) -> Callable[_P, Generator[_T, object, object]]:
    """Return a generator function that runs ``function``'s body in the context that ``begin`` gives."""

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> Generator[_T, object, object]:
        begun = begin(args, kwargs)
        if begun is None:
            return (yield from cast("Generator[_T, object, object]", function(*args, **kwargs)))
        context, end = begun
        try:
            result = yield from _steps(context, context.run(function, *args, **kwargs))
        except BaseException as error:
            end(error, None)
            raise
        end(None, result)
        return result

    return call


def _steps(context: contextvars.Context, body: Iterator[_T]) -> Generator[_T, object, object]:
    send: Callable[[object], _T] = getattr(body, "send", lambda _: next(body))
    step, argument = send, None
    try:
        while True:
            try:
                item = context.run(step, argument)
            except StopIteration as stop:
                return stop.value
            try:
                argument, step = (yield item), send
            except GeneratorExit:
                raise
            except BaseException as error:
                if not hasattr(body, "throw"):
                    raise
                step, argument = body.throw, error
    finally:
        if hasattr(body, "close"):
            context.run(body.close)


def async_generator(function: Callable[_P, AsyncIterator[_T]], begin: Begin) -> Callable[_P, AsyncGenerator[_T, object]]:
    """Return an asynchronous generator function that runs ``function``'s body in the context that ``begin`` gives."""

    @functools.wraps(function)
    async def call(*args: _P.args, **kwargs: _P.kwargs) -> AsyncGenerator[_T, object]:
        begun = begin(args, kwargs)
        context, end = begun or (None, lambda _error, _result: None)
        body: AsyncGenerator[_T, object] = function(*args, **kwargs)  # type: ignore[assignment]  # it is one: see the callers
        step: Awaitable[_T] = body.asend(None)
        try:
            while True:
                item = await (step if context is None else InContext(context, step))
                try:
                    step = body.asend((yield item))
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001  what the consumer throws is for the body
                    step = body.athrow(error)
        except StopAsyncIteration:
            end(None, None)
        except BaseException as error:
            await _close(context, body)
            end(error, None)
            raise

    return call


async def _close(context: contextvars.Context | None, body: AsyncGenerator[_T, object]) -> None:
    closing = body.aclose()
    await (closing if context is None else InContext(context, closing))


class InContext(Generic[_T]):
    """An awaitable that runs in a given execution context, and not in that of the caller."""

    __slots__ = ("_awaitable", "_context")

    def __init__(self, context: contextvars.Context, awaitable: Awaitable[_T]) -> None:
        self._context = context
        self._awaitable = awaitable

    def __await__(self) -> Generator[object, object, _T]:
        """Run the awaitable step by step in the context."""
        return cast("_T", (yield from _steps(self._context, self._awaitable.__await__())))
