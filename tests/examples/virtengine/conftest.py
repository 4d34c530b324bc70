"""What the tests of the services share: a chain and a portal that run, on blocks of a tenth of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.examples.virtengine.chain_processes import running as chain_and_portal
from tests.tracing_lib import receivers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.examples.virtengine.chain_processes import Running


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A chain and a portal, shared: a test leaves both running."""
    with receivers.http_receiver() as received, chain_and_portal(tmp_path_factory.mktemp("running"), received) as made:
        yield made
