"""Consistent probability sampling (OpenTelemetry specification, "TraceState: Probability Sampling").

A trace id has 56 random bits, R. The trace is sampled if R is at least the threshold T, so the ratio is 1 - T / 2**56. T is propagated, so
that every reader can scale counts up.
"""

from __future__ import annotations

import math
from typing import Final

RANDOMNESS: Final = (1 << 56) - 1
"""The bits of a trace id that are random (W3C Trace Context level 2, "random-trace-id")."""
NEVER: Final = 1 << 56
"""Threshold above every R: no trace is sampled."""
_DIGITS: Final = 14
_PRECISION: Final = 4
"""Significant hexadecimal digits of a threshold, beside leading f: the specification's default."""


def threshold_of(ratio: float) -> int:
    """Return the threshold for a ratio, rounded to four significant digits; ``NEVER`` for zero and what rounds to it."""
    if ratio <= 0:
        return NEVER
    if ratio >= 1:
        return 0
    # A ratio below 1/16**n has a threshold that begins with n digits f, which say nothing about its precision.
    leading = max(0, math.floor(-math.log(ratio, 16)))
    bits = 4 * max(0, _DIGITS - _PRECISION - leading)
    exact = NEVER - round(ratio * NEVER)
    return min(NEVER, (exact + (1 << bits >> 1)) >> bits << bits)


def effective_ratio(threshold: int) -> float:
    """Return the ratio that a threshold stands for."""
    return (NEVER - threshold) / NEVER


def threshold_text(threshold: int) -> str:
    """Return a threshold as the value of ``th``: hexadecimal, without trailing zeros."""
    return f"{threshold:014x}".rstrip("0") or "0"
