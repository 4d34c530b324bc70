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
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from google.protobuf.descriptor import Descriptor, EnumValueDescriptor
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

RESULT: Final = "return"
"""The first segment of a path into the returned value. A keyword, so that no parameter can have that name."""

OnCall: TypeAlias = "Callable[[Span, tuple[object, ...], Mapping[str, object]], None]"
"""Takes the span of a call, and the call's arguments."""
OnReturn: TypeAlias = "Callable[[Span, object], None]"
"""Takes the span of a call, and what it returned."""

_PATH: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_ABSENT: Final = object()
_MOST_CLASSES: Final = 256
_PLAIN: Final = frozenset({str, int, bool, float})
"""Types of values that are attributes as they are."""

_Reader: TypeAlias = "Callable[[Any], object]"
_Step: TypeAlias = "tuple[str, bool, Mapping[int, EnumValueDescriptor] | None]"
"""A field of a protobuf message: name, whether it may be absent, and of an enumeration its values by number."""


class _Readers(dict[type, "_Reader"]):
    """How the fields of one path are read of objects of the classes that came so far."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = fields

    def __missing__(self, kind: type) -> _Reader:
        read = _reader_of(self._fields, kind)
        if len(self) < _MOST_CLASSES:
            self[kind] = read
        return read


class _Reading(NamedTuple):
    """One attribute and where its value is found."""

    key: str
    root: str
    """Name of the parameter that the path starts with."""
    position: int
    """Of that parameter among the positional ones; beyond all of them where it is by keyword only."""
    default: object
    fields: tuple[str, ...]
    """The rest of the path."""
    readers: _Readers

    def set(self, span: Span, root: object) -> None:
        """Set the attribute, where the value that the path starts with has one."""
        try:
            value = self.readers[type(root)](root) if self.fields else root
            attribute: Any = value if type(value) in _PLAIN else attribute_value(value)
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


def _through_message(message: Any, steps: tuple[_Step, ...]) -> object:  # noqa: ANN401  of any protobuf class
    """Return the value at the end of the steps through a message; None where a field on the way is not set."""
    value = message
    for name, optional, values in steps:
        if optional and not value.HasField(name):
            return None
        value = getattr(value, name)
        if values is not None:
            known = values.get(value)
            value = value if known is None else known.name
    return value


class AttributePaths(NamedTuple):
    """The attributes that one function's calls give to their spans."""

    on_call: OnCall | None = None
    """What sets on a span what the arguments of a call hold; none where that is nothing."""
    on_return: OnReturn | None = None
    """What sets on a span what a returned value holds; none where that is nothing."""


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
            results.append(_reading(key, root, -1, None, fields))
        elif root in parameters:
            position, default = parameters[root]
            arguments.append(_reading(key, root, position, default, fields))
        elif not lenient:
            right = f"one of {', '.join([*parameters, RESULT])} first"
            raise ValueError(explain(place, f"{key} has the path {path!r}", right, "correct the path, or the parameter's name"))
    on_call = functools.partial(_set_arguments, tuple(arguments)) if arguments else None
    return AttributePaths(on_call, functools.partial(_set_results, tuple(results)) if results else None)


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


def _reading(key: str, root: str, position: int, default: object, fields: Sequence[str]) -> _Reading:
    return _Reading(key, root, position, default, tuple(fields), _Readers(tuple(fields)))


def _reader_of(fields: tuple[str, ...], kind: type) -> _Reader:
    """Return how a path's fields are read of objects of a class."""
    described = getattr(getattr(kind, "DESCRIPTOR", None), "fields_by_name", None)
    if described is not None:
        steps = _steps(kind.DESCRIPTOR, fields)  # type: ignore[attr-defined]  # a message has it
        if steps is not None:
            return functools.partial(_through_message, steps=steps)
    elif len(fields) == 1 and not any(hasattr(kind, name) for name in ("keys", "get", "__getattr__")):
        return operator.attrgetter(fields[0])
    return functools.partial(_through_fields, fields=fields)


def _steps(described: Descriptor | None, fields: tuple[str, ...]) -> tuple[_Step, ...] | None:
    """Return the steps through a message; none where it has no such field, or where other objects are in the way."""
    steps: list[_Step] = []
    for name in fields:
        found = None if described is None else described.fields_by_name.get(name)
        if found is None:
            return None
        repeated = found.is_repeated if hasattr(found, "is_repeated") else found.label == found.LABEL_REPEATED  # type: ignore[attr-defined]  # before protobuf 6
        steps.append((name, found.has_presence, None if found.enum_type is None or repeated else found.enum_type.values_by_number))
        described = None if repeated else found.message_type
    return tuple(steps)


def _through_fields(value: object, fields: tuple[str, ...]) -> object:
    for name in fields:
        value = _field(value, name)
        if value is _ABSENT:
            return None
    return value


def _field(value: object, name: str) -> object:
    """Return a field; of a protobuf enumeration its name, of a field with presence that is not set nothing."""
    described = getattr(getattr(value, "DESCRIPTOR", None), "fields_by_name", None)
    if described is not None:
        found = described.get(name)
        if found is None or (found.has_presence and not value.HasField(name)):  # type: ignore[attr-defined]  # a message has it
            return _ABSENT
        content: object = getattr(value, name)
        if found.enum_type is not None and isinstance(content, int):
            known = found.enum_type.values_by_number.get(content)
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
