"""No role is left out by omission: of the table, of a shape of plans, of the placement on Kubernetes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from components.documents import ports
from components.documents.images import SERVERS
from components.workload import RoleName
from stacks.plan.roles import Role, WorkloadName, role_of
from tests.stacks import samples

ROOT = Path(__file__).resolve().parents[3]
ROLES = [role_of(name) for name in get_args(WorkloadName)]

CONFIGURATION = """
[mypy]
strict = True
python_version = 3.11
explicit_package_bases = True
[mypy-pulumi.*,pulumi_kubernetes.*,pydantic.*,pydantic_core.*]
follow_imports = skip
"""
"""The types of these packages cost a minute to read, and roles have none of them."""


class Trial(NamedTuple):
    """An edit of a file, and the type error that it has to cause in another."""

    file: str
    old: str
    new: str
    where: str
    error: str


TRIALS = {
    "another role": Trial(
        "components/workload.py", '"ui", "access"]', '"ui", "access", "archive"]', "stacks/placement/kubernetes.py", "assert_never"
    ),
    "another workload": Trial(
        "stacks/plan/roles.py", '"sampling", "access"]', '"sampling", "access", "archive"]', "stacks/plan/roles.py", "assert_never"
    ),
    "a record that says nothing of clusters": Trial(
        "stacks/plan/roles.py", "    in_cluster=True,\n    build=_tempo", "    build=_tempo", "stacks/plan/roles.py", '"in_cluster"'
    ),
    "another shape": Trial(
        "stacks/plan/addresses.py", '["one-host", "cluster"]', '["one-host", "cluster", "edge"]', "stacks/plan/roles.py", "assert_never"
    ),
}


def type_errors(folder: Path) -> list[str]:
    """Lines of mypy about roles in the two files that know all of them."""
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "stacks/plan/roles.py", "stacks/placement/kubernetes.py"]
    done = subprocess.run([*command, "--no-error-summary"], cwd=folder, capture_output=True, text=True, check=False)
    assert not done.stderr
    ours = r'assert_never|Missing named argument|Argument \d+ to "Role"'
    return [line for line in done.stdout.splitlines() if re.search(ours, line)]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree that mypy has found right, with its cache."""
    folder = tmp_path_factory.mktemp("checked") / "tree"
    for package in ("stacks", "components", "tracing_lib"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "mypy.ini").write_text(CONFIGURATION)
    assert type_errors(folder) == []
    return folder


@pytest.mark.parametrize("name", TRIALS)
def test_a_role_that_is_not_placed_is_a_type_error(name: str, checked: Path, tmp_path: Path) -> None:
    trial, folder = TRIALS[name], tmp_path / "tree"
    shutil.copytree(checked, folder)
    text = (folder / trial.file).read_text()
    assert text.count(trial.old) == 1
    (folder / trial.file).write_text(text.replace(trial.old, trial.new))
    assert [line for line in type_errors(folder) if line.startswith(f"{trial.where}:") and trial.error in line]


@pytest.mark.parametrize("role", ROLES, ids=get_args(WorkloadName))
def test_a_record_names_a_known_server_and_one_of_its_own_ports(role: Role) -> None:
    assert role.program in SERVERS
    assert role.port in ports.BY_WORKLOAD[role.workload]


def test_every_role_is_placed_somewhere_and_has_a_record() -> None:
    assert {role.role for role in ROLES} == set(get_args(RoleName))
    assert {role.workload for role in ROLES} == set(ports.BY_WORKLOAD)
    assert all(role.on_one_host or role.in_cluster for role in ROLES)


@pytest.mark.parametrize("target", samples.TARGETS)
@pytest.mark.parametrize("base", samples.FILES)
def test_a_plan_holds_the_roles_of_its_shape_that_the_environment_asks_for(base: str, target: str) -> None:
    environment = samples.named(base).environment
    asked = {"agent", "gateway", "sampling", environment.backend.kind}
    asked |= {"grafana"} if environment.backend.kind == "tempo" else set()
    asked |= (
        {"query"}
        if environment.backend.kind != "otlp" and environment.backend.storage.kind in {"cassandra", "opensearch", "elasticsearch"}
        else set()
    )
    asked |= {"access"} if environment.access is not None else set()
    wanted = [role.workload for role in ROLES if role.placed_in(samples.TARGETS[target].shape) and role.workload in asked]
    assert [workload.name for workload in samples.planned(base, target).workloads] == wanted
