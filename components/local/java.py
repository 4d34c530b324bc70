"""Programs of Java, built with Maven from pinned artifacts."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.local.errors import BuildError
from components.local.files import cache_folder

if TYPE_CHECKING:
    from components.local.build import Recipe

LEAST_JAVA = 17
"""Oldest version of Java that the servers here run on."""

BUILDER = Path(__file__).with_name("maven.py")


@dataclass(frozen=True, slots=True)
class Java:
    """A Java development kit with Maven: the major version, and what it prints of itself."""

    version: int
    identity: str


@dataclass(frozen=True, slots=True)
class MavenBuild:
    """A program of Java: what, from which folder, and with which Java."""

    program: str
    recipe: Recipe
    folder: Path
    java: Java
    tool: str = "Maven"
    beside: tuple[str, ...] = ("lib", "classes")

    @property
    def path(self) -> Path:
        """Path of the start script: a folder of its own for each state of the sources and each Java."""
        digest = hashlib.sha256(f"{BUILDER.read_text(encoding='utf-8')}\0{self.java.identity}".encode())
        for source in sorted(path for path in self.folder.iterdir() if path.is_file()):
            digest.update(f"\0{source.name}\0".encode() + source.read_bytes())
        return cache_folder() / f"{self.program}-{self.recipe.version}-{digest.hexdigest()[:12]}" / self.program

    def command(self, output: Path) -> list[str]:
        """The command that writes the program, and what it needs beside it, to ``output``."""
        return [sys.executable, "-I", "-S", str(BUILDER), str(self.folder), str(output)]

    def environment(self, _output: Path) -> dict[str, str]:
        """The caller's environment, with Maven's own settings and proxies."""
        return dict(os.environ)

    def by_hand(self) -> str:
        """The command for a terminal."""
        return shlex.join(self.command(Path("/tmp") / self.program / self.program))  # noqa: S108 - an example for a person

    def progress(self, lines: list[str]) -> str:
        """Files downloaded."""
        return f"{sum('Downloaded from' in line for line in lines)} files downloaded"


def find_java() -> Java | None:
    """Java and Maven on PATH, or None where one of their programs is missing. Raises BuildError where java does not work."""
    if any(shutil.which(program) is None for program in ("java", "javac", "mvn")):
        return None
    result = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', result.stderr)
    if result.returncode != 0 or found is None:
        raise BuildError(
            f"java does not work: `java -version` says {(result.stdout + result.stderr).strip()!r}; repair it or take it off PATH, then "
            "run the same command again"
        )
    return Java(int(found[1]), result.stderr)
