"""Propagation of context to threads, executors and ``run_in_executor``.

``asyncio`` tasks and ``asyncio.to_thread`` copy the context of their caller. ``threading.Thread``, ``Executor.submit`` and
``loop.run_in_executor`` do not, so that a span started there begins a new trace.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

_P = ParamSpec("_P")
_T = TypeVar("_T")


def carry(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return the function bound to the current context, so that the current span is the parent of spans that it starts.

    Use it for callbacks, for any executor, and for ``run_in_executor``: ``pool.submit(carry(work), order)``. Every call runs in a copy
    of the context, so that calls do not see each other's changes. It is not for coroutine functions, because ``asyncio.create_task``
    copies the context itself, nor for processes.
    """
    context = contextvars.copy_context()

    @functools.wraps(function)
    def carried(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return context.copy().run(function, *args, **kwargs)

    return carried


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A ``ThreadPoolExecutor`` that runs each function in the context of the caller of ``submit`` or ``map``."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Submit a function with the current context."""
        return super().submit(functools.partial(contextvars.copy_context().run, fn, *args, **kwargs))


class ContextThread(threading.Thread):
    """A ``threading.Thread`` that runs in the context of the caller of ``start``, as does the ``run`` of a subclass."""

    def start(self) -> None:
        """Start the thread with the current context. Raises ``RuntimeError`` when it was started before."""
        # On the instance, so that the ``run`` of a subclass is wrapped as well.
        self.run = functools.partial(contextvars.copy_context().run, self.run)  # type: ignore[method-assign]
        super().start()


def carry_in_executors(loop: asyncio.AbstractEventLoop | None = None, *, max_workers: int | None = None) -> ContextThreadPoolExecutor:
    """Make ``loop.run_in_executor(None, ...)`` carry context, in this loop (default: the running one), and return its executor.

    Call it once at the start of the service, before the first use of the default executor, because it replaces that. The loop shuts the
    executor down (``asyncio.run`` does). ``max_workers``: as for ``ThreadPoolExecutor``. Raises ``RuntimeError`` without a loop.
    """
    executor = ContextThreadPoolExecutor(max_workers, thread_name_prefix="virtengine")
    (loop or asyncio.get_running_loop()).set_default_executor(executor)
    return executor
