"""Differences between a planned document and the one that runs, setting by setting, each said at the promise that it breaks."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from components.documents import wall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.verify.findings import Name

Leaves = dict[str, str]

_WALL = "|".join(re.escape(name) for name in wall.NAMES)

OWNERS: Sequence[tuple[Name, str]] = (
    ("login", r"access/.*"),
    ("strategies", r"sampling/strategies\.json .*"),
    ("strategies-access", r"sampling/.* (extensions\.remote_sampling\.(http|grpc)\.(tls|auth)|(service\.)?extensions\.basicauth)\b.*"),
    ("retention", r"(jaeger|query)(-\w+)?/.* extensions\.jaeger_storage\..*(\.ttl\..*|_ttl|\.max_span_age)|tempo(-\w+)?/.*block_retention"),
    ("sampling", r"gateway/.* (processors\.tail_sampling\b.*|service\.pipelines\..*\.processors\.tail_sampling)"),
    ("privacy", rf".* (processors|service\.pipelines\.[^ ]*\.processors)\.({_WALL})\b.*"),
    ("intake", r".* (receivers\.otlp\.protocols\.\w+\.(auth|tls)|(service\.)?extensions\.bearertokenauth)\b.*"),
    ("ports", r".* (receivers\.|service\.pipelines\.[^ ]*\.receivers\.).*"),
    ("ports", r".* (extensions\.|exporters\.prometheus\.|service\.telemetry\.).*(endpoint|host|port)"),
)
"""The promise that a setting of ``workload/document`` belongs to, by the first pattern that fits all of both; others are ``documents``."""

_NAMING = ("name", "service", "operation")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not as planned: where, and how in words."""

    owner: Name
    text: str


def owner_of(document: str, path: str) -> Name:
    """The promise that a setting belongs to."""
    place = f"{document} {path}"
    return next((name for name, pattern in OWNERS if re.fullmatch(pattern, place, re.DOTALL)), "documents")


def differences(document: str, planned: str, found: str) -> Iterator[Difference]:
    """Compare two texts of ``workload/document``. Text that says the same in another way is no difference."""
    try:
        want, have = _leaves(document, planned), _leaves(document, found)
    except ValueError as error:
        yield Difference("documents", f"{document} cannot be read: {_short(str(error))}")
        return
    for path in dict.fromkeys([*want, *have]):
        was, now = want.get(path), have.get(path)
        if was == now or (path.endswith(_ORDER) and _same_order(was, now)):
            continue
        if now is None:
            text = f"{path} is missing" if was == _THERE else f"{path}: {_short(str(was))} is missing"
        elif was is None:
            text = f"{path} is not planned" if now == _THERE else f"{path}: {_short(now)} is not planned"
        else:
            text = f"{path} is {_short(now)}, planned {_short(was)}"
        yield Difference(owner_of(document, path), f"{document}: {text}")


_THERE, _ORDER = "in the list", " (order)"


def _same_order(was: str | None, now: str | None) -> bool:
    """Whether what both lists hold stands in one order; what only one holds is said by itself."""
    before, after = json.loads(was or "[]"), json.loads(now or "[]")
    return [item for item in before if item in after] == [item for item in after if item in before]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _leaves(document: str, text: str) -> Leaves:
    """The settings of a document by their paths. Raises ``ValueError`` for text that is none."""
    try:
        return dict(_walk(_parsed(document, text), ""))
    except (yaml.YAMLError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ValueError(str(error)) from None


def _parsed(document: str, text: str) -> object:
    if document.endswith(".json"):
        return json.loads(text)
    if document.endswith((".yaml", ".yml")):
        return yaml.safe_load(text)
    if document.endswith(".cfg"):
        return tomllib.loads(text)
    return dict(enumerate(text.splitlines(), 1))


def _walk(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every leaf. Entries of a list are known by their names, or by their values where these are plain."""
    if isinstance(value, dict):
        if not value:
            yield path, "{}"
        for key, inner in value.items():
            yield from _walk(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        yield from _items(value, path)
    else:
        yield path, json.dumps(value, ensure_ascii=False, default=str)


def _items(items: list[Any], path: str) -> Iterator[tuple[str, str]]:
    if not any(isinstance(item, dict | list) for item in items):
        for item in items:
            yield f"{path}.{item}", _THERE
        yield f"{path}{_ORDER}", json.dumps(items)
        return
    for index, item in enumerate(items):
        name = next((item[key] for key in _NAMING if isinstance(item, dict) and key in item), index)
        yield from _walk(item, f"{path}.{name}")


def subset(planned: object, found: object, path: str = "") -> Iterator[str]:
    """Ways in which an object of a cluster is not as planned; what the API server has added is none."""
    if isinstance(planned, dict) and isinstance(found, dict):
        for key, value in planned.items():
            below = f"{path}.{key}" if path else str(key)
            if key not in found and value not in ({}, [], None):
                yield f"{below} is missing"
            elif key in found:
                yield from subset(value, found[key], below)
    elif isinstance(planned, list) and isinstance(found, list):
        if len(planned) != len(found):
            yield f"{path} has {len(found)} entries, planned {len(planned)}"
            return
        for index, (was, now) in enumerate(zip(planned, found, strict=True)):
            yield from subset(was, now, f"{path}.{index}")
    elif planned != found:
        yield f"{path} is {_short(str(found))}, planned {_short(str(planned))}"
