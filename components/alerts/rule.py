"""An alert as a value, the times that it counts by, and the series that it is tried with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from components.documents.text import go_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

Severity = Literal["critical", "warning"]
"""``critical`` is for what loses spans or hides all traces until somebody acts; ``warning`` for what leads there, or hides a part."""

PREFIX = "Tracing"
"""Beginning of the name of every alert, because names of alerts are one space in a Prometheus."""

_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


@dataclass(frozen=True, slots=True)
class Times:
    """Scale of all times in rules. ``factor`` is below 1 where a trial shall not wait; no range is shorter than ``least_seconds``.

    A range must hold a few scrapes, else a rate over it has no value.
    """

    factor: float = 1.0
    least_seconds: float = 0.0

    def seconds(self, usual: float) -> float:
        """The length of a time that is usually so many seconds."""
        return usual * self.factor

    def text(self, usual: float) -> str:
        """The same as Prometheus reads it."""
        return _duration(self.seconds(usual))

    def range(self, usual: float) -> str:
        """The length of a range in a query."""
        return _duration(max(self.seconds(usual), self.least_seconds))


def _duration(seconds: float) -> str:
    return go_duration(max(1, round(seconds * 1000)))


@dataclass(frozen=True, slots=True)
class Trial:
    """Series that a rule is tried with, as promtool writes values, one each minute; and the labels of the alert that they cause."""

    series: Mapping[str, str]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An alert. ``expression`` is in PromQL, ``pending`` is how long it must hold, in usual seconds.

    ``summary`` says what is wrong, ``description`` what is lost and when; in both ``{{ $labels.NAME }}`` stands for a label.
    ``workload`` is the one whose state it tells. With ``firing`` it fires, with ``quiet`` it does not. ``name`` is that of its section in
    the runbook, and ``store`` the name of the store that it is of, None for one without a name.
    """

    name: str
    workload: str
    expression: str
    pending: int
    severity: Severity
    summary: str
    description: str
    firing: Trial
    quiet: Mapping[str, str]
    store: str | None = None

    @property
    def alert(self) -> str:
        """Name of the alert, which no other has."""
        return self.name + (self.store or "").title()


def store_of(workload: str) -> str | None:
    """The name of the store that a workload belongs to; None for a store without a name, and for a workload of no store."""
    return workload.partition("-")[2] or None


def filled(text: str, labels: Mapping[str, str]) -> str:
    """A text with the labels of an alert put in."""
    return _LABEL.sub(lambda found: labels.get(found[1], ""), text)


def grown(series: str, by: str, window: str) -> str:
    """A query for counters that grew within a window, summed ``by`` labels.

    The servers show a counter of failures from its first failure on. That one is no growth to ``rate``, which needs a value before it.
    """
    return f"sum by ({by}) (rate({series}[{window}])) > 0 or sum by ({by}) ({series} unless {series} offset {window}) > 0"


def selected(name: str, /, **labels: str) -> str:
    """A selector of series, and their name in a trial: by value, or by the alternatives of a value that has ``|``."""
    shown = (f'{label}{"=~" if "|" in value or "*" in value else "="}"{value}"' for label, value in labels.items())
    return f"{name}{{{','.join(shown)}}}"
