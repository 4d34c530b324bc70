"""Attributes that stay in the process: how many there were of each key, why they stay, and what lets them leave."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracing_lib.privacy.attribute import Privacy, Shape
from tracing_lib.privacy.declarations import STAYING
from tracing_lib.privacy.names import CODE, ID, IDENTIFYING

if TYPE_CHECKING:
    from tracing_lib.privacy.registry import Registry
    from tracing_lib.privacy.rules import ValueRules

_KEY: Final = re.compile(r"[a-z][a-z0-9_]*([.-][a-z0-9_]+)*")
_LONGEST_KEY: Final = 80
_MOST_KEYS: Final = 256
"""Keys that are told apart. A service that makes keys from its input has more, all of which count as ``OTHERS``."""
OTHERS: Final = "(others)"
"""Stands for keys that are no names, which may hold what they are about, and for those beyond the first 256."""
_UNDECLARED: Final = "it is not declared"
_PERSONS: Final = ("user.", "enduser.", "client.")


@dataclass(slots=True)
class Withheld:
    """Key of which attributes stayed in the process."""

    key: str
    """The key, or ``OTHERS``."""
    why: str
    """Reason for which its values stay."""
    then: str
    """Line or action that lets them leave; empty where the decision is that they stay."""
    count: int = 0
    """Attributes of this key that stayed."""


class WithheldAttributes:
    """The attributes that stayed in the process so far. For one thread at a time."""

    def __init__(self, registry: Registry, rules: ValueRules) -> None:
        self._registry, self._rules = registry, rules
        self._by_key: dict[str, Withheld] = {}
        self._news: list[Withheld] = []

    def add(self, key: str, value: object) -> None:
        """Count an attribute that stays."""
        found = self._by_key.get(key) or self._first(key, value)
        found.count += 1
        if found.why is _UNDECLARED and self._registry.get(key) is not None:
            found.why, found.then = self._why(key, value)  # the declaration was not enough
            self._news.append(found)

    def _first(self, key: str, value: object) -> Withheld:
        shown = len(key) <= _LONGEST_KEY and _KEY.fullmatch(key) and not IDENTIFYING.search(key) and not self._rules.found(key)
        if not shown or len(self._by_key) >= _MOST_KEYS:
            key, value = OTHERS, None
        if key not in self._by_key:
            self._by_key[key] = Withheld(key, *self._why(key, value))
            self._news.append(self._by_key[key])
        return self._by_key[key]

    def _why(self, key: str, value: object) -> tuple[str, str]:
        if key == OTHERS:
            return "their keys are no names, or too many", "give attributes constant keys of lower-case words and dots"
        if self._rules.key(key):
            return "a privacy rule forbids the key", "" if key in STAYING else "use a key that does not name a credential or a person"
        declared = self._registry.get(key)
        if declared is not None and declared.privacy is Privacy.DROP:
            return "it is declared to stay", ""
        if not any(isinstance(each, bool | int | float | str) for each in (value if isinstance(value, list | tuple) else (value,))):
            why, then = "it holds no text, number or flag", "give it one: of bytes their hex(), of a mapping an attribute for each entry"
        elif declared is None:
            why, then = _UNDECLARED, line(key, value)
        else:
            shape = f"Shape.{declared.shape.name}"
            why = f"a value has not its shape, {shape}, or a privacy rule finds something in it"
            then = f"give it a value of {shape}, or use another key"
        return why, "" if declared is None and key in STAYING else then

    def counts(self) -> dict[str, int]:
        """Return how many attributes of each key stayed."""
        return {key: found.count for key, found in tuple(self._by_key.items())}

    def all(self) -> list[Withheld]:
        """Return the keys of which attributes stayed, in the order in which they first did."""
        return list(self._by_key.values())

    def news(self) -> list[str]:
        """Return a sentence for each key that was not told before and that a line lets leave."""
        news, self._news = self._news, []
        return [f"the attribute {new.key} stays in this process: {new.why}. To let it leave: {new.then}" for new in news if new.then]


def line(key: str, value: object) -> str:
    """Return the line of Python that declares an attribute which has such values."""
    value = value[0] if value and isinstance(value, list | tuple) else value
    parts = [f'"{key}"', '"what it means"']
    shape = _shape(value)
    if shape is not Shape.ID:
        parts.append(f"tracing_lib.Shape.{shape.name}")
    if key.startswith(_PERSONS):
        parts.append("privacy=tracing_lib.Privacy.HASH")
    return f"tracing_lib.declare(tracing_lib.Attribute({', '.join(parts)}))"


def _shape(value: object) -> Shape:
    if isinstance(value, bool):
        return Shape.FLAG
    if isinstance(value, int | float):
        return Shape.NUMBER
    if not isinstance(value, str) or ID.fullmatch(value):
        return Shape.ID
    return Shape.CODE if CODE.fullmatch(value) else Shape.TEXT
