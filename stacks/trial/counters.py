"""Counters of servers, read as Prometheus reads them: what a counter had when its server ended stays counted."""

from __future__ import annotations

import math
import re
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PERIOD_SECONDS = 1.0
ANSWER_SECONDS = 3.0

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?P<labels>\{.*\})? (?P<value>[0-9.eE+-]+)", re.MULTILINE)
_LABEL = re.compile(r'(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)="(?P<value>(?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a metric: its name, its labels, and its value."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str) -> Iterator[Sample]:
    """The samples in a text of Prometheus' exposition format."""
    for sample in _SAMPLE.finditer(text):
        labels = {label["name"]: label["value"] for label in _LABEL.finditer(sample["labels"] or "")}
        yield Sample(sample["name"], labels, float(sample["value"]))


@dataclass(frozen=True, slots=True)
class Move:
    """A series that was seen with another value: when, in seconds since 1970, at which URL, and its labels."""

    at: float
    where: str
    labels: Mapping[str, str]


class Counters:
    """Reads the counters at each of ``urls`` (by a name of the reader's) every second, from ``start`` until ``stop``.

    ``moves`` has every move of the metric ``followed``, in the order of time.
    """

    def __init__(self, urls: Mapping[str, str], *, followed: str = "") -> None:
        self.moves: list[Move] = []
        self._urls = urls
        self._followed = followed
        self._last: dict[tuple[str, str], float] = {}
        self._grown: dict[tuple[str, str], float] = defaultdict(float)
        self._moved: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="counters", daemon=True)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def start(self) -> Counters:
        """Take what is there as the beginning, and read on."""
        self._read()
        self._grown.clear()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Read once more, and no more."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join()
        self._read()

    def grown(self, metric: str, *labels: str) -> Mapping[str, float]:
        """By how much the series of a counter that have all these ``labels`` (``name="value"``) have grown, by name of the URL."""
        found: dict[str, float] = dict.fromkeys(self._urls, 0.0)
        for (where, series), value in list(self._grown.items()):
            found[where] += value if _is_of(series, metric, labels) else 0.0
        return found

    def now(self, metric: str, *labels: str) -> float:
        """The sum of the series of a gauge that have all these ``labels``, as each was read last."""
        return sum(value for (_, series), value in list(self._last.items()) if _is_of(series, metric, labels))

    def at_each(self, metric: str) -> Mapping[str, float]:
        """The sum of all series of a metric at each URL, as each was read last."""
        found = dict.fromkeys(self._urls, 0.0)
        for (where, series), value in list(self._last.items()):
            if series.partition("{")[0] == metric:
                found[where] += value
        return found

    def still_seconds(self, metric: str) -> float:
        """Seconds since any series of a metric last moved; infinity where none has."""
        return time.monotonic() - self._moved.get(metric, -math.inf)

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_SECONDS):
            self._read()

    def _read(self) -> None:
        for where, url in self._urls.items():
            try:
                with self._opener.open(url, timeout=ANSWER_SECONDS) as answer:
                    text = answer.read().decode()
            except (OSError, urllib.error.URLError):
                continue
            for sample in _SAMPLE.finditer(text):
                self._count((where, sample["name"] + (sample["labels"] or "")), float(sample["value"]))

    def _count(self, series: tuple[str, str], value: float) -> None:
        before = self._last.get(series, 0.0)
        if value != before:
            name, _, labels = series[1].partition("{")
            self._moved[name] = time.monotonic()
            if name == self._followed:
                self.moves.append(Move(time.time(), series[0], {pair["name"]: pair["value"] for pair in _LABEL.finditer(labels)}))
        # A counter that is smaller than before began anew with its server.
        self._grown[series] += value - before if value >= before else value
        self._last[series] = value


def _is_of(series: str, metric: str, labels: tuple[str, ...]) -> bool:
    """Whether a series is one of a metric and has all these labels."""
    name, _, own = series.partition("{")
    return name == metric and all(label in own for label in labels)
