"""The JSON schema: it takes what the program takes, so that an editor and ``check`` agree."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from stacks.environment.model import KEY
from stacks.environment.parse import BadEnvironmentError, parse
from stacks.environment.reference import reference
from stacks.environment.schema import environment_schema, known_keys, known_kinds, settings, stack_file_schema
from tests.stacks import samples
from tests.stacks.environment.bad_environments import FORMS, KEYS, TYPES, UNITS

if TYPE_CHECKING:
    from tests.stacks.environment.bad import Bad

VALIDATOR = Draft202012Validator(stack_file_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(stack_file_schema())


@pytest.mark.parametrize("base", samples.FILES)
def test_the_schema_takes_the_stack_files_as_they_stand(base: str) -> None:
    VALIDATOR.validate(yaml.safe_load(samples.FILES[base].read_text()))


@pytest.mark.parametrize("base", samples.FILES)
def test_the_schema_takes_every_default_as_it_is_written_out(base: str) -> None:
    VALIDATOR.validate({"config": {KEY: samples.named(base).environment.model_dump(mode="json")}})


def _below(node: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:  # noqa: ANN401 - JSON
    if not isinstance(node, dict):
        return []
    return [path, *(found for name, child in node.items() for found in _below(child, (*path, name)))]


FREE = {("sampling", "strategies", "services"), ("sampling", "targets"), ("sampling", "targets", "chain"), ("sampling", "tail", "noise")}
"""Where a user chooses the names."""


@pytest.mark.parametrize("path", [path for path in _below(samples.settings("prod")) if path not in FREE], ids=".".join)
def test_schema_and_program_refuse_an_unknown_key_in_every_section(path: tuple[str, ...]) -> None:
    tree = samples.settings("prod", {(*path, "zzz"): {}})
    assert not VALIDATOR.is_valid({"config": {KEY: tree}})
    with pytest.raises(BadEnvironmentError, match=r"zzz"):
        parse(tree, source="x", name="x")


# What a pattern or a type can say, a schema says too; what only arithmetic shows is left to ``check``.
ONLY_CHECK = {
    "longer than a life",
    "digits without end",
    "larger than any disk",
    "CPU without end",
    "no time at all",
    "finer than a millisecond",
    "no room",
    "no CPU",
    "more than everything",
    "infinite load",
    "load that is no number",
    "half a character",
    "date for text",
    "host with a scheme",
    "issuer of half an address",
    "issuer with a space",
    "CPU in words",
    "network with a host",
    "name that ends with a newline",
}


@pytest.mark.parametrize("bad", [bad for bad in [*UNITS, *TYPES, *KEYS, *FORMS] if bad.id not in ONLY_CHECK], ids=lambda bad: bad.id)
def test_an_editor_marks_what_check_refuses(bad: Bad) -> None:
    tree = samples.settings("prod", bad.changes)
    assert not VALIDATOR.is_valid({"config": {KEY: tree}})


@pytest.mark.parametrize("base", samples.FILES)
def test_the_editor_finds_the_schema_where_the_first_line_of_a_stack_file_says(base: str) -> None:
    first = samples.FILES[base].read_text().splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named
    there = json.loads((samples.FILES[base].parent / named[1]).read_text())
    # What it says is compared with the program by tests/test_reference.py.
    assert there["title"] == stack_file_schema()["title"]


def test_the_schema_leaves_other_keys_of_pulumi_free() -> None:
    tree = copy.deepcopy(yaml.safe_load(samples.FILES["prod"].read_text()))
    tree["encryptionsalt"] = "v1:abc"
    tree["config"]["virtengine-tracing:token"] = {"secure": "abc"}
    VALIDATOR.validate(tree)


def test_settings_are_all_properties_of_the_schema_that_hold_a_value() -> None:
    def count(node: dict[str, Any]) -> set[str]:
        return {name for definition in node["$defs"].values() for name in definition.get("properties", {})}

    listed = {part for setting in settings() for part in setting.path}
    assert count(environment_schema()) <= listed


def test_every_default_of_the_schema_is_what_the_program_uses() -> None:
    least = {
        "target": {"kind": "docker"},
        "backend": {"kind": "jaeger", "volume": {"size": "100Gi"}},
        "sampling": {"tail": {"baseline": "5 %"}},
        "load": {"spans_per_second": 10},
    }
    dumped = parse(least, source="x", name="x").model_dump(mode="json")
    compared = 0
    for setting in settings():
        node: Any = dumped
        for part in setting.path:
            node = node.get(part, samples.ABSENT) if isinstance(node, dict) else samples.ABSENT
        if node is not samples.ABSENT and not setting.required:
            assert node == setting.default, setting.key
            compared += 1
    assert compared > 40


def test_the_reference_has_every_setting_once() -> None:
    headings = re.findall(r"^### `(.+)`$", reference(), re.MULTILINE)
    second = "backend.also.store"
    assert headings == list(dict.fromkeys(second if setting.key.startswith(second) else setting.key for setting in settings()))


def test_a_second_store_has_the_settings_of_a_backend_without_another_store() -> None:
    keys = [setting.key for setting in settings()]
    second = [key.replace("backend.also.store.", "backend.") for key in keys if key.startswith("backend.also.store.")]
    assert second == [key for key in keys if key.startswith("backend.") and not key.startswith("backend.also.")]


def test_what_may_stand_at_a_place_is_known_there() -> None:
    assert "baseline" in known_keys(("sampling", "tail"))
    assert set(known_keys(("target", "docker"))) == {"kind", "host"}
    assert known_kinds(("backend", "tempo", "storage")) == ("volume", "s3", "gcs", "azure")
    assert known_kinds(("backend", "jaeger", "storage")) == ("badger", "cassandra", "opensearch", "elasticsearch")
    assert known_keys(("no", "such")) == ()
