"""Server programs of a plan on this machine: found on PATH, or built from the pinned sources in ``toolchain/``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from components.local.build import RECIPES, STORE_RECIPES, Build, GoBuild, build, find_go, go_wanted, is_older
from components.local.errors import MissingProgramError
from components.local.java import LEAST_JAVA, MavenBuild, find_java

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping

    from components.local.build import Recipe
    from components.workload import Server


def find_programs(
    servers: Iterable[Server], *, toolchain: Path, say: Callable[[str], None], stopping: threading.Event | None = None
) -> Mapping[str, Path]:
    """The path of each server's program by its name; one that several share is built once.

    Raises MissingProgramError, naming all that are missing, before anything is built; BuildError when Go refuses;
    InterruptedStartError when ``stopping`` is set meanwhile.
    """
    return _find(servers, toolchain, say, stopping)


def find_program(server: Server, *, toolchain: Path, say: Callable[[str], None], stopping: threading.Event | None = None) -> Path:
    """The path of one server's program: the first on PATH of that name, whatever its version, else built. Raises as ``find_programs``."""
    return _find([server], toolchain, say, stopping)[server.program]


def _find(servers: Iterable[Server], toolchain: Path, say: Callable[[str], None], stopping: threading.Event | None) -> dict[str, Path]:
    located = {server.program: _locate(server, toolchain.absolute()) for server in servers}
    missing = [what for what in located.values() if isinstance(what, str)]
    if missing:
        raise MissingProgramError("\n".join([*missing, "Then run the same command again."]))
    return {
        program: where if isinstance(where, Path) else build(where, say=say, stopping=stopping)
        for program, where in located.items()
        if not isinstance(where, str)
    }


def _locate(server: Server, toolchain: Path) -> Path | Build | str:
    """Path of the program, the recipe to build it, or the error for the user."""
    on_path = shutil.which(server.program)
    if on_path is not None:
        return Path(on_path).absolute()
    recipe = {**RECIPES, **STORE_RECIPES}.get(server.program)
    if recipe is None:
        return _missing(server, server.tag, "and toolchain/ has no module for it", "not to be had as a Go module, so Go is no help")
    version = recipe.version if recipe.version == server.tag else f"{recipe.version} to {server.tag}"
    folder = toolchain / recipe.folder
    return _of_java(server, recipe, folder, version) if recipe.package is None else _of_go(server, recipe, folder, version)


def _of_go(server: Server, recipe: Recipe, folder: Path, version: str) -> Build | str:
    short = f"{folder.parent.name}/{folder.name}"
    if not (folder / "go.mod").is_file():
        return _missing(server, version, f"and {folder} holds no Go module", f"run from a checkout that has {short}, with Go on PATH")
    least = go_wanted(folder)
    go = find_go()
    remedy = f"install Go {least} or later (https://go.dev/dl) and put it on PATH, so that {short} builds it (about {recipe.minutes} min)"
    if go is None:
        return _missing(server, version, "and there is no `go` on PATH to build it with", remedy)
    if is_older(go, least):
        found = ".".join(map(str, go.version))
        return _missing(server, version, f"and {go.program} is {found}, too old to build it", remedy)
    return GoBuild(server.program, recipe, folder, go)


def _of_java(server: Server, recipe: Recipe, folder: Path, version: str) -> Build | str:
    short = f"{folder.parent.name}/{folder.name}"
    if not (folder / "pom.xml").is_file():
        remedy = f"run from a checkout that has {short}, with Java {LEAST_JAVA} and Maven on PATH"
        return _missing(server, version, f"and {folder} holds no pom.xml", remedy, tool="Java")
    java = find_java()
    remedy = f"install a JDK of version {LEAST_JAVA} or later and Maven, so that {short} builds it (about {recipe.minutes} min)"
    if java is None:
        return _missing(server, version, "and java, javac and mvn are not all on PATH to build it with", remedy, tool="Java")
    if java.version < LEAST_JAVA:
        return _missing(server, version, f"and java is {java.version}, too old to run it", remedy, tool="Java")
    return MavenBuild(server.program, recipe, folder, java)


def _missing(server: Server, version: str, why: str, by_tool: str, *, tool: str = "Go") -> str:
    containers = f"\n  - containers: use a docker or kubernetes target, which pulls {server.image}" if server.repository else ""
    return (
        f"{server.program} {version} is not on PATH, {why}. One of these is needed:\n"
        f"  - PATH: put the program `{server.program}`, version {version}, on it\n"
        f"  - {tool}: {by_tool}{containers}"
    )
