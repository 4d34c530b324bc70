"""Attributes by path: ``{"virtengine.order.id": "order.id"}`` reads the field ``id`` of the argument ``order``.

A path starts with the name of a parameter, or with ``return`` for the value that is returned, and goes on through fields of protobuf
messages, of dataclasses and other objects, and keys of mappings. A field that is not set gives no attribute.
"""

from __future__ import annotations

import enum
import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from tracing_lib.errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

RESULT: Final = "return"
"""The first segment of a path into the returned value. A keyword, so that no parameter can have that name."""

_PATH: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class _Reading:
    key: str
    root: str
    position: int
    default: object
    fields: tuple[str, ...]


class AttributePaths:
    """The attributes that one function's calls give to their spans."""

    __slots__ = ("_arguments", "_results")

    def __init__(self, arguments: Sequence[_Reading], results: Sequence[_Reading]) -> None:
        self._arguments = tuple(arguments)
        self._results = tuple(results)

    def of_call(self, span: Span, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        """Set on the span what the arguments of a call hold."""
        for reading in self._arguments:
            if reading.position < len(args):
                _put(span, reading, args[reading.position])
            else:
                _put(span, reading, kwargs.get(reading.root, reading.default))

    def of_result(self, span: Span, result: object) -> None:
        """Set on the span what a returned value holds."""
        for reading in self._results:
            _put(span, reading, result)


NOTHING: Final = AttributePaths((), ())


def compile_paths(
    attributes: Mapping[str, str] | None, function: Callable[..., object], *, place: str, lenient: bool = False
) -> AttributePaths:
    """Return the paths that fit a function's parameters; of a method, give it bound.

    ``lenient``: leave out paths whose parameter this function does not have, because they were given for several functions. Raises
    ``ValueError`` for a path that is malformed and, unless ``lenient``, for one that starts with no parameter.
    """
    if not attributes:
        return NOTHING
    parameters = _parameters(function)
    arguments, results = [], []
    for key, path in attributes.items():
        if not _PATH.fullmatch(path):
            raise ValueError(explain(place, f"{key} has the path {path!r}", "names joined by dots, as in order.id", "correct the path"))
        root, *fields = path.split(".")
        if root == RESULT:
            results.append(_Reading(key, root, -1, None, tuple(fields)))
        elif root in parameters:
            position, default = parameters[root]
            arguments.append(_Reading(key, root, position, default, tuple(fields)))
        elif not lenient:
            right = f"one of {', '.join([*parameters, RESULT])} first"
            raise ValueError(explain(place, f"{key} has the path {path!r}", right, "correct the path, or the parameter's name"))
    return AttributePaths(arguments, results)


def _parameters(function: Callable[..., object]) -> dict[str, tuple[int, object]]:
    """Return name, position among positional arguments (beyond all of them: keyword only) and default of each parameter."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return {}
    found: dict[str, tuple[int, object]] = {}
    for position, parameter in enumerate(signature.parameters.values()):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        by_keyword = parameter.kind is parameter.KEYWORD_ONLY
        default = None if parameter.default is parameter.empty else parameter.default
        found[parameter.name] = (1 << 30 if by_keyword else position, default)
    return found


def _put(span: Span, reading: _Reading, root: object) -> None:
    try:
        value = _follow(root, reading.fields)
        attribute = attribute_value(value)
    except Exception:  # noqa: BLE001  a property of the service's own that fails is not a reason to fail its call
        return
    if attribute is not None:
        span.set_attribute(reading.key, attribute)


def _follow(value: object, fields: tuple[str, ...]) -> object:
    for field in fields:
        value = _field(value, field)
        if value is _ABSENT:
            return None
    return value


def _field(value: object, name: str) -> object:
    """Return a field; of a protobuf enumeration its name, of a field with presence that is not set nothing."""
    described = getattr(getattr(value, "DESCRIPTOR", None), "fields_by_name", None)
    if described is not None:
        field = described.get(name)
        if field is None or (field.has_presence and not value.HasField(name)):  # type: ignore[attr-defined]  # a message has it
            return _ABSENT
        content: object = getattr(value, name)
        if field.enum_type is not None and isinstance(content, int):
            known = field.enum_type.values_by_number.get(content)
            return content if known is None else known.name
        return content
    if hasattr(value, "keys") and hasattr(value, "get"):
        return cast("Mapping[str, object]", value).get(name, _ABSENT)
    return getattr(value, name, _ABSENT)


def attribute_value(value: object) -> AttributeValue | None:
    """Return a value as OpenTelemetry takes it, or None where it cannot be one: enumerations by name, bytes in hexadecimal."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple | set | frozenset) or type(value).__name__.startswith("RepeatedScalar"):
        items = [attribute_value(item) for item in cast("Iterable[object]", value)]
        kinds = {type(item) for item in items}
        return items if len(kinds) == 1 and kinds <= {str, bool, int, float} else None
    return None
