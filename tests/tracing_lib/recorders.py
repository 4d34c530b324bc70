"""What a process says of its recorder."""

from __future__ import annotations

import logging

from tracing_lib.provider import FAST, why_not_fast


def said_of_the_recorder() -> str:
    """Return the standard error of a process that is well: a warning where ``tracing_lib.fast`` is there and cannot be used."""
    why = why_not_fast()
    chosen = why.endswith("is not installed") or FAST in why
    if logging.getLogger("tracing_lib").filters:  # those of tests/unknown_sdk, which is on the path of the processes as well
        return ""
    return f"spans are recorded by OpenTelemetry's own SDK, at more cost: {why}\n" if why and not chosen else ""
