"""What a release is made of agrees: version, changelog, workflow, and the forms that contributors fill in."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml

from stacks.environment.source import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def loaded(path: Any) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(workflow: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - YAML
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_the_newest_version_of_the_changelog_is_that_of_the_package() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(PROJECT['project']['version'])} - \d{{4}}-\d\d-\d\d", headings[1])


def test_the_notes_of_a_release_are_its_part_of_the_changelog() -> None:
    (draft,) = [step["run"] for step in steps(loaded(ROOT / ".github/workflows/release.yml")) if "gh release" in step.get("run", "")]
    script = draft.splitlines()[0].replace("> notes.md", "")
    tag = {"TAG": f"v{PROJECT['project']['version']}", "PATH": "/usr/bin:/bin"}
    notes = subprocess.run(["bash", "-euc", script], cwd=ROOT, env=tag, capture_output=True, text=True, check=True).stdout
    assert notes.strip()
    assert notes in CHANGELOG
    assert re.search(r"^## ", notes, re.MULTILINE) is None


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_names_the_version_of_all_that_it_uses_and_runs(path: Any) -> None:  # noqa: ANN401 - a path
    workflow = loaded(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert [step["uses"] for step in steps(workflow) if not re.search(r"@v\d", step.get("uses", "@v1"))] == []
    assert [name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job] == []
    for run in (step["run"] for step in steps(workflow) if step.get("run", "").startswith(".")):
        assert (ROOT / run).is_file()


def test_a_release_is_tested_and_is_of_wheels_and_an_sdist() -> None:
    jobs = loaded(ROOT / ".github/workflows/release.yml")["jobs"]
    assert set(jobs["release"]["needs"]) == {"test", "wheels", "sdist"}
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=").replace(".", "")
    assert f"cp{oldest}-*" in PROJECT["tool"]["cibuildwheel"]["build"]


@pytest.mark.parametrize("path", [path for path in FORMS if path.name != "config.yml"], ids=lambda path: path.stem)
def test_a_form_asks_each_thing_once_and_says_what_it_is_for(path: Any) -> None:  # noqa: ANN401 - a path
    form = loaded(path)
    assert form["name"]
    assert form["description"]
    asked = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(asked) == len(set(asked)) > 2


def test_the_checks_before_a_commit_run_programs_of_the_locked_packages() -> None:
    hooks = [hook for repo in loaded(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert len(hooks) > 2
    programs = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks}
    assert programs <= {"ruff", "lint-imports", "python", "go"}
    named = {word for hook in hooks for word in hook["entry"].split() if word.startswith("tests/")}
    assert [name for name in named if not (ROOT / name).is_file()] == []
