"""The threads of the library: in nobody's way."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

if TYPE_CHECKING:
    from collections.abc import Callable


def start_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Start a thread that holds up no exit, takes no signal that is meant for the main thread, and whose own calls are not traced."""

    def run() -> None:
        if hasattr(signal, "pthread_sigmask"):
            # A signal that lands here would be handled only when the main thread wakes up by itself.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, value=True))
        work()

    thread = threading.Thread(target=run, name=f"virtengine-tracing-{name}", daemon=True)
    thread.start()
    return thread
