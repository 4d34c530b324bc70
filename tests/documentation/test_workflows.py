"""The workflows that the documentation offers: right for their own linter, and their steps do in a clone what they say."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.documents.images import TEST_SERVERS
from components.local.errors import MissingProgramError
from components.local.programs import find_program
from stacks.environment.source import ROOT
from stacks.rehearse.recording import write_file
from tests.stacks import samples
from tests.stacks.rehearse.recordings import all_of, recording

if TYPE_CHECKING:
    from pathlib import Path


FOLDER = ROOT / "docs" / "workflows"
GITHUB = [*sorted(FOLDER.glob("github-*.yml")), *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
GITLAB = FOLDER / "gitlab-review.yml"
BUILT = (".venv", "build", ".git", ".state")


def loaded(path: Path) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def review() -> str:
    """The script by which the workflow of GitHub writes a review."""
    (script,) = [
        step["run"] for step in loaded(FOLDER / "github-review.yml")["jobs"]["review"]["steps"] if "make review" in step.get("run", "")
    ]
    return str(script)


@pytest.mark.server
def test_workflows_are_right_for_their_own_linter() -> None:
    try:
        linter = find_program(TEST_SERVERS["actionlint"], toolchain=ROOT / "toolchain", say=print)
    except MissingProgramError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"actionlint is neither on PATH nor can it be built: {error}")
    done = subprocess.run([linter, "-no-color", *GITHUB], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "")
    assert len(GITHUB) > 2


def test_both_hosts_run_the_same_review() -> None:
    document = loaded(GITLAB)
    assert document["review-of-environments"]["script"][0] == review()
    for job in document.values():
        assert job["image"]
        for line in (*job.get("before_script", ()), *job["script"]):
            subprocess.run(["bash", "-n"], input=line, text=True, check=True)


def clone(folder: Path) -> Path:
    """A clone of the tree as it is, with one commit, beside the same packages."""
    tree = folder / "clone"
    shutil.copytree(ROOT, tree, ignore=lambda where, names: [name for name in names if where == str(ROOT) and name.startswith(BUILT)])
    (tree / ".venv").symlink_to(ROOT / ".venv")
    # What is older than the packages are does not install them anew.
    for file in (path for path in tree.rglob("*") if path.is_file() and ".venv" not in path.parts):
        os.utime(file, (0, 0))
    samples.git(tree, "init", "--quiet")
    samples.git(tree, "add", "Pulumi.prod.yaml")
    samples.git(tree, "commit", "--quiet", "--message", "first")
    return tree


@pytest.mark.server
def test_the_steps_of_the_review_write_what_a_change_loses(tmp_path: Path) -> None:
    tree = clone(tmp_path)
    file = tree / "Pulumi.prod.yaml"
    file.write_text(file.read_text().replace("errors: true", "errors: false"))
    write_file(tmp_path / "traces.jsonl", all_of(recording(60)))
    environment = os.environ | {"ENVIRONMENTS": "prod", "BASE": "HEAD", "TRACES": str(tmp_path / "traces.jsonl")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", review()], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tree / "build" / "review-all.md").read_text()
    assert "### prod&#64;HEAD → prod" in text
    assert "| gateway | restarts | collector.yaml |" in text
    assert "### Rehearsal: Pulumi.prod.yaml&#64;HEAD → Pulumi.prod.yaml" in text
    assert "| failed | portal POST /orders |" in text


def test_a_review_of_an_environment_that_is_wrong_fails_with_its_errors(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.bad.yaml").write_text("config: {}\n")
    review = ROOT / "build" / "review.md"
    before = review.read_text() if review.is_file() else None
    command = ["make", "-o", ".venv/ready", "review", "A=prod", f"B={tmp_path / 'Pulumi.bad.yaml'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "then: python -m stacks check " in done.stderr
    assert (review.read_text() if review.is_file() else None) == before
