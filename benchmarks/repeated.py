"""An act that is repeated beside others."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def repeated(act: Callable[[], object], every: float) -> Iterator[None]:
    """Act, and again after a pause of ``every`` seconds, while the context lasts."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            act()
            ended.wait(every)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
