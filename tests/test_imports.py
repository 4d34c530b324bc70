"""Who may import whom, and how long a function and a file may be."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("stacks", "components", "tracing_lib")
LINTER = Path(sys.executable).with_name("lint-imports")

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def check_contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [LINTER, "--no-cache", "--config", folder / "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(folder)})


def test_every_import_contract_is_kept() -> None:
    done = check_contracts(ROOT)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def for_typing(module: str) -> str:
    return f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {module}"


LAYERS, CIRCLE, PULUMI = "the layers of stacks", "no circle in stacks and components", "no pulumi before the placements"
LIBRARY = "environment, plan and changes never import the library"
WRONG = [
    ("components/documents/text.py", "import stacks.environment.model", "components never import stacks"),
    ("tracing_lib/contract/outputs.py", "import components.workload", "the library never imports the bundle, nor pulumi"),
    ("stacks/environment/units.py", "import stacks.plan.addresses", LAYERS),
    ("stacks/plan/plan_text.py", for_typing("stacks.changes.diff"), LAYERS),
    ("stacks/show/trace.py", for_typing("stacks.placement.outputs"), LAYERS),
    ("stacks/placement/outputs.py", "import stacks.show.page", LAYERS),
    ("stacks/deploy/hints.py", "import stacks.main", LAYERS),
    ("stacks/main.py", "import stacks.cli.verbs", LAYERS),
    ("stacks/environment/model.py", for_typing("stacks.environment.parse"), CIRCLE),
    ("components/workload.py", for_typing("components.documents.ports"), CIRCLE),
    ("stacks/plan/plan.py", "import tracing_lib.contract.outputs", LIBRARY),
    ("stacks/environment/rules.py", "import pulumi", PULUMI),
    ("stacks/plan/plan.py", "import pulumi", PULUMI),
    ("stacks/changes/diff.py", "import pulumi_docker", PULUMI),
    ("stacks/show/page.py", "import components.kubernetes.place", PULUMI),
    ("stacks/placement/render.py", "import pulumi_kubernetes", PULUMI),
    ("components/docker/host.py", for_typing("components.local.errors"), "the placements never import each other"),
]


@pytest.mark.parametrize(("file", "line", "contract"), WRONG, ids=[f"{file} {contract}" for file, _, contract in WRONG])
def test_a_wrong_import_breaks_its_contract(file: str, line: str, contract: str, tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    wrong = tmp_path / file
    wrong.write_text(f"{wrong.read_text()}\n{line}\n")
    done = check_contracts(tmp_path)
    assert done.returncode != 0
    assert f"{contract} BROKEN" in " ".join(done.stdout.split())
    assert " 1 broken" in done.stdout


def imported(path: Path) -> set[str]:
    """Every module that a file imports when it runs, at its head or in a function."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body.clear()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_only_outputs_and_what_asks_a_running_backbone_import_the_library() -> None:
    importers = {
        str(path.relative_to(ROOT)): {name for name in imported(path) if name.partition(".")[0] == "tracing_lib"}
        for path in SOURCES
        if not path.is_relative_to(ROOT / "tracing_lib")
    }
    importers = {path: names for path, names in importers.items() if names}
    assert set(importers) == {"stacks/placement/outputs.py", "stacks/show/story.py", "stacks/show/trace.py"}
    assert importers["stacks/placement/outputs.py"] == {"tracing_lib.contract.outputs", "tracing_lib.base.errors"}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length of every function of a file, its decorators not counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_function_is_longer_than_sixty_lines() -> None:
    assert [f"{path}: {name}: {lines}" for path in SOURCES for name, lines in functions(path) if lines > 60] == []


def test_no_file_is_longer_than_five_hundred_lines() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in [*SOURCES, *TESTS]}
    assert len(lengths) > 50
    assert {path: lines for path, lines in lengths.items() if lines > 500} == {}


BRIEF = {"stacks", "components", "documents", "golden"}
"""Folders of tests whose names fit a terminal, beside the files that stand in none."""


def test_the_name_of_a_test_has_at_most_eighty_characters() -> None:
    brief = [path for path in TESTS if path.parent == ROOT / "tests" or path.relative_to(ROOT / "tests").parts[0] in BRIEF]
    assert len(brief) > 30
    assert [f"{path}: {name}" for path in brief for name, _ in functions(path) if name.startswith("test_") and len(name) > 80] == []


UNNAMED = re.compile(r"(?:What|Who|Those|They|It|This|That|Which|All that)\b")
PLAIN = [path for path in SOURCES if not path.is_relative_to(ROOT / "tracing_lib")]
PLAIN = [path for path in PLAIN if path.parent not in {ROOT / "stacks/deploy", ROOT / "components/documents"}]


def test_a_docstring_begins_with_the_name_of_its_object() -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    texts = {
        f"{path.relative_to(ROOT)}: {ast.get_docstring(node)}"
        for path in PLAIN
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, documented) and UNNAMED.match(ast.get_docstring(node) or "")
    }
    assert len(PLAIN) > 40
    assert texts == set()


def test_nothing_is_decided_by_the_name_of_an_environment() -> None:
    """What differs between environments is a value in their files: no comparison with the name of one stands in the code."""
    names = {"dev", "prod", "staging", "production", "development"}
    compared = [
        f"{path}: {ast.unparse(node)}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare) and names & {getattr(side, "value", None) for side in [node.left, *node.comparators]}
    ]
    assert compared == []
