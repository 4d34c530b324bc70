"""Memory and processor time that the instances of an environment on this machine use between two moments."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from benchmarks.processes import cpu_seconds
from components.local.instances import read_listing
from stacks.trial.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from components.local.instances import Listed


@dataclass(frozen=True, slots=True)
class Used:
    """Processor seconds of all instances of each workload, and the most resident bytes of one of them."""

    cpu: Mapping[str, float]
    resident: Mapping[str, int]


class Usage:
    """Watches the instances of the environment in ``folder`` for as long as the context lasts; ``used`` tells afterwards."""

    def __init__(self, folder: Path) -> None:
        self.used = Used({}, {})
        self._listed = read_listing(folder)
        self._memory = Memory(folder, [one.instance for one in self._listed])

    def __enter__(self) -> Self:
        self._before = _cpu(self._listed)
        self._memory.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.stop()
        resident: dict[str, int] = {}
        for one in self._listed:
            resident[one.workload] = max(resident.get(one.workload, 0), self._memory.most[one.instance])
        after = _cpu(self._listed)
        self.used = Used({workload: after[workload] - before for workload, before in self._before.items()}, resident)


def _cpu(listed: tuple[Listed, ...]) -> Mapping[str, float]:
    found: dict[str, float] = defaultdict(float)
    for one in listed:
        if one.pid is not None:
            found[one.workload] += cpu_seconds(one.pid)
    return found
