"""The traces that can be read in the backend: when each could be first, and how often each of its spans is there."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stacks.trial.load import Load, Sent

PERIOD_SECONDS = 2.0
ANSWER_SECONDS = 60.0
WINDOW_SECONDS = 2
"""Traces are asked for by the time of their start, so many seconds at once."""
MOST_TRACES = 20_000

Window = int


@dataclass(slots=True)
class Readable:
    """A trace that was read: when first with all its spans, in seconds since 1970, and how many of its spans are stored twice."""

    first: float | None = None
    twice: int = 0


@dataclass
class Store:
    """Asks Jaeger's API at ``query_url`` for the traces of a load, from ``start`` until ``stop``."""

    query_url: str
    load: Load
    found: dict[bytes, Readable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def start(self) -> Store:
        """Begin to ask, and return at once."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ask no more."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join()

    def missing(self) -> list[Sent]:
        """The acknowledged traces that could not be read whole yet."""
        return [sent for sent in list(self.load.acknowledged) if sent.trace.id not in self.found]

    def wait(self, *, seconds: float) -> list[Sent]:
        """Wait until every acknowledged trace can be read, for so many seconds after the last progress; return those that cannot."""
        seen, since = -1, time.monotonic()
        while missing := self.missing():
            if len(self.found) != seen:
                seen, since = len(self.found), time.monotonic()
            if time.monotonic() - since > seconds:
                break
            time.sleep(PERIOD_SECONDS / 2)
        return missing

    def twice(self) -> int:
        """Return the number of spans that are stored more than once, by reading all traces again."""
        for window in sorted({_window(sent) for sent in self.load.sent}):
            self._ask(window)
        return sum(readable.twice for readable in self.found.values())

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_SECONDS):
            for window in sorted({_window(sent) for sent in self.missing()}):
                if self._stopping.is_set():
                    return
                self._ask(window)

    def _ask(self, window: Window) -> None:
        begin = window * WINDOW_SECONDS * 1_000_000
        asked = {"service": self.load.service, "start": begin, "end": begin + WINDOW_SECONDS * 1_000_000 - 1, "limit": MOST_TRACES}
        try:
            with self._opener.open(f"{self.query_url}/api/traces?{urllib.parse.urlencode(asked)}", timeout=ANSWER_SECONDS) as answer:
                traces: list[dict[str, Any]] = json.loads(answer.read())["data"]
        except (OSError, urllib.error.URLError, ValueError):
            return  # the backend may be what is away
        now = time.time()
        for trace in traces:
            spans = Counter(span["spanID"] for span in trace["spans"])
            if len(spans) >= self.load.pace.spans:
                readable = self.found.setdefault(bytes.fromhex(trace["traceID"].zfill(32)), Readable(now))
                readable.twice = spans.total() - len(spans)


def _window(sent: Sent) -> Window:
    return sent.trace.start // (WINDOW_SECONDS * 1_000_000_000)
