"""What the tests of the stacks share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.stacks import samples

if TYPE_CHECKING:
    from pathlib import Path


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
