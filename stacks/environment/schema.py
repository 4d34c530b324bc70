"""The schema of environment files, and what is known of each setting in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from stacks.environment.model import KEY, Environment
from stacks.environment.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic_core import core_schema

Path = tuple[str | int, ...]

OF_SECTION = "Default: as its section says."
"""Text of a setting of which each section has another default. What a person reads names the default and why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A leaf of the schema. ``*`` in its path stands for a name that the user chooses.

    ``kind`` is the kind of the nearest section above that has one.
    """

    path: tuple[str, ...]
    title: str
    description: str
    shape: Mapping[str, Any]
    required: bool
    default: object
    unit: str | None
    kind: str | None = None

    @property
    def key(self) -> str:
        """The path as it is written below ``environment``."""
        return ".".join(self.path)


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, which knows no list without repetitions, and would write the default of an optional duration in ISO 8601."""

    def tuple_schema(self, schema: core_schema.TupleSchema) -> dict[str, Any]:
        """A list, in which nothing stands twice."""
        return super().tuple_schema(schema) | {"uniqueItems": True}

    def encode_default(self, dft: object) -> Any:  # noqa: ANN401 - the signature that is overridden
        """A default as the file would have it."""
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


@cache
def environment_schema() -> dict[str, Any]:
    """JSON schema (2020-12) of the structured key of a stack file."""
    # Serialization mode writes defaults as the file would have them; what may be left out is the same in both modes.
    return Environment.model_json_schema(mode="serialization", schema_generator=_Generator)


def stack_file_schema() -> dict[str, Any]:
    """JSON schema of a whole stack file, for editors; other keys of Pulumi are left free."""
    schema = dict(environment_schema())
    definitions = schema.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of the VirtEngine tracing backbone",
        "type": "object",
        "required": ["config"],
        "properties": {"config": {"type": "object", "required": [KEY], "properties": {KEY: {"$ref": "#/$defs/Environment"}}}},
        "$defs": definitions | {"Environment": schema},
    }


def _resolve(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema node with its reference followed; what stands beside the reference wins."""
    if "$ref" in node:
        target = environment_schema()["$defs"][node["$ref"].rsplit("/", 1)[1]]
        return dict(target) | {k: v for k, v in node.items() if k != "$ref"}
    return node


def _variants(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a node: the members of a union without null, or the node itself."""
    choices = node.get("oneOf") or node.get("anyOf")
    if not choices:
        return [node]
    return [_resolve(choice) for choice in choices if choice.get("type") != "null"]


def _children(node: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Name, node and whether it is required, of what stands below a node, all alternatives together."""
    return ((name, child, required) for name, child, required, _ in _kinds_below(node))


def _kinds_below(node: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool, str | None]]:
    """The children of a node as ``_children`` has them, each with the kind of the alternative that has it."""
    for variant in _variants(_resolve(node)):
        required = variant.get("required", ())
        kind = variant.get("properties", {}).get("kind", {}).get("const")
        for name, child in variant.get("properties", {}).items():
            yield name, child, name in required, kind
        free = next(iter(variant.get("patternProperties", {}).values()), variant.get("additionalProperties"))
        if isinstance(free, dict):
            # The title of a mapping is that of its entries: they are what a user writes.
            yield "*", {k: v for k, v in node.items() if k in {"title", "description"}} | free, False, kind


@dataclass(frozen=True, slots=True)
class _Above:
    """Inheritance of a node from the nodes above it: titles, the value in their defaults, the nearest kind, and why that value.

    ``why`` is the path and the text of the nearest node that tells of a default.
    """

    titles: tuple[str, ...] = ()
    default: object = None
    kind: str | None = None
    why: tuple[str, str] = ("", "")


@cache
def settings() -> tuple[Setting, ...]:
    """Every leaf of the schema, in the order of the file; a setting of two kinds of backend with one path is listed once."""
    return tuple(found[0] for found in alternatives().values())


@cache
def alternatives() -> Mapping[tuple[str, ...], tuple[Setting, ...]]:
    """The leaves of the schema by their path: of each kind of a section one."""
    found: dict[tuple[str, ...], tuple[Setting, ...]] = {}
    for name, child, needed, _ in _kinds_below(environment_schema()):
        for leaf in _leaves(child, (name,), _Above(), required=needed):
            found[leaf.path] = (*found.get(leaf.path, ()), leaf)
    return found


def _leaves(node: Mapping[str, Any], path: tuple[str, ...], above: _Above, *, required: bool) -> Iterator[Setting]:
    resolved = _resolve(node)
    description = " ".join(resolved.get("description", "").split())
    default = above.default if above.default is not None else resolved.get("default")
    below = list(_kinds_below(node))
    named = any(name == "*" for name, *_ in below)
    titles = (*above.titles, node["title"]) if node.get("title") and not named else above.titles
    why = (".".join(path), description) if "Default: " in description else above.why
    if not below:
        text = description.replace(OF_SECTION, _reason(default, *above.why))
        yield Setting(path, " ".join(titles), text, resolved, required, default, resolved.get("unit"), above.kind)
    for name, child, needed, kind in below:
        inherited = default.get(name) if isinstance(default, dict) else None
        passed = _Above(titles, inherited, kind or above.kind, why)
        yield from _leaves(child, (*path, name), passed, required=needed and inherited is None)


def _reason(default: object, section: str, text: str) -> str:
    """The default of a setting that its section decides, with what the section says of it."""
    return f"Default: {default}. That of `{section}` is {text.partition('Default: ')[2]}"


def _step(nodes: Sequence[Mapping[str, Any]], part: str | int) -> list[Mapping[str, Any]]:
    """The nodes that a key leads to; a tag of a union leads to the variant of that kind and is no key."""
    children = [(name, child) for node in nodes for name, child, _ in _children(node)]
    exact = [child for name, child in children if name == part]
    return exact or [child for name, child in children if name == "*"]


def _tagged(nodes: Sequence[Mapping[str, Any]], part: str | int) -> list[Mapping[str, Any]]:
    variants = [variant for node in nodes for variant in _variants(_resolve(node))]
    return [v for v in variants if v.get("properties", {}).get("kind", {}).get("const") == part]


def display_path(location: Path) -> Path:
    """The keys of the file in the location of a pydantic error, which also holds the tags of unions."""
    return _walk(location)[0]


def _walk(location: Path) -> tuple[Path, list[Mapping[str, Any]]]:
    nodes: list[Mapping[str, Any]] = [environment_schema()]
    keys: list[str | int] = []
    for part in location:
        if part == "[key]":
            continue
        following = _step(nodes, part)
        if not following and (variant := _tagged(nodes, part)):
            nodes = variant
            continue
        nodes = following
        keys.append(part)
    return tuple(keys), nodes


def field_at(path: Path) -> Mapping[str, Any]:
    """The schema node that a path leads to, empty when there is none."""
    nodes = _walk(path)[1]
    return _resolve(nodes[0]) if nodes else {}


def optional_section(path: Path) -> Mapping[str, Any] | None:
    """The schema of the section at a path, where null may stand in its place; else None."""
    for node in map(_resolve, _walk(path)[1]):
        if any(choice.get("type") == "null" for choice in node.get("anyOf", ())):
            return next((variant for variant in _variants(node) if "properties" in variant), None)
    return None


def known_keys(location: Path) -> tuple[str, ...]:
    """The keys that may stand at a location."""
    return tuple(dict.fromkeys(name for node in _walk(location)[1] for name, _, _ in _children(node)))


def known_kinds(path: Path) -> tuple[str, ...]:
    """The kinds that a union at a path has."""
    variants = [variant for node in _walk(path)[1] for variant in _variants(_resolve(node))]
    return tuple(str(v["properties"]["kind"]["const"]) for v in variants if "kind" in v.get("properties", {}))
