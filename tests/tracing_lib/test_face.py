"""The public names of the package and of its rooms."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tracing_lib
from tracing_lib.base.lazy import offer

ROOT = Path(tracing_lib.__file__).parent
ROOMS = sorted(
    ".".join(("tracing_lib", *path.parent.relative_to(ROOT).parts))
    for path in ROOT.rglob("__init__.py")
    if "offer(" in path.read_text(encoding="utf-8")
)


def test_the_face_has_few_names_and_the_rooms_that_serve_users_have_some() -> None:
    assert len(dir(tracing_lib)) <= 22
    rooms = {room.removeprefix("tracing_lib").lstrip(".") for room in ROOMS}
    surfaces = {"instrument", "instrument.grpc", "instrument.http", "instrument.websocket", "instrument.remote"}
    assert rooms == {"", "contract", "export", "privacy", "propagation", "sampling", "testing"} | surfaces


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_room_is_found_where_it_is_said_to_be(room: str) -> None:
    module = importlib.import_module(room)
    assert sorted(module.__all__) == module.__dir__()
    for name in module.__all__:
        assert getattr(module, name).__name__ == name
    assert module.__doc__


@pytest.mark.parametrize("room", ROOMS)
def test_an_unknown_name_of_a_room_is_refused(room: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{room}' has no attribute 'no_such_name'"):
        importlib.import_module(room).no_such_name  # noqa: B018  looking it up is the test


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_room_imports_no_third_package(room: str) -> None:
    program = (
        f"import sys, {room}; print([name for name in sys.modules if name.startswith(('opentelemetry', 'pydantic', 'grpc', 'httpx'))])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


def test_a_module_that_is_missing_and_no_extra_is_not_explained_as_one(tmp_path: Path) -> None:
    (tmp_path / "__init__.pyi").write_text("from tracing_lib.no_such_module import Name as Name\n")
    get, _, names = offer("tracing_lib", str(tmp_path / "__init__.py"), extras={"other": "grpc"})
    assert names == ["Name"]
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'tracing_lib\.no_such_module'$"):
        get("Name")


README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS)
def test_the_readme_of_the_package_names_every_public_name_of_a_room(room: str) -> None:
    assert [name for name in importlib.import_module(room).__all__ if f"`{name}`" not in README] == []


def test_the_readme_of_the_package_lists_the_extras_and_links_to_pages_that_exist() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = {extra for row in re.findall(r"^\| (`[a-z`, ]+`) \| .+ \|$", README, re.MULTILINE) for extra in re.findall(r"`([a-z]+)`", row)}
    assert listed == set(project["optional-dependencies"])
    assert project["readme"] == "tracing_lib/README.md"
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_source_distribution_takes_files_of_the_package_alone() -> None:
    sdist = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["sdist"]
    assert all(pattern.startswith("/") for pattern in sdist["include"]), "a pattern without a slash matches in every folder"
    assert {"/tracing_lib", "/hatch_build.py", "/LICENSE"} <= set(sdist["include"])
