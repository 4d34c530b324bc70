"""Sampling strategies as the Jaeger remote sampling protocol tells them, and what each asks of one operation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tracing_lib.contract.outputs import Ratio

if TYPE_CHECKING:
    from collections.abc import Mapping

_Rate = Annotated[float, Field(ge=0)]
_UNKNOWN = "none of operationSampling, probabilisticSampling and rateLimitingSampling"


class StrategyError(ValueError):
    """A strategy server answered with something that is no strategy; the message says what, in a few words."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the ratio of an operation is made from.

    With a target the ratio is target ÷ traffic, from floor to ceiling. Else it is ``ceiling``, or more where that brings fewer than
    ``least_per_second``.
    """

    target: float | None = None
    """Traces per second that are aimed at."""
    floor: float = 0.0
    """Least ratio."""
    ceiling: float = 1.0
    """Greatest ratio; without a target, the ratio itself."""
    least_per_second: float = 0.0
    """Traces per second below which the ratio is raised."""

    @property
    def adapts(self) -> bool:
        """Whether the ratio follows the traffic."""
        return self.target is not None or self.least_per_second > 0

    def ratio(self, rate: float, pressure: float) -> float:
        """Return the ratio for a traffic of so many traces per second; under pressure (1: none, towards 0: much) that much less."""
        if self.target is not None:
            wanted = self.target / rate if rate > 0 else 1.0
        elif self.least_per_second > 0:
            wanted = self.least_per_second / rate if rate > 0 else 1.0
            return max(self.floor, max(self.ceiling, min(1.0, wanted)) * pressure)
        else:
            wanted = self.ceiling
        return max(self.floor, min(self.ceiling, wanted) * pressure)


@dataclass(frozen=True, slots=True)
class Strategy:
    """What a service was told about its sampling."""

    default: Goal
    """The goal of every operation without one of its own."""
    shared: bool = False
    """Whether operations share the default goal, as under a rate for the whole service, rather than each having it for itself."""
    operations: Mapping[str, Goal] = field(default_factory=dict)
    """Goals by operation."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, strict=True)


class _Probabilistic(_Part):
    # Absent means zero: that is how JSON made from proto3 leaves it out.
    samplingRate: Ratio = 0.0  # noqa: N815  the protocol's


class _RateLimiting(_Part):
    maxTracesPerSecond: _Rate = 0.0  # noqa: N815


class _Operation(_Part):
    operation: str
    probabilisticSampling: _Probabilistic  # noqa: N815


class _PerOperation(_Part):
    defaultSamplingProbability: Ratio = 0.0  # noqa: N815
    defaultLowerBoundTracesPerSecond: _Rate = 0.0  # noqa: N815
    perOperationStrategies: list[_Operation] | None = None  # noqa: N815


class _Answer(_Part):
    operationSampling: _PerOperation | None = None  # noqa: N815
    probabilisticSampling: _Probabilistic | None = None  # noqa: N815
    rateLimitingSampling: _RateLimiting | None = None  # noqa: N815


def parse_strategy(body: bytes) -> Strategy:
    """Return the strategy in an answer of ``GET /api/sampling?service=…``. Raises ``StrategyError``.

    ``strategyType`` is not read: with operations, servers set it to the type of the default. The field that is there decides,
    ``operationSampling`` first (Jaeger, ``sampling.proto``). A floor keeps pressure from darkening an operation that is to be seen.
    """
    try:
        answer = _Answer.model_validate(json.loads(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise StrategyError(f"{'.'.join(map(str, first['loc'])) or 'the answer'}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise StrategyError("no JSON") from None
    if (per := answer.operationSampling) is not None:
        least = per.defaultLowerBoundTracesPerSecond
        operations = {
            each.operation: _ratio_goal(each.probabilisticSampling.samplingRate, least) for each in per.perOperationStrategies or ()
        }
        return Strategy(_ratio_goal(per.defaultSamplingProbability, least), operations=operations)
    if answer.probabilisticSampling is not None:
        return ratio_strategy(answer.probabilisticSampling.samplingRate)
    if answer.rateLimitingSampling is not None:
        return Strategy(Goal(target=answer.rateLimitingSampling.maxTracesPerSecond), shared=True)
    raise StrategyError(_UNKNOWN)


_LEAST_UNDER_PRESSURE = 0.0001
"""Share that pressure leaves of an operation that has no floor of its own; the contract's default floor."""


def _ratio_goal(ratio: float, least_per_second: float = 0.0) -> Goal:
    return Goal(floor=min(ratio, _LEAST_UNDER_PRESSURE), ceiling=ratio, least_per_second=least_per_second)


def ratio_strategy(ratio: float) -> Strategy:
    """Return the strategy that takes a share of everything."""
    return Strategy(_ratio_goal(ratio), shared=True)
