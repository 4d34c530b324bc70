"""Server programs of a plan on this machine: found on PATH, or built from the pinned modules in ``toolchain/``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from components.local.build import RECIPES, Build, build, find_go, go_wanted, is_older
from components.local.errors import MissingProgramError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping

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
        program: build(where, say=say, stopping=stopping) if isinstance(where, Build) else Path(where) for program, where in located.items()
    }


def _locate(server: Server, toolchain: Path) -> Path | Build | str:
    """Path of the program, the recipe to build it, or the error for the user."""
    on_path = shutil.which(server.program)
    if on_path is not None:
        return Path(on_path).absolute()
    recipe = RECIPES.get(server.program)
    if recipe is None:
        return _missing(server, server.tag, "and toolchain/ has no module for it", "not to be had as a Go module, so Go is no help")
    version = recipe.version if recipe.version == server.tag else f"{recipe.version} to {server.tag}"
    folder = toolchain / recipe.folder
    short = f"{toolchain.name}/{recipe.folder}"
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
    return Build(server.program, recipe, folder, go)


def _missing(server: Server, version: str, why: str, by_go: str) -> str:
    containers = f"\n  - containers: use a docker or kubernetes target, which pulls {server.image}" if server.repository else ""
    return (
        f"{server.program} {version} is not on PATH, {why}. One of these is needed:\n"
        f"  - PATH: put the program `{server.program}`, version {version}, on it\n"
        f"  - Go: {by_go}{containers}"
    )
