"""What a process says of its recorder."""

from __future__ import annotations

from tracing_lib.provider import why_not_fast


def said_of_the_recorder() -> str:
    """Return the standard error of a process that is well: one line where ``tracing_lib.fast`` cannot be used, and else nothing."""
    why = why_not_fast()
    return f"spans are recorded by OpenTelemetry's own SDK, at more cost: {why}\n" if why else ""
