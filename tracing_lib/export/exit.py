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
    from typing import Any, TypeAlias

    Handler: TypeAlias = "Callable[[int, FrameType | None], Any] | int | signal.Handlers | None"

_FIRST_OF_ALL: Final = 100
"""Priority among multiprocessing's finalizers: before the queues and managers that a program may have."""

_live: Final[list[ExitHandlers]] = []
"""Exit handlers that SIGTERM calls, oldest first."""
_set_handler: Final = signal.signal


def _signal(signalnum: int, handler: Handler) -> Handler:
    """Set a signal's handler as ``signal.signal`` does. SIGTERM's default is ours as long as there are spans to deliver.

    Servers put their own handlers in place, put the default back once they have served, and raise the signal again (uvicorn), or begin by
    putting back every default (workers of gunicorn): that would end the process before its spans are delivered.
    """
    ours = signalnum == signal.SIGTERM and handler == signal.SIG_DFL and bool(_live)
    return _set_handler(signalnum, _ending.on_sigterm if ours else handler)


class _Ending:
    """Ends all that is live when SIGTERM comes, and then the process."""

    def __init__(self) -> None:
        self.handling: threading.Thread | None = None
        """Delivers what is left; None before SIGTERM."""
        after_fork(self._after_fork)

    def on_sigterm(self, number: int, _frame: FrameType | None) -> None:
        """Shut down in a thread: the main thread may hold a lock that it needs. The main thread is interrupted again when that is done."""
        if self.handling is None:
            self.handling = start_thread("sigterm", lambda: self._end(number))
        elif not self.handling.is_alive():
            _set_handler(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _end(self, number: int) -> None:
        try:
            for each in tuple(_live):
                each.shutdown()
        finally:
            # Handlers can be changed by the main thread alone: it is interrupted until this thread is seen to be gone.
            ended = threading.current_thread()
            start_thread("sigterm-again", lambda: _again(ended, number))

    def _after_fork(self) -> None:
        self.handling = None


class ExitHandlers:
    """Calls ``shutdown`` when the process is about to end. ``forget`` removes the handlers.

    - Normal exit, ``sys.exit``, an exception, Ctrl-C (SIGINT is an exception in Python): ``atexit``.
    - SIGTERM, where it would end the process at once: ``shutdown`` runs in a thread of its own, and then the signal ends the process as it
      would have. A handler of the program's own is left in place: such a program ends normally, or puts back the default, which then is
      this handler again.
    - A child of ``multiprocessing`` or of Celery's pool ends by ``os._exit``, without ``atexit``: its finalizers or its signal are used.

    ``os._exit``, SIGKILL and fatal signals call no handler.
    """

    def __init__(self, shutdown: Callable[[], object], *, on_sigterm: bool) -> None:
        self.shutdown = shutdown
        atexit.register(shutdown)
        if on_sigterm:
            _live.append(self)
            signal.signal = _signal
            if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if (processes := sys.modules.get("multiprocessing.process")) is not None and processes.parent_process() is not None:
            self._finalize_with_multiprocessing()
        self._after_fork()  # a child of a fork server imports the program first, and clears the finalizers then
        after_fork(self._after_fork)

    def forget(self) -> None:
        """Leave the process alone again."""
        atexit.unregister(self.shutdown)
        if self in _live:
            _live.remove(self)
        if not _live and _ending.handling is None:
            if signal.signal is _signal:
                signal.signal = _set_handler
            main = threading.current_thread() is threading.main_thread()
            if main and signal.getsignal(signal.SIGTERM) == _ending.on_sigterm:
                _set_handler(signal.SIGTERM, signal.SIG_DFL)

    def _after_fork(self) -> None:
        utilities = sys.modules.get("multiprocessing.util")
        if utilities is not None:
            # multiprocessing clears the finalizers in the child after this hook, and then calls what is registered here.
            utilities.register_after_fork(self, ExitHandlers._finalize_with_multiprocessing)
        if (signals := sys.modules.get("celery.signals")) is not None:
            signals.worker_process_shutdown.connect(lambda **_: self.shutdown(), weak=False)

    def _finalize_with_multiprocessing(self) -> None:
        from multiprocessing.util import Finalize

        Finalize(None, self.shutdown, exitpriority=_FIRST_OF_ALL)


def _again(first: threading.Thread, number: int) -> None:
    first.join()
    os.kill(os.getpid(), number)


_ending: Final = _Ending()
