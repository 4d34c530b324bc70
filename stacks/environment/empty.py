"""Sections of a stack file that are written and empty: ``dashboards:`` with nothing below it, or with all of it commented out.

YAML reads null there, which leaves the section out, while ``{}`` has it with its defaults. Whoever wrote the key meant one of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from stacks.environment.schema import optional_section

if TYPE_CHECKING:
    from collections.abc import Iterator

Keys = tuple[str, ...]


def empty_sections(file: yaml.Node | None, above: Keys) -> Iterator[tuple[str, str]]:
    """The key of each section that is empty below the keys ``above`` of a file, and what would be right there. A written null is none."""
    for keys in _empty(file):
        below = keys[len(above) :]
        if keys[: len(above)] == above and (section := optional_section(below)) is not None:
            what = "its settings below it" if section.get("required") else "{} for its defaults"
            yield ".".join(below), f"is empty; write {what}, null for none, or leave it out"


def _empty(node: yaml.Node | None, keys: Keys = ()) -> Iterator[Keys]:
    """The keys to each value of a tree of mappings for which nothing is written."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _empty(value, (*keys, str(key.value)))
    elif isinstance(node, yaml.ScalarNode) and not node.value and node.style is None:
        yield keys
