"""Sampling strategies of the Jaeger remote sampling protocol, and the goals that they set for operations."""

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
    """The response of a strategy server is not a strategy. The message says why in a few words."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The goal of an operation's sampling.

    With a target the ratio is target ÷ traffic, from floor to ceiling. Without one it is ``ceiling``, raised where it would sample fewer
    traces than ``least_per_second``.
    """

    target: float | None = None
    """Wanted traces per second."""
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
        """Return the ratio for ``rate`` traces per second, multiplied by ``pressure`` (1: no load) down to the floor."""
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
    """The strategy of a service."""

    default: Goal
    """Goal of operations without one of their own."""
    shared: bool = False
    """Whether the default goal is one for all operations together, as with a rate for the whole service."""
    operations: Mapping[str, Goal] = field(default_factory=dict)
    """Goals by operation."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, strict=True, defer_build=True)


class _Probabilistic(_Part):
    # JSON made from proto3 leaves zero out.
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
    """Return the strategy in a response of ``GET /api/sampling?service=…``. Raises ``StrategyError``.

    The field that is set decides, ``operationSampling`` first (Jaeger, ``sampling.proto``), and not ``strategyType``, because servers set
    that to the type of the default.
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
"""Floor of goals without one: the contract's default, so that load never turns an operation off."""


def _ratio_goal(ratio: float, least_per_second: float = 0.0) -> Goal:
    return Goal(floor=min(ratio, _LEAST_UNDER_PRESSURE), ceiling=ratio, least_per_second=least_per_second)


def ratio_strategy(ratio: float) -> Strategy:
    """Return the strategy that samples one ratio of all traces."""
    return Strategy(_ratio_goal(ratio), shared=True)
