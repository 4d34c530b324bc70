"""The component package: what its host says of itself, and what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from functools import cache
from typing import Any

import grpc
import pytest
from packaging.requirements import Requirement
from pulumi.runtime.proto import GetSchemaRequest, ResourceProviderStub

from stacks.backbone import TracingBackbone
from stacks.environment.schema import settings
from stacks.environment.source import ROOT

PACKAGE = ROOT / "package"
TYPE = "tracingbackbone:index"


@cache
def schema() -> dict[str, Any]:
    """The schema that the host answers with, asked as the engine asks."""
    with subprocess.Popen([sys.executable, PACKAGE, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, cwd="/") as host:
        try:
            assert host.stdout is not None
            with grpc.insecure_channel(f"127.0.0.1:{host.stdout.readline().strip()}") as channel:
                answer = ResourceProviderStub(channel).GetSchema(GetSchemaRequest(version=0))
        finally:
            host.terminate()
    found: dict[str, Any] = json.loads(answer.schema)
    return found


def _keys(name: str, path: tuple[str, ...] = ()) -> set[str]:
    """The key of every setting below a type, as a stack file has it."""
    found: set[str] = set()
    for field, shape in schema()["types"][f"{TYPE}:{name}"]["properties"].items():
        here = (*path, "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in field))
        inner = shape
        while "additionalProperties" in inner:
            inner, here = inner["additionalProperties"], (*here, "*")
        found |= _keys(inner["$ref"].rpartition(":")[2], here) if "$ref" in inner else {".".join(here)}
    return found


def test_the_package_has_every_setting_of_an_environment_and_no_other() -> None:
    assert _keys("Environment") == {setting.key for setting in settings()}


def test_settings_are_plain_documented_and_required_where_a_file_needs_them() -> None:
    types = schema()["types"]
    fields = {(name, field): shape for name, found in types.items() for field, shape in found["properties"].items()}
    assert [where for where, shape in fields.items() if not shape.get("description")] == []
    assert [where for where, shape in fields.items() if not shape.get("plain")] == []
    assert types[f"{TYPE}:Environment"]["required"] == ["backend", "load", "sampling", "target"]
    assert types[f"{TYPE}:Target"]["required"] == ["kind"]


def test_secrets_may_be_values_that_only_the_engine_knows() -> None:
    given = schema()["resources"][f"{TYPE}:TracingBackbone"]["inputProperties"]["secrets"]
    assert given["plain"]
    assert not given["additionalProperties"].get("plain")


def test_every_output_is_documented() -> None:
    outputs = schema()["resources"][f"{TYPE}:TracingBackbone"]["properties"]
    assert len(outputs) == len(TracingBackbone.__annotations__)
    assert [name for name, shape in outputs.items() if not shape.get("description")] == []


@pytest.mark.parametrize("name", ["requirements.txt", "python/pyproject.toml"])
def test_the_package_needs_what_the_repository_has(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    ours = {
        Requirement(line).name: Requirement(line) for line in (*project["project"]["dependencies"], *project["dependency-groups"]["stacks"])
    }
    text = (PACKAGE / name).read_text()
    if name == "requirements.txt":
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert [line for line in lines if Requirement(line) != ours[Requirement(line).name]] == []
        return
    package = tomllib.loads(text)["project"]
    assert package["version"] == project["project"]["version"]
    needed = {Requirement(line).name: Requirement(line) for line in package["dependencies"]}
    assert needed.pop("virtengine-tracing").specifier.contains(package["version"])
    pinned = {name: next(iter(ours[name].specifier)).version for name in needed}
    assert [name for name, version in pinned.items() if not needed[name].specifier.contains(version)] == []
