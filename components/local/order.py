"""In which order workloads start and stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.workload import Plan


def start_order(plan: Plan) -> tuple[str, ...]:
    """The workloads' names, each after those that it opens connections to; stopping goes the other way.

    What edges leave open follows the order of the plan. In a cycle, the one reached first from the plan's order starts last.
    """
    names = [workload.name for workload in plan.workloads]
    called = {name: {edge.destination for edge in plan.edges if edge.source == name} for name in names}
    order: list[str] = []
    entered: set[str] = set()

    def enter(name: str) -> None:
        if name in entered:
            return
        entered.add(name)
        for destination in names:
            if destination in called[name]:
                enter(destination)
        order.append(name)

    for name in names:
        enter(name)
    return tuple(order)
