"""Environments at the edges of every setting, drawn from the schema, that ``check`` calls right."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from stacks.environment.parse import BadEnvironmentError
from stacks.environment.schema import environment_schema
from stacks.environment.source import named
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stacks.environment.source import Named

    Node = Mapping[str, Any]
    Path = tuple[str, ...]

LONG = "l" * 63
NAMES = ("a", "0-a", LONG)
TEXTS = ("x", "/items/${id}", "$$", "a: b #c", "'\"\\", "- d", "1e3", "404", "true", "ü😀", "{{ e }}", "a\nb", "x" * 2000)
WHOLE = 12
"""Tries of each variant as a whole; one that does not fit is refused."""
STRINGS = {
    "https?://": ("http://a", "https://a.b:9200/x", "http://10.0.0.1"),
    "([0-9]{1,5})": ("a:1", "10.0.0.1:65535", f"{LONG}.example.org:9042"),
    "[a-z0-9_]{0,47}": ("a", "k_9", "k" * 48),
    "[a-z0-9_.-]{0,99}": ("a", "0-a_b.c", "p" * 100),
    "{0,251}": ("x", "example.org/Team_x.y", f"{LONG}.{LONG}.{LONG}.{'e' * 61}/{LONG}"),
    "_.]{0,61}": ("", "A_b.c-9", LONG),
    "(ms|s|m|h|d)": ("1ms", "999ms", "1s", "2s", "61s", "90m", "1d", "36500d"),
    " ?%$": ("0 %", "0.0001 %", "40 %", "85 %", "99.9999 %", "100 %"),
    "(Ki|Mi": ("1k", "32Mi", "64Mi", "192Mi", "256Mi", "1Gi", "1000G", "4096Ti"),
    "(m|": ("1m", "0.001", "10000"),
    "sha256": ("sha256:" + "0f" * 32,),
    "[0-9a-f:.]+/": ("0.0.0.0/0", "::/0", "10.0.0.1/32", "fd00::/8"),
    "https://": ("https://a", "https://[::1]:8443/a%20b/$x/'\"", f"https://{LONG}.example.org/{'p' * 1000}/"),
    "\\S": TEXTS,
    "\\x7f": ("a", "a$b'\"\\", "arn:aws:eks:eu-central-1:1:cluster/x", "yes", "1e3", "ü😀", "x" * 500),
    "{1,64}": ("a", "eu-central-1", "E" * 64),
    "[!#-": ("groups", "a$b'", "urn:x:y#z"),
    "{1,61}": ("abc", "a.b-c", LONG),
    ":([0-9]{1,5})": ("a:1", f"{LONG}.example.org:65535"),
    "(:[0-9]+)?(/": ("localhost:5000", "a.b/c/d_e", "mirror.example.org:443/x--y"),
    "*)?(\\.": ("a", "a.b-c", f"{LONG}.{LONG}.{LONG}.{'e' * 61}"),
}
"""Edges of each kind of text, by a part of its pattern; the first that fits."""


def environments(count: int) -> Iterator[Named]:
    """As many, each of a base with every setting put to one of its edges, where ``check`` takes it beside those before it."""
    for number in range(count):
        chance = random.Random(number)  # noqa: S311 - to be repeated
        tree = samples.settings(list(samples.FILES)[number % len(samples.FILES)])
        paths = list(_leaves(environment_schema(), chance, tree))
        chance.shuffle(paths)
        taken = named(tree, source="edges", name=f"edges-{number}")
        for path, value in paths:
            changed = _with(tree, path, value)
            try:
                taken = named(changed, source="edges", name=f"edges-{number}")
            except BadEnvironmentError:
                continue
            tree = changed
        yield taken


def _with(tree: Mapping[str, Any], path: Path, value: object) -> dict[str, Any]:
    head, *rest = path
    below = tree.get(head)
    return {**tree, head: _with(below if isinstance(below, dict) else {}, tuple(rest), value) if rest else value}


def _resolved(node: Node) -> Node:
    while "$ref" in node:
        node = environment_schema()["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def _leaves(node: Node, chance: random.Random, base: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Each setting below a node with one of its edges, and entries as a whole of a mapping by name and where there are variants."""
    node = _resolved(node)
    variants = _variants(node)
    for variant in variants:
        if "properties" in variant:
            if path[1:] and len(variants) > 1:
                yield from ((path, _entry(variant, chance, number / WHOLE / 2)) for number in range(WHOLE))
            if isinstance(base, dict) and _is_of(base, variant):
                for name, child in variant["properties"].items():
                    # What is not there has defaults, or is nothing whose settings could be tried one by one.
                    yield from _leaves(child, chance, base.get(name, child.get("default", {})), (*path, name))
        elif free := _free(variant):
            yield from (((*path, name), _entry(free, chance, 0.5)) for name in chance.sample(TEXTS, 3))
        elif variant.get("type") != "null":
            # The last that is taken stays: what is small is taken beside more than what is large.
            edges = list(_edges(variant))
            yield from ((path, edge) for edge in chance.sample(edges, min(3, len(edges))))


def _variants(node: Node) -> list[Node]:
    return [_resolved(variant) for variant in node.get("oneOf") or node.get("anyOf") or [node]]


def _free(node: Node) -> Node | None:
    """The entries of a mapping by name."""
    found = next(iter(node.get("patternProperties", {}).values()), None)
    return found if found is None else _resolved(found)


def _is_of(base: Mapping[str, Any], variant: Node) -> bool:
    kind = variant["properties"].get("kind", {})
    return "const" not in kind or base.get("kind", kind["const"]) == kind["const"]


def _entry(node: Node, chance: random.Random, share: float) -> object:
    """A value of a node: of a mapping what is required and a share of the rest, of what has variants one."""
    variant = chance.choice([one for one in _variants(_resolved(node)) if one.get("type") != "null"])
    if len(_variants(variant)) > 1:
        return _entry(variant, chance, share)
    if "properties" in variant:
        taken = {
            name: child for name, child in variant["properties"].items() if name in variant.get("required", ()) or chance.random() < share
        }
        return {name: _entry(child, chance, share) for name, child in taken.items()}
    if free := _free(variant):
        return {name: _entry(free, chance, share) for name in chance.sample(NAMES, 2)}
    return chance.choice(list(_edges(variant)))


def _edges(shape: Node) -> Iterator[object]:
    if "const" in shape:
        yield shape["const"]
    elif "enum" in shape:
        yield from shape["enum"]
    elif shape.get("type") == "boolean":
        yield from (True, False)
    elif shape.get("type") in {"integer", "number"}:
        yield shape.get("minimum", shape.get("exclusiveMinimum", 0) or 0.001)
        yield shape.get("maximum", 64)
    elif shape.get("type") == "array":
        items = list(_edges(_resolved(shape["items"])))
        yield from ([item] for item in items)
        yield [*items[: shape.get("maxItems", 8)]]
        if not shape.get("minItems"):
            yield []
    elif shape.get("format") == "hostname":
        yield from ("a", "a.example.org", f"{LONG}.{LONG}.{LONG}.{'e' * 61}")
    else:
        yield from next((values for part, values in STRINGS.items() if part in shape.get("pattern", "")), NAMES)
