"""Real servers from toolchain/ or PATH, on ports and in folders of each test's own."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.documents.images import SERVERS
from components.local.build import RECIPES
from components.local.errors import MissingProgramError
from components.local.programs import find_program
from stacks.environment.model import KEY
from stacks.environment.parse import parse
from stacks.environment.source import ROOT, Named
from stacks.placement.local import deploy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from components.workload import Server
    from stacks.placement.local import Running

    Deploy = Callable[..., AbstractContextManager[Running]]


def built(servers: Mapping[str, Server]) -> dict[str, Path]:
    """The servers that toolchain/ can build. In CI one that is missing is a failure, elsewhere a skip that says why."""
    found = {}
    for program in servers.keys() & RECIPES.keys():
        try:
            found[program] = find_program(servers[program], toolchain=ROOT / "toolchain", say=print)
        except MissingProgramError as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"{program} is neither on PATH nor can it be built: {error}")
    return found


def built_of_java(servers: Mapping[str, Server]) -> dict[str, Path]:
    """The servers of Java, which only some environments need; as ``built``, and a skip where there is no recipe for one."""
    found = {}
    for program, server in servers.items():
        try:
            found[program] = find_program(server, toolchain=ROOT / "toolchain", say=print)
        except MissingProgramError as error:
            if os.environ.get("CI") == "true" and program in RECIPES:
                raise
            pytest.skip(f"{program} is neither on PATH nor can it be built: {error}")
    return found


@pytest.fixture(scope="session")
def programs() -> dict[str, Path]:
    """The servers of plans."""
    return built(SERVERS)


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A mapping with the leaves of another in it."""
    both = dict(base)
    for key, value in changes.items():
        both[key] = merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return both


def named(name: str, **changes: object) -> Named:
    """The environment of a stack file with changed settings, under its own name."""
    settings = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())["config"][KEY]
    return Named(name, f"Pulumi.{name}.yaml", parse(merged(settings, changes), source="test", name=name))


@pytest.fixture
def deployed(programs: dict[str, Path], tmp_path: Path) -> Deploy:
    """Runs an environment with its state in the test's folder."""
    assert programs

    @contextmanager
    def run(environment: Named, *, state: Path = tmp_path) -> Iterator[Running]:
        said: list[str] = []
        with deploy(environment, say=said.append, state=state) as running:
            yield running

    return run
