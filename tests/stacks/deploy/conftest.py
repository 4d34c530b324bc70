"""A cluster for the checks before a deployment, and for the watch beside it: a real API server, on which nothing runs pods."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.stacks.deploy.clusters import Cluster

if TYPE_CHECKING:
    from tests.sites.kubernetes import ApiServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start a server are marked as such."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "api_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.server)


@pytest.fixture
def cluster(api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """An API server under a context that no other test has, and that is not current."""
    # Clients are kept by the name of their context.
    made = Cluster(api_server, tmp_path, f"context-{uuid.uuid4().hex[:8]}")
    made.login(made.context, api_server.token)
    monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig))
    return made
