"""Fixtures of the local placement's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.components.local.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, of built programs and reserved ports."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("VIRTENGINE_TRACING_CACHE", str(folder))
    return folder / "virtengine-tracing"


@pytest.fixture
def stage(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """An empty stage; its ports are reserved in a cache that all workers of this run share."""
    monkeypatch.setenv("VIRTENGINE_TRACING_CACHE", str(tmp_path_factory.getbasetemp().parent / "shared-cache"))
    folder = tmp_path / "stage"
    folder.mkdir()
    return Stage(folder)
