"""A fault with the alerts that it is to fire, and parts of which faults are made."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks.trial.load import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from benchmarks.alerts.environments import EnvironmentName
    from benchmarks.alerts.stage import Stage

USUAL = Pace(10, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A fault. ``alerts`` are to fire while it lasts, ``after`` once it has ended.

    ``load`` is sent meanwhile, doubled until an alert has what it waits for where it ``rises``. ``stays`` says that the alerts do not end
    with the fault.
    """

    title: str
    alerts: tuple[str, ...]
    make: Callable[[Stage], AbstractContextManager[None]]
    after: tuple[str, ...] = ()
    load: Pace | None = USUAL
    rises: bool = False
    environment: EnvironmentName = "usual"
    stays: bool = False


def refused(*names: str) -> Callable[[Stage], AbstractContextManager[None]]:
    """A fault of instances that are killed and stay away."""

    @contextmanager
    def make(stage: Stage) -> Iterator[None]:
        for name in names:
            stage.faults.refuse(name)
        try:
            yield
        finally:
            for name in names:
                stage.faults.release(name)
            for name in names:
                stage.faults.wait_healthy(name)

    return make


@contextmanager
def unbroken(_: Stage) -> Iterator[None]:
    """No fault: the load of the scenario is the fault."""
    yield
