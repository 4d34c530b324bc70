"""Public names of a package, imported at their first use (PEP 562)."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from tracing_lib.base.errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def offer(
    package: str, homes: Mapping[str, tuple[str, ...]], *, extras: Mapping[str, str] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose public names are defined in modules below it.

    ``homes`` maps each module, relative to the package, to the names that it defines. ``extras`` maps the modules that need an extra to
    its name; where its packages are not installed, ``__getattr__`` raises ``ModuleNotFoundError`` with the command that installs them.
    """
    modules = {name: module for module, names in homes.items() for name in names}

    def get(name: str) -> object:
        """Import a public name from the module that defines it."""
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = modules[name]
        try:
            value: object = getattr(import_module(f"{package}.{module}"), name)
        except ModuleNotFoundError as error:
            extra = (extras or {}).get(module)
            if extra is None:
                raise
            then = f"pip install 'virtengine-tracing[{extra}]'"
            message = explain(f"{package}.{name}", f"{error.name} is not installed", f"the packages of the extra {extra}", then)
            raise ModuleNotFoundError(message, name=error.name) from error
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted(modules)
