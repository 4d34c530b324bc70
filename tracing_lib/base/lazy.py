"""Public names of a package, imported at their first use (PEP 562)."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracing_lib.base.errors import explain
from tracing_lib.base.variables import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_IMPORT: Final = re.compile(r"^from (\S+) import (\w+) as \2$", re.MULTILINE)


def offer(
    package: str, file: str, *, extras: Mapping[str, str] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package whose public names are defined in other modules.

    The stub beside ``file``, which type checkers read, imports each of them (``from package.module import Name as Name``). ``extras`` maps
    the modules, relative to the package, that need an extra to its name; where its packages are not installed, ``__getattr__`` raises
    ``ModuleNotFoundError`` with the command that installs them.
    """
    homes = {name: module for module, name in _IMPORT.findall(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))}

    def get(name: str) -> object:
        """Import a public name from the module that defines it."""
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = homes[name]
        try:
            with readable():
                value: object = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            extra = (extras or {}).get(module.removeprefix(f"{package}."))
            if extra is None:
                raise
            then = f"pip install 'virtengine-tracing[{extra}]'"
            message = explain(f"{package}.{name}", f"{error.name} is not installed", f"the packages of the extra {extra}", then)
            raise ModuleNotFoundError(message, name=error.name) from error
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted(homes), sorted(homes)
