"""Production in small: prod on loopback addresses, with login, TLS, token and Prometheus, once for all tests that break nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from components.alerts.rule import Times
from components.documents.images import SURROUNDINGS
from components.local.faults import Faults
from stacks.placement.small import deploy
from tests.servers.conftest import built, named
from tests.servers.small.web import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from components.local.instances import Listed
    from stacks.placement.local import Running

NODES = 2

WAIT_SECONDS = 2
"""The tail-sampling wait of production in small."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running shape: its outputs and supervisor, and the folder of its state."""

    running: Running
    folder: Path

    @property
    def faults(self) -> Faults:
        return Faults(self.folder)

    def instances(self, workload: str | None = None) -> tuple[Listed, ...]:
        return self.faults.instances(workload)

    def client(self) -> Client:
        """A client that trusts the authority of this run, with no cookie yet."""
        return Client((self.folder / "authority.crt").read_text())


@pytest.fixture(scope="session")
def surroundings(programs: dict[str, Path]) -> dict[str, Path]:
    """The servers of plans, and those around them."""
    return programs | built(SURROUNDINGS)


@pytest.fixture(scope="session")
def production(surroundings: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Prod with two nodes; every trace is kept, so that one can be looked for."""
    assert surroundings
    state = tmp_path_factory.mktemp("production")
    environment = named(
        "prod", sampling={"tail": {"wait": f"{WAIT_SECONDS}s", "slow": "1s", "baseline": "100 %"}}, aggregation={"flush_interval": "2s"}
    )
    # A minute of the alerts is three seconds; a range is longer than agents wait for an acknowledgement.
    with deploy(environment, nodes=NODES, say=print, state=state, times=Times(1 / 20, least_seconds=20)) as running:
        yield Cluster(running, state / "prod")
