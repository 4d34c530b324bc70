"""Plans of these tests are made once for each environment: most compare one of a few with another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stacks.changes import diff
from stacks.plan.plan import plan
from tests.stacks.changes import test_consequences

if TYPE_CHECKING:
    from components.workload import Plan
    from stacks.environment.model import Environment
    from stacks.plan.addresses import Addresses

_made: dict[tuple[str, str, str], Plan] = {}


def _plan(environment: Environment, addresses: Addresses, *, name: str) -> Plan:
    key = (environment.model_dump_json(), repr(addresses), name)
    if key not in _made:
        _made[key] = plan(environment, addresses, name=name)
    return _made[key]


@pytest.fixture(autouse=True)
def plans_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember plans."""
    for module in (diff, test_consequences):
        monkeypatch.setattr(module, "plan", _plan)
