"""Ctrl-C and SIGTERM as an event."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SAME_KEYPRESS_SECONDS = 0.5
"""Wrappers (uv, make) may pass on a signal that the terminal has sent as well; what follows this fast is the same request."""


@contextmanager
def stop_on_signals(say: Callable[[str], None]) -> Iterator[threading.Event]:
    """The first SIGINT or SIGTERM sets the event and says so, a second one ends this process at once, its children with it (Linux).

    For the main thread only (ValueError elsewhere). The handlers found are put back at the end.
    """
    stopping = threading.Event()
    # Event.set takes a lock that the interrupted code may hold; SimpleQueue.put is made to be called in a signal handler.
    arrived: queue.SimpleQueue[signal.Signals | None] = queue.SimpleQueue()
    first_at: list[float] = []

    def handle(number: int, _frame: object) -> None:
        if not first_at:
            first_at.append(time.monotonic())
            arrived.put(signal.Signals(number))
        elif time.monotonic() - first_at[0] > SAME_KEYPRESS_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def tell() -> None:
        number = arrived.get()
        if number is not None:
            stopping.set()
            say(f"{number.name}: stopping; again to kill at once")

    teller = threading.Thread(target=tell, name="signals", daemon=True)
    teller.start()
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        arrived.put(None)
        teller.join()
