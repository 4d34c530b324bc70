"""Settings as the engine passes them on from a program in another language, in the form of a stack file."""

from __future__ import annotations

import re
from typing import Any

from stacks.environment.schema import known_keys

Path = tuple[str | int, ...]


def from_wire(value: Any, path: Path = ()) -> Any:  # noqa: ANN401 - any part of an environment
    """Settings with whole numbers as such, where the engine has floats alone, and with names of a stack file.

    A name in camel case is known by its place in the schema; one that the user chooses stays as it is.
    """
    match value:
        case dict():
            known = known_keys(path)
            names = {name: _name(name, known) if isinstance(name, str) else name for name in value}
            return {names[name]: from_wire(inner, (*path, names[name])) for name, inner in value.items()}
        case list() | tuple():
            return [from_wire(inner, (*path, index)) for index, inner in enumerate(value)]
        case float() if value.is_integer():
            return int(value)
    return value


def _name(name: str, known: tuple[str, ...]) -> str:
    as_in_file = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
    return as_in_file if as_in_file in known and name not in known else name
