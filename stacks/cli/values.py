"""Types of the numbers, times and addresses of a command line. Each refuses what it cannot be, and says what would be right."""

from __future__ import annotations

import argparse
import datetime as dt
import ipaddress
import math
from typing import TYPE_CHECKING, Final

from stacks.environment.hosts import host_port, http_url
from stacks.environment.units import shown

if TYPE_CHECKING:
    from collections.abc import Callable

LATEST: Final = dt.datetime(2200, 1, 1, tzinfo=dt.UTC).timestamp()
"""End of the times that can be named, in seconds since 1970: a store counts nanoseconds in 63 bits, which end in 2262."""
_DAY: Final = 24 * 3600


def _number(what: str, most: float, example: str, *, least: float | None = None) -> Callable[[str], float]:
    """A type of numbers above 0, or from ``least`` on, to ``most``. Without a bound above, `sleep` and dates overflow."""
    above = "above 0" if least is None else f"from {least:g} on"

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (number > 0 if least is None else least <= number) or number > most:
            raise argparse.ArgumentTypeError(f"{shown(text)} is no {what} {above}, up to {most:,.0f}; write for example {example}")
        return number

    return parse


def _whole(what: str, most: int, example: str) -> Callable[[str], int]:
    """A type of whole numbers from 1 to ``most``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = 0
        if not 0 < number <= most:
            raise argparse.ArgumentTypeError(f"{shown(text)} is no {what}, a whole one from 1 to {most:,}; write for example {example}")
        return number

    return parse


hours: Final = _number("number of hours", 50 * 365 * 24, "24")
seconds: Final = _number("number of seconds", 30 * _DAY, "30")
waiting: Final = _number("number of seconds", _DAY, "30, or 0 to ask once", least=0)
spans_per_second: Final = _number("rate of spans", 1e12, "2000")
traces_per_second: Final = _number("rate of traces", 1e6, "100")
spans: Final = _whole("number of spans", 100_000, "10")
nodes: Final = _whole("number of nodes", 1_000, "3")


def share(text: str) -> float:
    """A share of the time, between none and all of it."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no share; write a number between 0 and 1, for example 0.1")
    return number


def moment(text: str) -> float:
    """A time with its zone, in seconds since 1970."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no time; write for example 2026-11-25T08:00:00Z") from None
    if found.tzinfo is None:
        # A date alone is read as its midnight, and takes no zone as it stands.
        right = f"{found.isoformat()}Z for UTC, or {found.isoformat()}+01:00"
        raise argparse.ArgumentTypeError(f"{shown(text)} has no time zone; write {right}")
    since_1970 = (found - dt.datetime.fromtimestamp(0, dt.UTC)).total_seconds()
    if not 0 <= since_1970 < LATEST:
        raise argparse.ArgumentTypeError(f"{shown(text)} is before 1970 or after 2199, where no store has a trace; correct the year")
    return since_1970


def address(text: str) -> str:
    """A host, or an address in brackets where it has colons, and its port."""
    bare = text.partition("://")[2].rstrip("/") if "://" in text else text
    right = bare if bare != text and _is_address(bare) else "127.0.0.1:14317"
    if not _is_address(text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a host with its port; write for example {right}")
    return text


def _is_address(text: str) -> bool:
    try:
        if text.startswith("["):
            inner, _, rest = text[1:].partition("]")
            ipaddress.IPv6Address(inner)
            text = f"localhost{rest}"
        return bool(host_port(text.lower()))
    except ValueError:
        return False


def url(text: str) -> str:
    """The address of a query API."""
    try:
        return http_url(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not an http address; write for example http://127.0.0.1:16686") from None
