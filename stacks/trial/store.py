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
    from collections.abc import Callable

    from stacks.trial.load import Load, Sent

PERIOD_SECONDS = 2.0
ANSWER_SECONDS = 60.0
WINDOW_SECONDS = 2
"""Traces are asked for by the time of their start, so many seconds at once."""
MOST_TRACES = 20_000
YOUNG_SECONDS = 40
"""Age up to which traces are asked for in every period, because it is to be known when each could be read first. Those of older windows
are late in any case, and are asked for in turns, because in a long outage all of them would take longer than a period."""
MOST_WINDOWS = 20

PIECES_SECONDS = 5.0
"""Time between two looks after which a trace that was there in part and then whole was stored in pieces: two periods and a little."""

Window = int


@dataclass(slots=True)
class Readable:
    """A trace that was read: when first with all its spans, in seconds since 1970, and how many of its spans are stored twice.

    ``in_part`` is when it was first read with some of its spans alone, None where it never was.
    """

    first: float
    twice: int = 0
    in_part: float | None = None


@dataclass
class Store:
    """Asks Jaeger's API at ``query_url`` for the traces of a load, from ``start`` until ``stop``."""

    query_url: str
    load: Load
    found: dict[bytes, Readable] = field(default_factory=dict)
    parts: dict[bytes, float] = field(default_factory=dict)
    """When each trace that cannot be read whole yet was first read in part, in seconds since 1970."""

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

    def wait(self, *, seconds: float, under_way: Callable[[], bool]) -> list[Sent]:
        """Wait until every acknowledged trace can be read, and return those that cannot.

        They are given up when none has come for so many ``seconds`` and nothing is ``under_way`` to the backend, or for ten times as long.
        """
        seen, since = -1, time.monotonic()
        while missing := self.missing():
            if len(self.found) != seen:
                seen, since = len(self.found), time.monotonic()
            still = time.monotonic() - since
            if still > seconds and (still > 10 * seconds or not under_way()):
                break
            time.sleep(PERIOD_SECONDS / 2)
        return missing

    def in_pieces(self) -> int:
        """Number of traces that were there in part for a while, or still are."""
        late = [read for read in self.found.values() if read.in_part is not None and read.first - read.in_part > PIECES_SECONDS]
        return len(late) + len(self.parts)

    def twice(self) -> int:
        """Return the number of spans that are stored more than once, by reading all traces again."""
        for window in sorted({_window(sent) for sent in self.load.sent}):
            self._ask(window)
        return sum(readable.twice for readable in self.found.values())

    def _run(self) -> None:
        turn = 0
        while not self._stopping.wait(PERIOD_SECONDS):
            windows = sorted({_window(sent) for sent in self.missing()})
            limit = (time.time() - YOUNG_SECONDS) / WINDOW_SECONDS
            old, young = [window for window in windows if window < limit], [window for window in windows if window >= limit]
            most = max(1, MOST_WINDOWS - len(young))
            turn = turn if turn < len(old) else 0
            for window in young + old[turn : turn + most]:
                if self._stopping.is_set():
                    return
                self._ask(window)
            turn += most

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
            trace_id = bytes.fromhex(trace["traceID"].zfill(32))
            if len(spans) >= self.load.pace.spans:
                readable = self.found.setdefault(trace_id, Readable(now, in_part=self.parts.pop(trace_id, None)))
                readable.twice = spans.total() - len(spans)
            elif trace_id not in self.found:
                self.parts.setdefault(trace_id, now)


def _window(sent: Sent) -> Window:
    return sent.trace.start // (WINDOW_SECONDS * 1_000_000_000)
