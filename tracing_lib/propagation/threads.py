"""Context where Python drops it: threads, executors, ``run_in_executor``.

``asyncio`` hands a task the context of whoever made it, and ``asyncio.to_thread`` does the same for a thread. ``threading.Thread``,
``Executor.submit`` and ``loop.run_in_executor`` do not: a span started there begins a trace of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

_P = ParamSpec("_P")
_T = TypeVar("_T")


def carry(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return the function bound to the context of this moment: wherever it is called, the span that is current now is its parent.

    For callbacks, for executors that are not ours, and for ``run_in_executor``: ``pool.submit(carry(work), order)``. Every call has a
    copy of the context, so that calls may overlap and what one sets no other sees. For a coroutine function use
    ``asyncio.create_task``, which carries by itself. Not for processes: they share no context.
    """
    context = contextvars.copy_context()

    @functools.wraps(function)
    def carried(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return context.copy().run(function, *args, **kwargs)

    return carried


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A ``ThreadPoolExecutor`` whose functions run in the context of whoever submitted them (``submit`` and ``map``)."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Submit a function with the context of this moment."""
        return super().submit(functools.partial(contextvars.copy_context().run, fn, *args, **kwargs))


class ContextThread(threading.Thread):
    """A ``threading.Thread`` that runs in the context of whoever started it; in a subclass, ``run`` does too."""

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        super().__init__(group, target, name, args, kwargs, daemon=daemon)

    def start(self) -> None:
        """Start the thread with the context of this moment. Raises ``RuntimeError`` when it was started before."""
        # Bound to the instance: only there is a subclass' own ``run`` reached as well.
        self.run = functools.partial(contextvars.copy_context().run, self.run)  # type: ignore[method-assign]
        super().start()


def carry_in_executors(loop: asyncio.AbstractEventLoop | None = None, *, max_workers: int | None = None) -> ContextThreadPoolExecutor:
    """Make ``loop.run_in_executor(None, ...)`` carry context, in this loop (default: the running one), and return its executor.

    Call it once, where the service starts and before anything was run there: it sets the loop's default executor, which the loop shuts
    down in the end (``asyncio.run`` does). ``max_workers``: as for ``ThreadPoolExecutor``. Raises ``RuntimeError`` without a loop.
    """
    executor = ContextThreadPoolExecutor(max_workers, thread_name_prefix="virtengine")
    (loop or asyncio.get_running_loop()).set_default_executor(executor)
    return executor
