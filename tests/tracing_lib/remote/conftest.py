"""The other sides: a kube-apiserver on etcd and SLURM's daemons are real (``tests/conftest.py``); a Waldur-shaped server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tracing_lib.remote.waldur_server import WaldurServer, serving
from tracing_lib.testing.pytest_plugin import traces

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["traces"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start a server are marked as such."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and {"api_server", "slurm"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)


@pytest.fixture
def waldur() -> Iterator[WaldurServer]:
    with serving() as server:
        yield server
