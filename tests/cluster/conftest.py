"""The API server as these tests speak to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sites import kubernetes


@pytest.fixture(scope="session", name="api_server")
def spoken_to(api_server: kubernetes.ApiServer) -> Iterator[ApiServer]:
    """An API server of the tests' own, as its one user an administrator; nothing acts on the objects that it keeps."""
    with api_server.client() as http:
        yield ApiServer(http)
