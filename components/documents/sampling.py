"""The strategies that services are told: the file of Jaeger's ``remote_sampling`` extension.

Source: the sampling strategies file of Jaeger, https://www.jaegertracing.io/docs/2.13/architecture/sampling/. It takes
``probabilistic`` and ``ratelimiting`` for a service, and only ``probabilistic`` for an operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.documents.text import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Strategy:
    """Strategy for the traces of a service: a ``ratio`` in 0..1 or traces per second and instance, exactly one of them.

    ``operations`` gives a ratio to traces that begin with that span name.
    """

    ratio: float | None
    traces_per_second: float | None
    operations: Mapping[str, float]


def strategies(default_ratio: float, services: Mapping[str, Strategy]) -> str:
    """The strategies file: ``default_ratio`` for every service that has no strategy of its own."""
    entries = [{"service": name} | _strategy(strategy) for name, strategy in sorted(services.items())]
    return json_text({"service_strategies": entries, "default_strategy": {"type": "probabilistic", "param": default_ratio}})


def _strategy(strategy: Strategy) -> dict[str, Any]:
    if strategy.ratio is None:
        return {"type": "ratelimiting", "param": strategy.traces_per_second}
    operations = [{"operation": name, "type": "probabilistic", "param": ratio} for name, ratio in sorted(strategy.operations.items())]
    own: dict[str, Any] = {"type": "probabilistic", "param": strategy.ratio}
    return own | ({"operation_strategies": operations} if operations else {})
