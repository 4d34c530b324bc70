"""Building a pinned server program with Go or with Maven: once per machine, in sight, and never left half-made."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from components.local.errors import BuildError, InterruptedStartError
from components.local.files import cache_folder, locked, make_private
from components.local.process import Process, describe_exit

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

PROGRESS_SECONDS = 10.0
POLL_SECONDS = 0.1
SHOWN_LINES = 20


@dataclass(frozen=True, slots=True)
class Recipe:
    """Recipe to build a program from ``toolchain/<folder>``; ``minutes`` is the time of a first build on two cores, ``tags`` are Go's.

    A ``package`` of None is a program of Java, built from the folder's ``pom.xml``.
    """

    folder: str
    package: str | None
    version: str
    minutes: int
    ldflags: str = "-s -w"
    tags: str = ""


RECIPES: Mapping[str, Recipe] = {
    "otelcol-contrib": Recipe("collector", ".", "0.159.0", 7, tags="remove_all_sd"),
    "jaeger": Recipe(
        "jaeger",
        "github.com/jaegertracing/jaeger/cmd/jaeger",
        "2.13.0",
        5,
        "-s -w -X github.com/jaegertracing/jaeger/internal/version.latestVersion=2.13.0",
    ),
    "jaeger-es-index-cleaner": Recipe("jaeger", "github.com/jaegertracing/jaeger/cmd/es-index-cleaner", "2.13.0", 1),
    "oauth2-proxy": Recipe(
        "oauth2-proxy",
        "github.com/oauth2-proxy/oauth2-proxy/v7",
        "v7.15.6",
        1,
        "-s -w -X github.com/oauth2-proxy/oauth2-proxy/v7/pkg/version.VERSION=v7.15.6",
    ),
    "prometheus": Recipe(
        "prometheus",
        "github.com/prometheus/prometheus/cmd/prometheus",
        "v3.16.0",
        3,
        "-s -w -X github.com/prometheus/common/version.Version=3.16.0",
        # Targets are given by name here; the clients of all clouds are most of its code.
        "remove_all_sd",
    ),
    "promtool": Recipe(
        "prometheus",
        "github.com/prometheus/prometheus/cmd/promtool",
        "v3.16.0",
        2,
        "-s -w -X github.com/prometheus/common/version.Version=3.16.0",
        "remove_all_sd",
    ),
    "trial": Recipe("trial", ".", "1", 1),
    "actionlint": Recipe("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", "1.7.12", 1),
    "kube-apiserver": Recipe(
        "kubernetes",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "1.36.3",
        5,
        "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3",
    ),
}

STORE_RECIPES: Mapping[str, Recipe] = {
    "cassandra": Recipe("cassandra", None, "5.0.6", 1),
    "kafka": Recipe("kafka", None, "3.9.1", 1),
    "opensearch": Recipe("opensearch", None, "2.19.3", 1),
}
"""Servers of Java, which only some environments need."""


@dataclass(frozen=True, slots=True)
class Go:
    """A Go toolchain: its program, its version as numbers, and version and platform as it prints them."""

    program: str
    version: tuple[int, ...]
    identity: str


class Build(Protocol):
    """A program that this machine can build from a folder of ``toolchain/``."""

    @property
    def program(self) -> str:
        """Name of the program."""

    @property
    def recipe(self) -> Recipe:
        """Recipe of the program."""

    @property
    def folder(self) -> Path:
        """Folder with the pinned sources."""

    @property
    def tool(self) -> str:
        """Name of the program that builds, for messages."""

    @property
    def beside(self) -> tuple[str, ...]:
        """Names of what is made beside the program, which needs it."""

    @property
    def path(self) -> Path:
        """Path of the built program: a folder of its own for each state of the sources and each version of the tool."""

    def command(self, output: Path) -> list[str]:
        """The command that writes the program to ``output`` when run in ``folder`` with ``environment``."""

    def environment(self, output: Path) -> dict[str, str]:
        """Environment variables of that command."""

    def by_hand(self) -> str:
        """The same for a terminal, where all of its output is seen."""

    def progress(self, lines: list[str]) -> str:
        """Progress of a build, by its output."""


def title(wanted: Build) -> str:
    """Program and source of a build, for a line of progress."""
    return f"{wanted.program} {wanted.recipe.version} from {wanted.folder.parent.name}/{wanted.folder.name}"


@dataclass(frozen=True, slots=True)
class GoBuild:
    """A program of Go: what, from which folder, and with which Go."""

    program: str
    recipe: Recipe
    folder: Path
    go: Go
    tool: str = "Go"
    beside: tuple[str, ...] = ()

    @property
    def _flags(self) -> list[str]:
        """The values of -ldflags and, where there are tags, of -tags."""
        return [self.recipe.ldflags, *([self.recipe.tags] if self.recipe.tags else [])]

    @property
    def path(self) -> Path:
        """Path of the built program: a folder of its own for each state of the sources and each Go."""
        flags = "\0".join(self._flags)
        digest = hashlib.sha256(f"{self.recipe.package}\0{flags}\0{self.go.identity}".encode())
        for source in sorted(p for p in self.folder.rglob("*") if p.suffix in {".go", ".mod", ".sum"} and p.is_file()):
            digest.update(f"\0{source.relative_to(self.folder)}\0".encode() + source.read_bytes())
        return cache_folder() / f"{self.program}-{self.recipe.version}-{digest.hexdigest()[:12]}" / self.program

    def command(self, output: Path) -> list[str]:
        """The command that writes the program to ``output`` when run in ``folder`` with ``go_environment``."""
        flags = [flag for name, value in zip(("-ldflags", "-tags"), self._flags, strict=False) for flag in (name, value)]
        return [self.go.program, "build", "-v", "-trimpath", "-buildvcs=false", *flags, "-o", str(output), str(self.recipe.package)]

    def environment(self, output: Path) -> dict[str, str]:
        """The environment of a build, whose temporary files are beside its result."""
        return {**go_environment(), "GOTMPDIR": str(output.parent)}

    def by_hand(self) -> str:
        """The command for a terminal."""
        fixed = "CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off"
        return f"cd {shlex.quote(str(self.folder))} && {fixed} {shlex.join(self.command(Path(os.devnull)))}"

    def progress(self, lines: list[str]) -> str:
        """Modules downloaded and packages compiled."""
        downloaded = sum(line.startswith("go: downloading ") for line in lines)
        compiled = f"{len(lines) - downloaded} packages compiled"
        return f"{downloaded} modules downloaded, {compiled}" if downloaded else compiled


def find_go() -> Go | None:
    """The Go toolchain on PATH, or None when there is none. Raises BuildError when it does not tell its version."""
    program = shutil.which("go")
    if program is None:
        return None
    # Not in the module's folder: there, an older Go says nothing but that it is too old.
    command = [program, "env", "GOVERSION", "GOHOSTOS", "GOHOSTARCH"]
    result = subprocess.run(command, cwd="/", env=go_environment(), capture_output=True, text=True, check=False)
    version = _numbers(result.stdout)
    if result.returncode != 0 or not version:
        raise BuildError(
            f"{program} does not work: `{shlex.join(command)}` says {(result.stdout + result.stderr).strip()!r}; "
            "repair it or take it off PATH, then run the same command again"
        )
    return Go(str(Path(program).absolute()), version, result.stdout)


def go_wanted(folder: Path) -> str:
    """The least Go version that the module in the folder names. Raises BuildError when its go.mod names none."""
    found = re.search(r"^go (\d+\.\d+(?:\.\d+)?)", (folder / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError(f"{folder / 'go.mod'}: no line `go 1.x`; restore the file: git checkout {folder}")
    return found[1]


def is_older(go: Go, wanted: str) -> bool:
    """Whether this Go cannot build a module that names ``wanted``, such as ``1.25.7``."""
    return go.version < _numbers(f"go{wanted}")


def go_environment() -> dict[str, str]:
    """The caller's environment, proxies and caches of Go included, with what makes the build the same everywhere."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"GOOS", "GOARCH"}}
    return {**inherited, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def build(wanted: Build, *, say: Callable[[str], None], stopping: threading.Event | None = None) -> Path:
    """The path of the program, built now unless it is in the cache; while another process builds it, this one waits.

    Raises BuildError with the end of the tool's output, InterruptedStartError when ``stopping`` is set before it is done.
    """
    path = wanted.path
    if path.exists():
        return path
    told_at = [-PROGRESS_SECONDS]

    def tell_waiting(holder: int | None, seconds: float) -> None:
        if seconds >= told_at[0] + PROGRESS_SECONDS:
            told_at[0] = seconds
            say(f"waiting for process {holder or 'unknown'}, which builds {title(wanted)}: {_clock(seconds)}")

    with locked(make_private(path.parent) / "lock", tell_waiting, stopping):
        if not path.exists():
            # One folder for all that is half-made, because an interrupted tool does not clean up; beside the result, to be renamed.
            work = path.parent / "work"
            shutil.rmtree(work, ignore_errors=True)
            try:
                part = make_private(work) / path.name
                _compile(wanted, part, say, stopping)
                for name in wanted.beside:
                    shutil.rmtree(path.parent / name, ignore_errors=True)
                    (work / name).replace(path.parent / name)
                part.replace(path)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return path


def _compile(wanted: Build, output: Path, say: Callable[[str], None], stopping: threading.Event | None) -> None:
    hint = f"about {wanted.recipe.minutes} min on 2 cores, once"
    say(f"building {title(wanted)} ({hint})")
    since = time.monotonic()
    with tempfile.TemporaryFile() as log:

        def tell(seconds: float) -> None:
            say(f"building {title(wanted)}: {wanted.progress(_lines(log))}, {_clock(seconds)} ({hint})")

        tool = Process(wanted.command(output), environment=wanted.environment(output), output=log.fileno(), folder=wanted.folder)
        try:
            status = _wait(tool, tell, stopping)
        finally:
            tool.kill()
        if status is None:
            raise InterruptedStartError(f"stopped while building {title(wanted)}; nothing half-made was left, start again when ready")
        if status != 0:
            raise _failure(wanted, status, _lines(log))
    say(f"built {title(wanted)} in {_clock(time.monotonic() - since)}")


def _wait(tool: Process, tell: Callable[[float], None], stopping: threading.Event | None) -> int | None:
    """The exit status of a build, or None when ``stopping`` was set first; ``tell`` gets the seconds passed now and then."""
    since = told_at = time.monotonic()
    while (status := tool.exit_status()) is None:
        if stopping is not None and stopping.is_set():
            return None
        now = time.monotonic()
        if now - told_at >= PROGRESS_SECONDS:
            told_at = now
            tell(now - since)
        time.sleep(POLL_SECONDS)
    return status


def _failure(wanted: Build, status: int, lines: list[str]) -> BuildError:
    shown = "\n".join(f"    {line}" for line in lines[-SHOWN_LINES:])
    return BuildError(
        f"building {title(wanted)} failed ({describe_exit(status)}); the end of {wanted.tool}'s output:\n{shown}\n"
        f"Put a ready program {wanted.program!r} on PATH instead, or see all of it with:\n    {wanted.by_hand()}"
    )


def _lines(log: IO[bytes]) -> list[str]:
    # pread, because the tool writes at the file position that both share.
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode(errors="replace").splitlines()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def _numbers(version: str) -> tuple[int, ...]:
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(number or 0) for number in found.groups()) if found else ()
