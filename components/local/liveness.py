"""Liveness, as the kubelet's probe has it: an instance that has not answered for long is ended, and then started again.

An instance that was started again is told of as soon as it answers.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from components.local.health import answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from components.local.instances import Instance
    from components.local.keeper import Keeper

PERIOD_SECONDS = 10.0
RETURN_SECONDS = 0.5
"""Time between two questions to an instance that was started again and has not answered yet."""
ANSWER_SECONDS = 3.0


class Liveness:
    """Asks each instance for its health every ten seconds, until ``close``.

    One that has failed for as long as its workload's ``health.alive_seconds`` gets SIGTERM, and SIGKILL after its grace period. One that
    is held is left alone.
    """

    def __init__(self, instances: Iterable[Instance], keeper: Keeper, say: Callable[[str], None]) -> None:
        self._instances = {instance.name: instance for instance in instances}
        self._failures: Counter[str] = Counter()
        self._keeper = keeper
        self._say = say
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="liveness", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the asking."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic() + PERIOD_SECONDS
        while not self._closing.wait(min(RETURN_SECONDS, PERIOD_SECONDS)):
            for name in self._keeper.returning():
                if self._answers(self._instances[name]):
                    self._keeper.is_back(name)
            if time.monotonic() >= due:
                due = time.monotonic() + PERIOD_SECONDS
                self._ask_all()

    def _ask_all(self) -> None:
        for instance in self._instances.values():
            if self._closing.is_set():
                return
            self._ask(instance)

    def _answers(self, instance: Instance) -> bool:
        health = instance.workload.health
        return answers(instance.workload.port(health.port).number, health.path, address=instance.address, seconds=ANSWER_SECONDS)

    def _ask(self, instance: Instance) -> None:
        health = instance.workload.health
        if self._answers(instance) or not self._keeper.is_watched(instance.name):
            self._failures[instance.name] = 0
            return
        self._failures[instance.name] += 1
        if self._failures[instance.name] * PERIOD_SECONDS >= health.alive_seconds:
            self._failures[instance.name] = 0
            self._say(f"{instance.name} has not answered for {health.alive_seconds} s: ended, to be started again")
            self._keeper.renew(instance.name)
