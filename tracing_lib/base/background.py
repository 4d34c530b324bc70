"""Background threads of the library, and the renewal of its locks after a fork."""

from __future__ import annotations

import inspect
import os
import signal
import socket
import threading
import weakref
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from opentelemetry.context import attach, set_value

if TYPE_CHECKING:
    from collections.abc import Callable

SUPPRESSED: Final = "suppress_instrumentation"
"""Context key that turns tracing off for the calls below it.

OpenTelemetry's instrumentations look for it; ``opentelemetry.instrumentation.utils.suppress_instrumentation`` sets it.
"""


def start_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Start a daemon thread named ``virtengine-tracing-<name>`` that runs ``work``, and return it.

    The thread does not delay the exit of the process. It blocks SIGTERM and SIGINT, which are the main thread's. Its calls are not traced.
    """

    def run() -> None:
        if threading.get_native_id() == os.getpid():  # gevent, whose thread for names cannot be started at the exit of Python 3.12
            socket.getaddrinfo(b"127.0.0.1", 0)
        # A signal delivered to this thread would be handled only when the main thread next runs. Under gevent it is the main thread itself.
        elif hasattr(signal, "pthread_sigmask"):
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


def after_fork(method: Callable[[], object]) -> None:
    """Call ``method`` in each child process that ``os.fork`` makes, before any other code of the child.

    A bound method is held weakly and is not called once its object is gone. A function is held for the life of the process. Does
    nothing where the platform has no fork.
    """
    around_fork(in_child=method)


def around_fork(
    *,
    before: Callable[[], object] | None = None,
    in_parent: Callable[[], object] | None = None,
    in_child: Callable[[], object] | None = None,
) -> None:
    """Call ``before`` in the parent before each fork, then ``in_parent`` in the parent and ``in_child`` in the child.

    Methods are held as ``after_fork`` holds them. Order and errors are as with ``os.register_at_fork``: ``before`` runs in reverse order
    of registration, the others in its order, and an error in one is printed and does not keep the others from running.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_held(before), after_in_parent=_held(in_parent), after_in_child=_held(in_child))


def _held(method: Callable[[], object] | None) -> Callable[[], object]:
    """Return a call of the method that does not keep its object alive; for no method one that does nothing."""
    if not inspect.ismethod(method):
        return method or (lambda: None)
    # Not weakref.WeakMethod: its callback fails at the interpreter's exit, when the globals of its module are already None.
    function, owner = method.__func__, weakref.ref(method.__self__)

    def call() -> None:
        found = owner()
        if found is not None:
            function(found)

    return call
