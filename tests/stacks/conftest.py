"""What the tests of the stacks share."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.stacks import samples
from tests.stacks.deploy.clusters import Cluster

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sites.kubernetes import ApiServer


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit that holds the stack file of prod."""
    folder = tmp_path / "repository"
    folder.mkdir()
    shutil.copy(samples.FILES["prod"], folder)
    samples.git(folder, "init", "--quiet")
    samples.git(folder, "add", ".")
    samples.git(folder, "commit", "--quiet", "--message", "first")
    return folder


@pytest.fixture
def cluster(api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """An API server under a context that no other test has, and that is not current."""
    # Clients are kept by the name of their context.
    made = Cluster(api_server, tmp_path, f"context-{uuid.uuid4().hex[:8]}")
    made.login(made.context, api_server.token)
    monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig))
    return made
