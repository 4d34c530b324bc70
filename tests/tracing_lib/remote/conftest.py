"""The other sides: a kube-apiserver on etcd and SLURM's daemons are real (``tests/conftest.py``); a Waldur-shaped server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tracing_lib.remote.waldur_server import WaldurServer, serving
from tracing_lib.testing.pytest_plugin import traces

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["traces"]


@pytest.fixture
def waldur() -> Iterator[WaldurServer]:
    with serving() as server:
        yield server
