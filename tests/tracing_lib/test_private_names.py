"""Outside of ``fast`` the library touches no private name of OpenTelemetry, grpc, requests or the standard library."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import tracing_lib

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(tracing_lib.__file__).parent
ALLOWED = {
    "instrument/grpc/client.py": {"_replace"},  # of a named tuple: public, whatever it looks like
    "instrument/http/client.py": {"_transport", "_mounts"},  # of an httpx client, which gives no other way to wrap its transports
    "privacy/registry.py": {"_attributes", "_names", "_words"},  # of another registry of ours
    "export/exit.py": {"_finalize_with_multiprocessing"},  # the class's own
}


def private_names(tree: ast.AST) -> Iterator[str]:
    """Names with one underscore that are imported, or asked of anything other than ``self``, also by ``getattr`` with a literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [each.name for each in node.names] + (node.module or "").split(".")
        elif isinstance(node, ast.Import):
            names = [part for each in node.names for part in each.name.split(".")]
        elif isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "made")
            own = own or (isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "super")
            names = [] if own else [node.attr]
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("getattr", "setattr", "hasattr", "import_module")
        ):
            names = [
                part
                for each in node.args
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
                for part in each.value.split(".")
            ]
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            names = [node.slice.value]
        else:
            continue
        yield from (name for name in names if name.startswith("_") and not name.startswith("__"))


def test_no_file_outside_of_fast_touches_a_private_name_of_a_package_that_it_uses() -> None:
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        place = file.relative_to(ROOT)
        if place.parts[0] != "fast":
            names = set(private_names(ast.parse(file.read_text(encoding="utf-8"))))
            if names:
                found[place.as_posix()] = names
    assert {place: names - ALLOWED.get(place, set()) for place, names in found.items() if names - ALLOWED.get(place, set())} == {}
    assert {place: names - found.get(place, set()) for place, names in ALLOWED.items() if names - found.get(place, set())} == {}


def test_the_reader_of_names_finds_each_way_to_touch_one() -> None:
    code = "from re import _parser\nimport os._path\na._b\ngetattr(a, '_c')\nvars(a)['_d']\nself._e\nimport_module('re._f')\na._g()._h"
    assert set(private_names(ast.parse(code))) == {"_parser", "_path", "_b", "_c", "_d", "_f", "_g", "_h"}
