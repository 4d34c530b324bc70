"""Types of a component's settings as Python source, generated from the schema, which holds the docstrings.

The types are of the standard library alone, because the host of a component package derives its schema for other languages from them.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from stacks.environment import cluster, monitoring
from stacks.environment.schema import environment_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Node = Mapping[str, Any]

MODULES = ("cluster_arguments", "backend_arguments", "arguments")
"""The generated modules, each of which imports from those before it.

The first has the types of a cluster's own settings and of monitoring, the second those of the backend and what they name.
"""

_BACKEND = "Backend"

_LINE = 130
_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


@dataclass(frozen=True, slots=True)
class Field:
    """A setting of a type: its Python annotation, its documentation, and whether it has to be given."""

    annotation: str
    text: str
    required: bool


@dataclass(frozen=True, slots=True)
class Type:
    """A section of the environment, or all kinds of one together."""

    name: str
    text: str
    fields: Mapping[str, Field]


def source(module: str) -> str:
    """The text of a generated module of ``MODULES``."""
    homes = {found.name: _home(found) for found in types()}
    own = [found for found in types() if homes[found.name] == module]
    text = '"""Types of the settings of a component; `make reference` writes them from the schema."""\n\n'
    text += "from typing import NotRequired, TypedDict\n"
    used = {word for found in own for field in found.fields.values() for word in re.findall(r"\w+", field.annotation)}
    imports = [
        (other, sorted(name for name in used & homes.keys() if homes[name] == other)) for other in sorted(MODULES) if other != module
    ]
    text += "".join(
        f"{'' if index else chr(10)}{_import(other, names)}" for index, (other, names) in enumerate(one for one in imports if one[1])
    )
    return text + "".join(f"\n\n{_class(found)}" for found in own)


def _home(found: Type) -> str:
    """Module of a type. Kinds of one section together, and the environment itself, have no class of their own in these modules."""
    if any(getattr(vars(module).get(found.name), "__module__", "") == module.__name__ for module in (cluster, monitoring)):
        return MODULES[0]
    return MODULES[1] if found.name in _named_by(_BACKEND) else MODULES[2]


@cache
def _named_by(name: str) -> frozenset[str]:
    """A type, and all that it names."""
    known = {found.name: found for found in types()}
    if name not in known:
        return frozenset()
    words = {word for field in known[name].fields.values() for word in re.findall(r"\w+", field.annotation)}
    return frozenset([name]).union(*(_named_by(word) for word in words))


def _import(module: str, names: list[str]) -> str:
    """An import of types, in as many lines as it needs."""
    line = f"from stacks.backbone.{module} import {', '.join(names)}\n"
    if len(line) <= _LINE:
        return line
    return f"from stacks.backbone.{module} import (\n" + "".join(f"    {name},\n" for name in names) + ")\n"


def _class(found: Type) -> str:
    first, _, rest = found.text.partition(". ")
    head = [f'    """{found.text}"""'] if not rest else [f'    """{first}.', "", *_wrapped(rest), '    """']
    lines = [f"class {found.name}(TypedDict):", *head, ""]
    for name, field in found.fields.items():
        annotation = field.annotation if field.required else f"NotRequired[{field.annotation}]"
        lines += [f"    {name}: {annotation}", *_documented(field.text)]
    return "\n".join(lines) + "\n"


def _documented(text: str) -> list[str]:
    """The docstring of a setting."""
    first, *others = textwrap.wrap(text, _LINE)
    lines = [f'    """{first}', *(f"    {line}" for line in others)]
    return [*lines[:-1], lines[-1] + '"""']


def _wrapped(text: str) -> list[str]:
    return [f"    {line}" for line in textwrap.wrap(text, _LINE)]


@cache
def types() -> tuple[Type, ...]:
    """Every type of an environment's settings, each after those that it names."""
    found: dict[str, Type] = {}
    _type("Environment", [environment_schema()], found)
    return tuple(found.values())


def _type(name: str, variants: list[Node], found: dict[str, Type]) -> str:
    """Add the type of a section, or of the kinds of one, and those below it; its name."""
    if name not in found:
        fields: dict[str, Field] = {}
        for key in dict.fromkeys(key for variant in variants for key in variant["properties"]):
            having = [variant for variant in variants if key in variant["properties"]]
            nodes = [variant["properties"][key] for variant in having]
            required = len(having) == len(variants) and all(key in variant.get("required", ()) for variant in variants)
            fields[key] = Field(_annotation(key, nodes, found), _text(having, nodes, one_of=len(variants) > 1), required)
        kinds = [f"`{variant['properties']['kind']['const']}`" for variant in variants if len(variants) > 1]
        whole = f"{name} of one of the kinds {', '.join(kinds)}." if kinds else _clean(variants[0]["description"])
        found[name] = Type(name, whole, fields)
    return name


def _annotation(key: str, nodes: list[Node], found: dict[str, Type]) -> str:
    """The Python type of a setting. Kinds of a section that have a setting of one name give it one type."""
    choices = [one for node in nodes for one in node.get("oneOf", ())]
    # Sections of several kinds each of which has kinds again: one type has them all.
    whole: list[Node] = [{"oneOf": choices}] if choices else []
    kinds = list(dict.fromkeys(_one(key, node, found) for node in [*whole, *(node for node in nodes if "oneOf" not in node)]))
    if len(kinds) > 1:
        raise ValueError(f"{key} has more than one type: {', '.join(kinds)}")
    return kinds[0]


def _one(key: str, node: Node, found: dict[str, Type]) -> str:
    if "$ref" in node:
        return _type(_name(node["$ref"]), [_followed(node)], found)
    if "oneOf" in node:
        return _type(key.title(), [_followed(one) for one in node["oneOf"]], found)
    if "anyOf" in node:
        return _one(key, next(one for one in node["anyOf"] if one.get("type") != "null"), found)
    if node.get("type") == "array":
        return f"list[{_one(key, node['items'], found)}]"
    if node.get("type") == "object":
        inner = next(iter(node.get("patternProperties", {}).values()), None) or node["additionalProperties"]
        return f"dict[str, {_one(key, inner, found)}]"
    return _SCALARS[node.get("type", "string")]


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[1]


def _followed(node: Node) -> Node:
    followed: Node = environment_schema()["$defs"][_name(node["$ref"])] if "$ref" in node else node
    return followed


def _text(variants: list[Node], nodes: list[Node], *, one_of: bool) -> str:
    """The documentation of a setting; where kinds of a section differ in it, that of each."""
    return " ".join(dict.fromkeys(_texts(variants, nodes, one_of=one_of)))


def _texts(variants: list[Node], nodes: list[Node], *, one_of: bool) -> Iterator[str]:
    said = [_clean(node.get("description") or _described(node)) for node in nodes]
    for variant, node, text in zip(variants, nodes, said, strict=True):
        if "const" in node:
            yield f"`{node['const']}`: {_clean(variant['description'])}"
        elif one_of and (len(variants) == 1 or len(set(said)) > 1):
            yield f"With `kind: {variant['properties']['kind']['const']}`: {text}"
        else:
            yield text


def _described(node: Node) -> str:
    """The description of the section that a node refers to."""
    inner = next((one for one in node.get("anyOf", ()) if "$ref" in one), node)
    return str(_followed(inner).get("description", ""))


def _clean(text: str) -> str:
    return " ".join(text.split())
