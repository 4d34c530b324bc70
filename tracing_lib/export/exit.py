"""Shutdown at the end of a process: at exit, on SIGTERM, and at the end of a forked child."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

from tracing_lib.base.background import after_fork, start_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_FIRST_OF_ALL: Final = 100
"""Priority among multiprocessing's finalizers: before the queues and managers that a program may have."""


class ExitHandlers:
    """Calls ``shutdown`` when the process is about to end. ``forget`` removes the handlers.

    - Normal exit, ``sys.exit``, an exception, Ctrl-C (SIGINT is an exception in Python): ``atexit``.
    - SIGTERM, where no handler is installed: ``shutdown`` runs in a thread, because the main thread may hold a lock that it needs. Then
      the signal is raised again and ends the process. A program with a handler of its own ends normally.
    - A child that ``multiprocessing`` forked ends by ``os._exit``, without ``atexit``: its own finalizers are used.

    ``os._exit``, SIGKILL and fatal signals call no handler.
    """

    def __init__(self, shutdown: Callable[[], object], *, on_sigterm: bool) -> None:
        self._shutdown = shutdown
        self._handling: threading.Thread | None = None
        self._installed = False
        atexit.register(shutdown)
        if on_sigterm and threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)
            self._installed = True
        after_fork(self._after_fork)

    def forget(self) -> None:
        """Remove the handlers."""
        atexit.unregister(self._shutdown)
        main = threading.current_thread() is threading.main_thread()
        if self._installed and self._handling is None and main and signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._installed = False

    def _on_sigterm(self, number: int, _frame: FrameType | None) -> None:
        if self._handling is None:
            self._handling = start_thread("sigterm", lambda: self._end(number))
        elif not self._handling.is_alive():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _end(self, number: int) -> None:
        try:
            self._shutdown()
        finally:
            # Only the main thread may change handlers. The signal interrupts it once this thread has ended.
            ended = threading.current_thread()
            start_thread("sigterm-again", lambda: _again(ended, number))

    def _after_fork(self) -> None:
        self._handling = None
        utilities = sys.modules.get("multiprocessing.util")
        if utilities is not None:
            # multiprocessing clears the finalizers in the child after this hook, and then calls what is registered here.
            utilities.register_after_fork(self, ExitHandlers._finalize_with_multiprocessing)

    def _finalize_with_multiprocessing(self) -> None:
        sys.modules["multiprocessing.util"].Finalize(None, self._shutdown, exitpriority=_FIRST_OF_ALL)


def _again(first: threading.Thread, number: int) -> None:
    first.join()
    os.kill(os.getpid(), number)
