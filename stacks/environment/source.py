"""Reading an environment: from its stack file, from another file, or as it stood in a git revision."""

from __future__ import annotations

import re
import shlex
import ssl
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from stacks.environment.empty import empty_sections
from stacks.environment.model import KEY, PROJECT, Environment
from stacks.environment.move_rules import of_second
from stacks.environment.parse import BadEnvironmentError, Problem, parse
from stacks.environment.sizing import too_small
from stacks.environment.starts import too_slow
from stacks.environment.store_rules import too_long
from stacks.environment.units import shown

if TYPE_CHECKING:
    from collections.abc import Hashable

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Named:
    """An environment with the name that its file gives it, and what messages call its file.

    ``certificate`` is the PEM of the authority behind the intake's certificate, where the file has it beside the environment.
    """

    name: str
    source: str
    environment: Environment
    certificate: str | None = None


class _RefusedError(yaml.MarkedYAMLError):
    """YAML that this loader refuses; the problem also names the remedy."""


_LONGEST_NUMBER = 100
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")


_TAG = "tag:yaml.org,2002:"
_DOUBTFUL = "!doubtful"
_FORMS = {
    f"{_TAG}bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    f"{_TAG}null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    _DOUBTFUL: (
        (
            r"[-+]?0[0-9_]+|[-+]?0[xXoObB][0-9a-fA-F_]+|(?=.*_)[-+]?[0-9_.]*[0-9][0-9_.]*([eE][-+]?[0-9_]+)?"
            r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"
        ),
        "-+.0123456789",
    ),
    f"{_TAG}int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    f"{_TAG}float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+.0123456789"),
    f"{_TAG}merge": ("<<", "<"),
}
"""Types of unquoted words of YAML, as Pulumi's engine reads them (YAML 1.2 and its yaml.v3): ``yes`` is text and ``1e3`` a number.

Doubtful is what readers of YAML take for one thing or another: ``0500`` is 500, 320 or text.
"""


class _Loader(yaml.SafeLoader):
    """A loader that reads what Pulumi reads, and refuses what it might read otherwise, or what PyYAML passes over or trips over.

    Such is a key that stands twice, of which the first would be lost.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # the stubs call it a variable of an instance

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - the signature that is overridden
        """A node without a tag of its own."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None) is not None:
            raise _refusal(
                f"the tag {shown(event.tag.replace(_TAG, '!!'))} is not taken; put text in quotes, and write the rest plainly", event
            )
        composed: yaml.Node | None = super().compose_node(parent, index)
        return composed

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - overridden
        """A mapping, each key of which stands once."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal("a list or a mapping cannot be a key; write text", key_node)
            if key_node.tag == f"{_TAG}merge":
                # Merges of merges grow without bound, and a reader has to merge them in the head.
                raise _refusal('"<<" is not taken; write the settings out', key_node)
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise _refusal(f"the key {shown(key)} stands twice; keep one of them", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - overridden
        """A value that every reader takes for the same."""
        if node.tag == _DOUBTFUL:
            raise _refusal(f"{shown(node.value)} is one thing to some readers of YAML and another to others; {_instead(node.value)}", node)
        if node.tag == f"{_TAG}int" and len(node.value) > _LONGEST_NUMBER:
            raise _refusal(f"{shown(node.value)} has more digits than any setting; write fewer", node)
        return super().construct_object(node, deep)


for _tag, (_form, _first) in _FORMS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_form})$"), list(_first))


def _instead(value: str) -> str:
    """Advice on a doubtful value: a form that every reader takes for the same."""
    plain = value.replace("_", "").lstrip("+")
    digits = plain.lstrip("0") or "0"
    return f'write {digits} for the number, or "{value}" in quotes for text' if plain.isdigit() else "put it in quotes"


def _refusal(message: str, place: yaml.Node | yaml.Event) -> _RefusedError:
    return _RefusedError(None, None, message, place.start_mark)  # type: ignore[arg-type]  # the stubs know two kinds of mark


def read(wanted: str, *, root: Path = ROOT) -> Named:
    """The environment that ``wanted`` names: ``dev``, a path of a stack file, or ``dev@REVISION`` as git has it.

    Raises ``BadEnvironmentError`` when it cannot be read or used, with every problem that was found.
    """
    path = Path(wanted)
    if "@" in wanted and not _is_file(path):
        name, revision = wanted.split("@", 1)
        source = f"Pulumi.{name}.yaml@{revision}"
        return _parse(_decoded(_at_revision(name, revision, root), source, wanted), source=source, name=name, wanted=wanted)
    if path.suffix not in {".yaml", ".yml"} and not _is_file(path):
        path = root / f"Pulumi.{wanted}.yaml"
    source = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    content = _decoded(_content(path, source, wanted, root), source, wanted)
    return _parse(content, source=source, name=name_of(str(path)), wanted=wanted)


def name_of(wanted: str) -> str:
    """The name that an environment has by its stack file, when ``wanted`` is the path of one, else ``wanted`` itself."""
    path = Path(wanted)
    return path.stem.removeprefix("Pulumi.") if path.suffix in {".yaml", ".yml"} or _is_file(path) else wanted


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _decoded(content: bytes, source: str, wanted: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _refused(source, wanted, f"is not UTF-8 at byte {error.start}; save it as UTF-8") from None


def _content(path: Path, source: str, wanted: str, root: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        there = ", ".join(sorted(p.stem.removeprefix("Pulumi.") for p in root.glob("Pulumi.*.yaml")))
        raise _refused(source, wanted, f"no such file; name the path of a stack file, or an environment here: {there or 'none'}") from None
    except OSError as error:
        raise _refused(source, wanted, f"cannot be read: {error.strerror}; check the path and its permissions") from None


def _at_revision(name: str, revision: str, root: Path) -> bytes:
    source = f"Pulumi.{name}.yaml@{revision}"
    # A revision that begins with a dash would be an option of git.
    command = ["git", "-C", str(root), "show", "--end-of-options", f"{revision}:Pulumi.{name}.yaml"]
    found = subprocess.run(command, capture_output=True, check=False)
    if found.returncode:
        reason = found.stderr.decode(errors="replace").strip().splitlines()[-1].removeprefix("fatal: ").rstrip(".")
        problem = Problem("", f"git does not have it: {reason}; name a revision that has the file")
        raise BadEnvironmentError(source, [problem], f"git log --oneline -- Pulumi.{name}.yaml")
    return found.stdout


def _refused(source: str, wanted: str, message: str) -> BadEnvironmentError:
    return BadEnvironmentError(source, [Problem("", message)], _again(wanted))


def _again(wanted: str) -> str:
    return f"python -m stacks check {shlex.quote(wanted)}"


def loaded(text: str, source: str, wanted: str) -> Any:  # noqa: ANN401 - YAML
    """The value of a YAML text as Pulumi's engine reads it. Raises ``BadEnvironmentError`` for what is none, or what readers differ in."""
    if other := _OTHER_BREAKS.search(text):
        line = text.count("\n", 0, other.start()) + 1
        shown_ = f"\\u{ord(other[0]):04x}"
        raise _refused(source, wanted, f"line {line}: the character {shown_} ends a line to some readers of YAML alone; write it without")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        raise _refused(source, wanted, _not_yaml(error)) from None
    except yaml.YAMLError as error:
        raise _refused(source, wanted, f"is not YAML: {str(error).splitlines()[0]}; compare with Pulumi.dev.yaml") from None
    except RecursionError:
        raise _refused(source, wanted, "nests deeper than any setting; compare with Pulumi.dev.yaml") from None


def _parse(text: str, *, source: str, name: str, wanted: str) -> Named:
    """The environment in the text of a stack file."""
    document = loaded(text, source, wanted)
    settings = _settings(document, source, wanted)
    nodes = yaml.compose(text, Loader=_Loader)
    if empty := [Problem(f"environment.{at}", message) for at, message in empty_sections(nodes, ("config", KEY))]:
        raise BadEnvironmentError(source, empty, _again(wanted))
    found = named(settings, source=source, name=name, wanted=wanted)
    key = f"{PROJECT}:{found.environment.ingest.tls_secret}.ca.crt"
    return replace(found, certificate=certificate(document["config"].get(key), source=source, key=key, then=_again(wanted)))


def certificate(value: object, *, source: str, key: str, then: str) -> str | None:
    """The authority behind the intake. An encrypted value is not read here, and it is no secret. Raises ``BadEnvironmentError``."""
    if not isinstance(value, str):
        return None
    try:
        ssl.create_default_context(cadata=value)
    except (ssl.SSLError, ValueError):
        problem = Problem(key, f"{shown(value)} is no certificate; write its PEM, -----BEGIN CERTIFICATE----- and on")
        raise BadEnvironmentError(source, [problem], then) from None
    return value


def named(settings: object, *, source: str, name: str, wanted: str | None = None, then: str | None = None) -> Named:
    """The environment ``name`` that a mapping of settings describes, its volumes and memory found large enough.

    ``wanted`` is how the user named it, for the command that a message advises, unless that is ``then``. Raises ``BadEnvironmentError``.
    """
    again = then or _again(wanted or name)
    environment = parse(settings, source=source, name=wanted or name, then=again)
    broken = [*too_small(environment), *too_slow(environment), *too_long(environment, name)]
    if environment.beside is not None:
        broken += of_second(environment, too_long(environment.beside, name))
    if broken:
        raise BadEnvironmentError(source, [Problem(f"environment.{key}", message) for key, message in broken], again)
    return Named(name, source, environment)


def _not_yaml(error: yaml.MarkedYAMLError) -> str:
    """Position at which the text stops to be YAML, the fault there and its remedy."""
    problem, mark = str(error.problem), error.problem_mark or error.context_mark
    if isinstance(error, _RefusedError):
        right = ""
    elif "'\\t'" in problem:
        right = "; indent with spaces"
    elif "quoted scalar" in str(error.context):
        # The parser stops where the file does; what is to be corrected is where the text begins.
        problem, mark, right = "a quote is opened and not closed", error.context_mark, "; close it"
    else:
        right = "; see https://yaml.org/spec/1.2.2 or compare with Pulumi.dev.yaml"
    return (f"line {mark.line + 1}, column {mark.column + 1}: " if mark else "") + problem + right


def _settings(document: object, source: str, wanted: str) -> object:
    """Value of the structured key of a stack file."""
    if document is None:
        raise _refused(source, wanted, f'is empty; write "config:" and below it "{KEY}:", as in Pulumi.dev.yaml')
    if not isinstance(document, dict):
        raise _refused(source, wanted, f'holds no mapping; write "config:" and below it "{KEY}:", as in Pulumi.dev.yaml')
    config = document.get("config")
    if not isinstance(config, dict):
        raise _refused(source, wanted, f'"config" is missing or holds no mapping; write "config:" and below it "{KEY}:"')
    if KEY not in config:
        raise _refused(source, wanted, f'config has no "{KEY}"; write it, as in Pulumi.dev.yaml')
    return config[KEY]
