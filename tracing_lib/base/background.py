"""Background threads of the library, and the renewal of its locks after a fork."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import signal
import sys
import threading
import weakref
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.context import attach, set_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SUPPRESSED: Final = "suppress_instrumentation"
"""Context key that turns tracing off for the calls below it.

OpenTelemetry's instrumentations look for it; ``opentelemetry.instrumentation.utils.suppress_instrumentation`` sets it.
"""


def start_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Start a daemon thread named ``virtengine-tracing-<name>`` that runs ``work``, and return it.

    The thread does not delay the exit of the process. It blocks SIGTERM and SIGINT, which are the main thread's. Its calls are not traced.
    """

    def run() -> None:
        if hasattr(signal, "pthread_sigmask"):
            # A signal delivered to this thread would be handled only when the main thread next runs.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        attach(set_value(SUPPRESSED, value=True))
        work()

    thread = threading.Thread(target=run, name=f"virtengine-tracing-{name}", daemon=True)
    thread.start()
    return thread


class Wake:
    """Wakes the thread that waits, also from a finalizer or a signal handler.

    ``threading.Event`` holds a lock while it is set, for which code that interrupts it in the same thread would wait forever.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._called = False

    def is_set(self) -> bool:
        """Whether the thread was called since the last ``clear``."""
        return self._called

    def set(self) -> None:
        """Call the thread."""
        if not self._called:
            self._called = True
            self._calls.put(None)

    def clear(self) -> None:
        """Take the call as heard."""
        self._called = False

    def wait(self, seconds: float) -> None:
        """Wait for a call, for at most so many seconds. It may also return before."""
        with suppress(Empty):
            self._calls.get(timeout=seconds)


class _Hooks(NamedTuple):
    """The calls of one registration; each returns None once its object is gone."""

    before: Callable[[], Callable[[], object] | None]
    in_parent: Callable[[], Callable[[], object] | None]
    in_child: Callable[[], Callable[[], object] | None]


_numbers: Final = itertools.count()
_hooks: Final[dict[int, _Hooks]] = {}
"""Registrations in their order. There is no lock: a fork while another thread holds it would leave it locked in the child."""


def after_fork(method: Callable[[], object]) -> None:
    """Call ``method`` in each child process that ``os.fork`` makes, before any other code of the child.

    A bound method is held weakly: its registration ends with its object. A function is held for the life of the process.
    Does nothing where the platform has no fork.
    """
    around_fork(in_child=method)


def around_fork(
    *,
    before: Callable[[], object] | None = None,
    in_parent: Callable[[], object] | None = None,
    in_child: Callable[[], object] | None = None,
) -> None:
    """Call ``before`` in the parent before each fork, then ``in_parent`` in the parent and ``in_child`` in the child.

    Methods are held as ``after_fork`` holds them. ``before`` runs in reverse order of registration, the others in its order, as with
    ``os.register_at_fork``. An error in one is printed by ``sys.excepthook`` and does not keep the others from running.
    """
    number = next(_numbers)
    _hooks[number] = _Hooks(*(_held(method, number) for method in (before, in_parent, in_child)))


def _held(method: Callable[[], object] | None, number: int) -> Callable[[], Callable[[], object] | None]:
    """Return a call that gives the method, or None once its object is gone, which also ends the registration of this number."""
    if not inspect.ismethod(method):
        return lambda: method
    function, forget = method.__func__, _hooks.pop
    # Not weakref.WeakMethod: its callback fails at the interpreter's exit, when the globals of its module are already None.
    owner = weakref.ref(method.__self__, lambda _: forget(number, None))

    def method_of_owner() -> Callable[[], object] | None:
        found = owner()
        return None if found is None else functools.partial(function, found)

    return method_of_owner


def _run(references: Iterable[Callable[[], Callable[[], object] | None]]) -> None:
    for reference in references:
        method = reference()
        if method is not None:
            try:
                method()
            except Exception as error:  # noqa: BLE001  the other methods must run, and nobody above could handle it
                sys.excepthook(type(error), error, error.__traceback__)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _run([hooks.before for hooks in reversed(tuple(_hooks.values()))]),
        after_in_parent=lambda: _run([hooks.in_parent for hooks in tuple(_hooks.values())]),
        after_in_child=lambda: _run([hooks.in_child for hooks in tuple(_hooks.values())]),
    )
