"""Attributes by path: ``{"virtengine.order.id": "order.id"}`` reads the field ``id`` of the argument ``order``.

A path starts with the name of a parameter, or with ``return`` for the value that is returned, and goes on through fields of protobuf
messages, of dataclasses and other objects, and keys of mappings. A field that is not set gives no attribute.
"""

from __future__ import annotations

import enum
import functools
import inspect
import operator
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

from tracing_lib.base.errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

RESULT: Final = "return"
"""The first segment of a path into the returned value. A keyword, so that no parameter can have that name."""
OnCall: TypeAlias = "Callable[[Span, tuple[object, ...], Mapping[str, object]], None]"
"""Takes the span of a call, and the call's arguments."""
OnReturn: TypeAlias = "Callable[[Span, object], None]"
"""Takes the span of a call, and what it returned."""
_PATH: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


class _Reading(NamedTuple):
    """Attribute with the path of its value."""

    key: str
    root: str
    """Name of the parameter that the path starts with."""
    position: int
    """Of that parameter among the positional ones; beyond all of them where it is by keyword only."""
    default: object
    fields: tuple[str, ...]
    """The rest of the path."""

    def set(self, span: Span, root: object) -> None:
        """Set the attribute, where the value that the path starts with has one."""
        try:
            value = root
            for name in self.fields:
                value = _reader(cast("Hashable", type(value)), name)(value)
            attribute = attribute_value(value)
        except Exception:  # noqa: BLE001  a property of the service's own that fails is not a reason to fail its call
            return
        if attribute is not None:
            span.set_attribute(self.key, attribute)


def _set_arguments(readings: tuple[_Reading, ...], span: Span, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
    """Set the attributes whose values are among the arguments of a call."""
    if span.is_recording():
        for reading in readings:
            position = reading.position
            reading.set(span, args[position] if position < len(args) else kwargs.get(reading.root, reading.default))


def _set_results(readings: tuple[_Reading, ...], span: Span, result: object) -> None:
    """Set the attributes whose values are in a returned value."""
    if span.is_recording():
        for reading in readings:
            reading.set(span, result)


def _set_nothing(_span: Span, *_values: object) -> None:
    """Set no attribute."""


class AttributePaths(NamedTuple):
    """The attributes that one function's calls give to their spans."""

    on_call: OnCall = _set_nothing
    """Sets on a span what the arguments of a call hold."""
    on_return: OnReturn = _set_nothing
    """Sets on a span what a returned value holds."""


NO_PATHS: Final = AttributePaths()


def compile_paths(
    attributes: Mapping[str, str] | None, function: Callable[..., object], *, place: str, lenient: bool = False
) -> AttributePaths:
    """Return the paths that fit a function's parameters; of a method, give it bound.

    ``lenient``: leave out paths whose parameter this function does not have, because they were given for several functions. Raises
    ``ValueError`` for a path that is malformed and, unless ``lenient``, for one that starts with no parameter.
    """
    if not attributes:
        return NO_PATHS
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
    on_call = functools.partial(_set_arguments, tuple(arguments)) if arguments else _set_nothing
    return AttributePaths(on_call, functools.partial(_set_results, tuple(results)) if results else _set_nothing)


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


@functools.lru_cache(maxsize=1024)
def _reader(kind: Hashable, name: str) -> Callable[[Any], object]:
    """Return the function that reads a field of objects of a class; its result is None where the field is not set.

    A protobuf enumeration is read as the name of its value.
    """
    described = getattr(getattr(kind, "DESCRIPTOR", None), "fields_by_name", None)
    if described is None:
        if hasattr(kind, "keys") and hasattr(kind, "get"):
            return operator.methodcaller("get", name)
        return lambda value: getattr(value, name, None)
    found = described.get(name)
    if found is None:
        return lambda _message: None
    names = {} if found.enum_type is None else {number: known.name for number, known in found.enum_type.values_by_number.items()}

    def read(message: Any) -> object:  # noqa: ANN401  of any protobuf class
        if found.has_presence and not message.HasField(name):
            return None
        value = getattr(message, name)
        return names.get(value, value) if names and isinstance(value, int) else value

    return read


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
