"""Reading an environment: from its stack file, from another file, or as it stood in a git revision."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stacks.config import KEY, BadEnvironmentError, Environment, Problem, parse
from stacks.sizing import too_small

if TYPE_CHECKING:
    from collections.abc import Hashable

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Named:
    """An environment with the name that its file gives it, and what messages call its file."""

    name: str
    source: str
    environment: Environment


class _Loader(yaml.SafeLoader):
    """A loader that refuses what PyYAML passes over: a key that stands twice, of which the first would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - overridden
        """A mapping, each key of which stands once."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f'the key "{key}" stands twice; keep one of them', key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read(wanted: str, *, root: Path = ROOT) -> Named:
    """The environment that ``wanted`` names: ``dev``, a path of a stack file, or ``dev@REVISION`` as git has it.

    Raises ``BadEnvironmentError`` when it cannot be read or used, with every problem that was found.
    """
    if "@" in wanted and not Path(wanted).exists():
        name, revision = wanted.split("@", 1)
        text = _at_revision(name, revision, root)
        return _parse(text, source=f"Pulumi.{name}.yaml@{revision}", name=name)
    path = Path(wanted)
    if path.suffix not in {".yaml", ".yml"} and not path.is_file():
        path = root / f"Pulumi.{wanted}.yaml"
    source = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    return _parse(_content(path, source, wanted, root), source=source, name=path.stem.removeprefix("Pulumi."))


def _content(path: Path, source: str, wanted: str, root: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        there = ", ".join(sorted(p.stem.removeprefix("Pulumi.") for p in root.glob("Pulumi.*.yaml")))
        raise _refused(source, wanted, f"no such file; environments here: {there or 'none'}") from None
    except UnicodeDecodeError as error:
        raise _refused(source, wanted, f"is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise _refused(source, wanted, f"cannot be read: {error.strerror}; check the path and its permissions") from None


def _at_revision(name: str, revision: str, root: Path) -> str:
    source = f"Pulumi.{name}.yaml@{revision}"
    # A revision that begins with a dash would be an option of git.
    command = ["git", "-C", str(root), "show", "--end-of-options", f"{revision}:Pulumi.{name}.yaml"]
    found = subprocess.run(command, capture_output=True, check=False)
    if found.returncode:
        reason = found.stderr.decode(errors="replace").strip().splitlines()[-1].removeprefix("fatal: ")
        problem = Problem("", f"git does not have it: {reason}; name a revision that has the file")
        raise BadEnvironmentError(source, [problem], f"git log --oneline -- Pulumi.{name}.yaml")
    return found.stdout.decode()


def _refused(source: str, name: str, message: str) -> BadEnvironmentError:
    return BadEnvironmentError(source, [Problem("", message)], f"python -m stacks check {name}")


def _parse(text: str, *, source: str, name: str) -> Named:
    """The environment in the text of a stack file."""
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise _refused(source, name, f"{where}{error.problem}; see https://yaml.org/spec/1.1 or compare with Pulumi.dev.yaml") from None
    except yaml.YAMLError as error:
        raise _refused(source, name, f"is not YAML: {str(error).splitlines()[0]}; compare with Pulumi.dev.yaml") from None
    environment = parse(_settings(document, source, name), source=source, name=name)
    if small := [Problem(f"environment.{key}", message) for key, message in too_small(environment)]:
        raise BadEnvironmentError(source, small, f"python -m stacks check {name}")
    return Named(name, source, environment)


def _settings(document: object, source: str, name: str) -> object:
    """What stands under the structured key of a stack file."""
    if document is None:
        raise _refused(source, name, f'is empty; write "config:" and below it "{KEY}:", as in Pulumi.dev.yaml')
    if not isinstance(document, dict):
        raise _refused(source, name, f'holds no mapping; write "config:" and below it "{KEY}:", as in Pulumi.dev.yaml')
    config = document.get("config")
    if not isinstance(config, dict):
        raise _refused(source, name, f'"config" is missing or holds no mapping; write "config:" and below it "{KEY}:"')
    if KEY not in config:
        raise _refused(source, name, f'config has no "{KEY}"; write it, as in Pulumi.dev.yaml')
    return config[KEY]
