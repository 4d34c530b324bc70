"""Builds the library's module in C into the wheel, where there is a C compiler; the library works without it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "tracing_lib/fast/_native.c"


class _NotBuiltError(Exception):
    """The module in C cannot be built here; the message says why."""


def _compiler() -> list[str]:
    """Return the command of the C compiler: the one that ``CC`` names, or the one that Python was built with, or the system's."""
    asked = os.environ.get("CC")
    for command in [asked] if asked else [sysconfig.get_config_var("CC"), "cc"]:
        words = shlex.split(command or "")
        if words and shutil.which(words[0]):
            return words
    raise _NotBuiltError(f"there is no C compiler ({asked or 'cc'})")


def _build(source: Path, target: Path) -> None:
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise _NotBuiltError("it relies on the lock of the CPython interpreter, which this Python does not have")
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").is_file():
        raise _NotBuiltError(f"there are no Python headers in {include}")
    # On macOS the interpreter's own functions are found when the module is loaded.
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    flags = ["-O2", "-fvisibility=hidden", "-fPIC", "-DNDEBUG", *shlex.split(os.environ.get("CFLAGS", "")), f"-I{include}"]
    # Put in place as a whole: whoever has loaded the former one keeps it.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".native-") as folder:
        built = Path(folder, target.name)
        command = [*_compiler(), *flags, *shared, "-o", str(built), str(source), *shlex.split(os.environ.get("LDFLAGS", ""))]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise _NotBuiltError(f"{shlex.join(command)}\n{done.stderr.strip()}")
        built.replace(target)


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds the module in C to the wheel, which is then one of this platform and this version of Python."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the module; where that does not work say so, and let the wheel be one for every platform."""
        source = Path(self.root, SOURCE)
        beside = source.with_name(f"_native{sysconfig.get_config_var('EXT_SUFFIX')}")
        self._folder = tempfile.TemporaryDirectory(prefix="virtengine-tracing-")
        # An editable install imports from the source tree; nothing else may write into it.
        target = beside if version == "editable" else Path(self._folder.name, beside.name)
        try:
            _build(source, target)
        except (_NotBuiltError, OSError) as error:
            # One of before would be imported although its source has changed.
            target.unlink(missing_ok=True)
            print(f"virtengine-tracing: {SOURCE} is not built, so spans cost more: {error}", file=sys.stderr)  # noqa: T201  a build's
            return
        if version != "editable":
            build_data["force_include"][str(target)] = beside.relative_to(self.root).as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the module that is now in the wheel."""
        del version, build_data, artifact_path
        self._folder.cleanup()
