"""What is generated into ``docs/reference`` is what the program says today."""

from __future__ import annotations

import difflib

import pytest

from stacks.cli.cli import main
from stacks.environment.source import ROOT

FOLDER = ROOT / "docs" / "reference"
GENERATED = {"stack-file.schema.json": [], "settings.md": ["--reference"], "outputs.schema.json": ["--outputs"]}
TYPES = ("cluster_arguments", "backend_arguments", "arguments")


@pytest.mark.parametrize("name", GENERATED)
def test_the_reference_is_up_to_date(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", *GENERATED[name]]) == 0
    now = capsys.readouterr().out
    committed = (FOLDER / name).read_text()
    changed = "".join(difflib.unified_diff(committed.splitlines(keepends=True), now.splitlines(keepends=True), "committed", "now", n=1))
    assert not changed, f"docs/reference/{name} is out of date; run: make reference\n{changed[:3000]}"


@pytest.mark.parametrize("name", TYPES)
def test_the_types_of_a_component_are_up_to_date(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--types", name]) == 0
    path = ROOT / "stacks" / "backbone" / f"{name}.py"
    assert capsys.readouterr().out == path.read_text(), f"{path} is out of date; run: make reference"


def test_nothing_else_is_kept_in_the_folder_of_what_is_generated() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(GENERATED)
