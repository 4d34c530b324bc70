"""Builds a server of Java from a folder with a ``pom.xml``; run by path, not imported.

    python maven.py FOLDER PROGRAM

Beside PROGRAM it puts ``lib`` with every jar that the pom names or needs, each checked against ``checksums.txt``, and ``classes`` with
what the folder's own sources compile to and the files that go with them. With ``--write`` in place of PROGRAM it writes the checksums anew.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKSUMS = "checksums.txt"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def main() -> None:
    """Build, or write checksums; the exit status is 1 with a line of explanation when that cannot be."""
    folder, wanted = Path(sys.argv[1]).absolute(), sys.argv[2]
    if wanted == "--write":
        with tempfile.TemporaryDirectory() as temporary:
            _download(folder, Path(temporary))
            (folder / CHECKSUMS).write_text(_checksums(Path(temporary)), encoding="utf-8")
        return
    program = Path(wanted).absolute()
    lib, classes = program.parent / "lib", program.parent / "classes"
    _download(folder, lib)
    if wrong := _wrong((folder / CHECKSUMS).read_text(encoding="utf-8"), _checksums(lib)):
        sys.exit(f"{folder / CHECKSUMS}: other jars came than those that were pinned: {', '.join(wrong)}")
    classes.mkdir(exist_ok=True)
    sources = [str(source) for source in sorted(folder.glob("*.java"))]
    if sources:
        _run(["javac", "-nowarn", "-d", str(classes), "-cp", f"{lib}/*", *sources])
    for file in (*folder.glob("*.properties"), *folder.glob("logback.xml")):
        shutil.copy2(file, classes)
    shutil.copy2(folder / program.name, program)


def _download(folder: Path, lib: Path) -> None:
    lib.mkdir(parents=True, exist_ok=True)
    pom = ["--file", str(folder / "pom.xml")]
    _run(["mvn", "--batch-mode", *pom, _COPY, f"-DoutputDirectory={lib}", "-DincludeScope=runtime"])


def _run(command: list[str]) -> None:
    if status := subprocess.run(command, check=False).returncode:
        sys.exit(status)


def _checksums(lib: Path) -> str:
    lines = [f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n" for jar in sorted(lib.glob("*.jar"))]
    return "".join(lines)


def _wrong(pinned: str, found: str) -> list[str]:
    """Names of the jars that are missing, too many or not the same."""
    differing = set(pinned.splitlines()) ^ set(found.splitlines())
    return sorted({line.split()[-1] for line in differing})


if __name__ == "__main__":
    main()
