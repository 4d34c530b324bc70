"""Imports between packages, and the length of functions and files."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
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


LIBRARY = "layers of the library"
FOR_TYPING = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "

LAYERS, CIRCLE, PULUMI = "the layers of stacks", "no circle inside a room", "no pulumi before the placements"
BUNDLE = "environment, plan and changes never import the library"
TRIALS = [
    ("components/documents/text.py", "import stacks.environment.model", "components never import stacks"),
    ("tracing_lib/contract/outputs.py", "import components.workload", "the library never imports the bundle, nor pulumi"),
    ("stacks/environment/units.py", "import stacks.plan.addresses", LAYERS),
    ("stacks/plan/plan_text.py", FOR_TYPING + "import stacks.changes.diff", LAYERS),
    ("stacks/show/trace.py", FOR_TYPING + "import stacks.placement.outputs", LAYERS),
    ("stacks/placement/outputs.py", "import stacks.show.page", LAYERS),
    ("stacks/deploy/hints.py", "import stacks.main", LAYERS),
    ("stacks/main.py", "import stacks.cli.verbs", LAYERS),
    ("stacks/environment/model.py", FOR_TYPING + "import stacks.environment.parse", CIRCLE),
    ("components/workload.py", FOR_TYPING + "import components.documents.ports", CIRCLE),
    ("components/documents/text.py", FOR_TYPING + "import components.documents.collector", CIRCLE),
    ("tracing_lib/export/redactor.py", FOR_TYPING + "import tracing_lib.export.packing", CIRCLE),
    ("stacks/plan/plan.py", "import tracing_lib.contract.outputs", BUNDLE),
    ("stacks/environment/rules.py", "import pulumi", PULUMI),
    ("stacks/plan/plan.py", "import pulumi", PULUMI),
    ("stacks/changes/diff.py", "import pulumi_docker", PULUMI),
    ("stacks/show/page.py", "import components.kubernetes.place", PULUMI),
    ("stacks/placement/render.py", "import pulumi_kubernetes", PULUMI),
    ("components/docker/host.py", FOR_TYPING + "import components.local.errors", "the placements never import each other"),
    ("components/local/__init__.py", "import components.docker", "the placements never import each other"),
    ("tracing_lib/base/errors.py", "import tracing_lib.contract.outputs", LIBRARY),
    ("tracing_lib/privacy/attribute.py", FOR_TYPING + "import tracing_lib.sampling.links", LIBRARY),
    ("tracing_lib/logs.py", "import tracing_lib.instrument.paths", LIBRARY),
    ("tracing_lib/doctor.py", "import tracing_lib.fast", "only the provider imports the accelerator"),
    ("tracing_lib/instrument/grpc/spans.py", "import tracing_lib.instrument.remote.slurm", "the surfaces never import each other"),
    ("tracing_lib/export/queue.py", FOR_TYPING + "import grpc", "grpc is imported by its surface and by the transport"),
    ("tracing_lib/instrument/remote/slurm.py", "import httpx", "httpx is imported by its surface and by the client of Waldur"),
    ("tracing_lib/doctor.py", "import kubernetes", "kubernetes is imported by its surface"),
]
"""A file, an import that is added to it, and the contract that this breaks."""

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def check_contracts(folder: Path) -> tuple[set[str], str]:
    """The names of the broken contracts, and the whole report."""
    command: list[str | Path] = [LINTER, "--no-cache", "--config", folder / "pyproject.toml"]
    environ = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environ)
    report = " ".join(done.stdout.split())
    broken = {contract["name"] for contract in CONTRACTS if f"{contract['name']} BROKEN" in report}
    assert f"{len(broken)} broken" in report, done.stdout + done.stderr
    assert bool(broken) == bool(done.returncode)
    return broken, report


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, for imports on trial."""
    folder = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def broken_before(tree: Path) -> set[str]:
    return check_contracts(tree)[0]


def test_every_import_contract_is_kept(broken_before: set[str]) -> None:
    assert broken_before == set()


def test_every_import_contract_has_an_import_on_trial() -> None:
    assert {contract for _, _, contract in TRIALS} >= {contract["name"] for contract in CONTRACTS}


def siblings(importer: str, imported: str) -> str:
    """The import as a contract on circles names it: by the first parts in which the two modules differ."""
    pairs = zip(importer.split("."), imported.split("."), strict=False)
    return next(f".{ours} -> .{theirs}" for ours, theirs in pairs if ours != theirs)


@pytest.mark.parametrize(("file", "line", "contract"), TRIALS, ids=[f"{file}-{contract}" for file, _, contract in TRIALS])
def test_an_import_on_trial_breaks_its_contract(file: str, line: str, contract: str, tree: Path, broken_before: set[str]) -> None:
    path = tree / file
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    try:
        broken, report = check_contracts(tree)
    finally:
        path.write_text(before)
    importer = ".".join(Path(file).with_suffix("").parts).removesuffix(".__init__")
    assert broken == broken_before | {contract}
    imported = line.rsplit(maxsplit=1)[-1]
    assert re.search(rf"({re.escape(importer)} -> {re.escape(imported)}|{re.escape(siblings(importer, imported))})\b", report)


def test_a_module_of_the_library_without_a_layer_breaks_the_layers(tree: Path, broken_before: set[str]) -> None:
    stray = tree / "tracing_lib" / "stray.py"
    stray.touch()
    try:
        assert check_contracts(tree)[0] == broken_before | {LIBRARY}
    finally:
        stray.unlink()


def imported(path: Path) -> set[str]:
    """Every module that a file imports: at its head, in a function, or for typing."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_bundle_imports_of_the_library_the_contract_and_the_reading_of_traces() -> None:
    importers = {
        str(path.relative_to(ROOT)): names
        for path in SOURCES
        if not path.is_relative_to(ROOT / "tracing_lib")
        and (names := {name.removeprefix("tracing_lib.") for name in imported(path) if name.partition(".")[0] == "tracing_lib"})
    }
    contract = importers.pop("stacks/placement/outputs.py")
    assert {name.partition(".")[0] for name in contract - {"base.errors"}} == {"contract"}
    assert {str(Path(path).parent) for path in importers} == {"stacks/show"}
    assert {name for names in importers.values() for name in names if name.partition(".")[0] != "reading"} <= {
        "base.errors",
        "contract.outputs",
    }


def test_no_test_imports_the_host_of_pulumi_at_its_head() -> None:
    """It loads Pulumi's own ``google.rpc.Status``, after which tests of the same process cannot load the one of googleapis."""
    heads = {path: [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)] for path in TESTS}
    imported = {
        (path, getattr(node, "module", None) or alias.name) for path, nodes in heads.items() for node in nodes for alias in node.names
    }
    assert [str(path) for path, name in imported if name.startswith(("pulumi.provider", "pulumi.runtime.proto.status"))] == []


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


"""Folders of tests whose names fit a terminal, beside the files that stand in none."""


def test_the_name_of_a_test_has_at_most_eighty_characters() -> None:
    assert len(TESTS) > 100
    assert [f"{path}: {name}" for path in TESTS for name, _ in functions(path) if name.startswith("test_") and len(name) > 80] == []


UNNAMED = re.compile(r"(?:What|Who|Those|They|It|Its|This|That|Which|All that|One|How|Where|When)\b")


def test_a_docstring_begins_with_the_name_of_its_object() -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    texts = {
        f"{path.relative_to(ROOT)}: {ast.get_docstring(node)}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, documented) and UNNAMED.match(ast.get_docstring(node) or "")
    }
    assert len(SOURCES) > 100
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
