"""Variables that OpenTelemetry's packages raise for where they are imported, and so would stop a service at its start."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROPAGATORS: Final = "OTEL_PROPAGATORS"
_LIMIT: Final = re.compile(r"OTEL_((SPAN|EVENT|LINK)_)?(ATTRIBUTE_(COUNT|VALUE_LENGTH)|EVENT_COUNT|LINK_COUNT)_LIMIT")
_NUMBER: Final = re.compile(r"\s*([0-9]{1,9}|[Uu][Nn][Ss][Ee][Tt])\s*")


def unreadable(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that cannot be read: limits that are no numbers, and propagators of which one is not installed."""
    wrong = [name for name, value in environ.items() if _LIMIT.fullmatch(name) and not _NUMBER.fullmatch(value)]
    unknown = {name.strip() for name in (environ.get(PROPAGATORS) or "none").split(",")} - {"tracecontext", "baggage", "none"}
    if unknown:
        from importlib.metadata import entry_points

        wrong += [] if unknown <= entry_points(group="opentelemetry_propagator").names else [PROPAGATORS]
    return wrong


@contextmanager
def readable() -> Iterator[None]:
    """Hide the variables that cannot be read from what is imported or made in the block; ``contract.environment`` warns of them."""
    hidden = {name: os.environ.pop(name) for name in unreadable(os.environ)}
    try:
        yield
    finally:
        os.environ.update(hidden)
