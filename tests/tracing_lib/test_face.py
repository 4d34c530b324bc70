"""The public names of the package and of its rooms."""

from __future__ import annotations

import importlib
import subprocess
import sys
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
    assert len(tracing_lib.__all__) <= 22
    rooms = {room.removeprefix("tracing_lib").lstrip(".") for room in ROOMS}
    surfaces = {"instrument", "instrument.grpc", "instrument.http", "instrument.websocket", "instrument.remote"}
    assert rooms == {"", "contract", "export", "privacy", "propagation", "reading", "sampling", "testing"} | surfaces


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


def test_a_module_that_is_missing_and_no_extra_is_not_explained_as_one() -> None:
    get, _ = offer("tracing_lib", {"no_such_module": ("Name",)}, extras={"other": "grpc"})
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'tracing_lib\.no_such_module'$"):
        get("Name")
