"""Parsing: a mapping of settings becomes an environment, or a list of what keeps it from being used."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stacks.environment.model import Environment
from stacks.environment.rules import broken_rules
from stacks.environment.schema import display_path, field_at, known_keys, known_kinds
from stacks.environment.units import printable, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails


_EXAMPLE = re.compile(r'(address|its port); write for example "[^"]*"$')


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of an environment: its key, what is wrong there, and what would be right."""

    key: str
    message: str


class BadEnvironmentError(Exception):
    """An environment that cannot be used; nothing has been touched.

    The text has a line for each problem, ``file: key: what is wrong; what would be right``, and ends with the next command.
    """

    def __init__(self, source: str, problems: Sequence[Problem], next_command: str) -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = [f"{source}: {p.key}: {p.message}" if p.key else f"{source}: {p.message}" for p in self.problems]
        super().__init__("\n".join(printable(line) for line in [*lines, f"then: {next_command}"]))


def parse(settings: object, *, source: str, name: str, then: str | None = None) -> Environment:
    """The environment that a mapping of settings describes.

    ``source`` names the file in messages, ``name`` the environment in the command that they advise, unless that is ``then``. Raises
    ``BadEnvironmentError``.
    """
    next_command = then or f"python -m stacks check {shlex.quote(name)}"
    if not isinstance(settings, dict):
        problem = Problem("environment", f"{_a(settings)} stands where a mapping of settings belongs; see `python -m stacks schema`")
        raise BadEnvironmentError(source, [problem], next_command)
    try:
        environment = Environment.model_validate(settings)
    except ValidationError as error:
        details = error.errors(include_url=False)
        # A list of which an item is wrong is also reported as too short.
        spoilt = {found["loc"][:-1] for found in details}
        problems = [_problem(found) for found in details if not (found["type"] == "too_short" and found["loc"] in spoilt)]
        raise BadEnvironmentError(source, problems, next_command) from None
    if broken := [Problem(f"environment.{key}", message) for key, message in broken_rules(environment)]:
        raise BadEnvironmentError(source, broken, next_command)
    return environment


def _a(value: object) -> str:
    """Kind of a value in the file, with its article."""
    kinds = {
        dict: "a mapping",
        list: "a list",
        str: "text",
        bool: "a truth value",
        int: "a number",
        float: "a number",
        type(None): "nothing",
    }
    return kinds.get(type(value), type(value).__name__)


def _problem(details: ErrorDetails) -> Problem:
    """A pydantic error in the words of the environment file."""
    # A discriminated union puts its tag into the location; it is no key of the file.
    path = display_path(details["loc"])
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    key = "environment" + "".join(f".{part}" for part in path)
    if kind == "extra_forbidden":
        return Problem(key, _unknown(str(path[-1]), known_keys(details["loc"][:-1])))
    if kind == "missing":
        return Problem(key, f"is required and missing; write {_advice(field_at(path)) or _kinds(path)}")
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        wrong = f"{shown(value.get('kind'))} is not known" if "kind" in value else "is required and missing"
        return Problem(f"{key}.kind", f"{wrong}; write {_kinds(details['loc'])}")
    if kind == "invalid_key":
        return Problem(key, f"the key {shown(value)} is no text; put it in quotes")
    reason = _reason(kind, value, context) or f"{shown(value)} cannot be used: {details['msg']}"
    return Problem(key, _with_own_example(reason, details["loc"]))


def _with_own_example(reason: str, location: Sequence[str | int]) -> str:
    """A reason whose example of an address is that of the setting, because the unit knows one for the addresses of all servers."""
    named = tuple(part for part in location if not isinstance(part, int))
    examples = field_at(named).get("examples", ())
    example = next((one for example in examples for one in (example if isinstance(example, list) else [example])), None)
    if not isinstance(example, str):
        return reason
    return _EXAMPLE.sub(lambda found: f"{found[1]}; write for example {shown(example)}", reason)


def _kinds(path: tuple[str | int, ...]) -> str:
    *others, last = [f'"{kind}"' for kind in known_kinds(path)]
    return f"{', '.join(others)} or {last}"


def _unknown(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"unknown key; {f'did you mean {near[0]}? ' if near else ''}known here: {', '.join(sorted(known))}"


def _advice(field: Mapping[str, Any]) -> str:
    """Advice for a missing setting, from its schema."""
    shapes = {"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "array": "a list"}
    what = shapes.get(str(field.get("type")), "its settings below it, as in Pulumi.dev.yaml")
    if examples := field.get("examples"):
        what = f"for example {json.dumps(examples[0], ensure_ascii=False)}"
    return f"{what}. {' '.join(field['description'].split())}" if "description" in field else what


def _reason(kind: str, value: object, context: Mapping[str, Any]) -> str | None:
    """Text for an error of pydantic: the fault of a value and its remedy. None for an error that no section can give."""
    wanted = {
        "model_type": ("a mapping of settings", "write its settings below it"),
        "model_attributes_type": ("a mapping of settings", "write its settings below it"),
        "dict_type": ("a mapping by name", "write the names below it"),
        "tuple_type": ("a list", f"write for example [{value}]" if isinstance(value, str) else "write for example [a, b]"),
        "string_type": ("text", "put it in quotes" if isinstance(value, int | float) else "write text"),
        "int_type": ("a whole number", "write digits without quotes"),
        "float_type": ("a number", "write digits without quotes"),
        "bool_type": ("a truth value", "write true or false"),
    }
    if kind == "unit":
        return str(context["message"])
    if kind in wanted:
        what, right = wanted[kind]
        return f"{shown(value)} stands where {what} belongs; {right}"
    templates = {
        "greater_than": "{value} is too little; write more than {gt:g}",
        "greater_than_equal": "{value} is too little; write {ge:g} or more",
        "less_than_equal": "{value} is too much; write {le:g} or less",
        "string_too_short": "{value} is too short; write text of length {min_length} or more",
        "string_too_long": "{value} is too long; write {max_length} characters or fewer",
        "string_pattern_mismatch": "{value} does not have the form {pattern}; write for example registry.example.org/mirror",
        "string_unicode": "{value} holds half a character; write whole ones",
        "finite_number": "{value} is no finite number; write one",
        "too_short": f"an empty {'mapping' if isinstance(value, dict) else 'list'} leaves nothing; write one or more",
        "literal_error": "{value} is not known; write {expected}",
    }
    if kind not in templates:
        return None
    return templates[kind].format(value=shown(value), **context).replace("'", '"')
