"""What attributes by path cost at each call, in Python; the same as ``_c/readings.h``, of which ``native`` chooses.

A path that is read is known by then (``paths.compile_paths``): what is left is to get the value and to set it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tracing_lib.fast.plain import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.descriptor import EnumValueDescriptor
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

Reader: TypeAlias = "Callable[[Any], object]"
Step: TypeAlias = "tuple[str, bool, Mapping[int, EnumValueDescriptor] | None]"
"""A field of a protobuf message: name, whether it may be absent, and where it is an enumeration its values by number."""


class Reading(NamedTuple):
    """One attribute and where its value is found."""

    key: str
    root: str
    """Name of the parameter that the path starts with."""
    position: int
    """Of that parameter among the positional ones; beyond all of them where it is by keyword only."""
    default: object
    fields: tuple[str, ...]
    """The rest of the path."""
    readers: dict[type, Reader]
    """How the rest is read, by the class of what the parameter holds; one that is missing is made when it is asked for."""
    clean: Callable[[object], AttributeValue | None]
    """What OpenTelemetry takes of a value that is not plain."""


def set_arguments(readings: tuple[Reading, ...], span: Span, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
    """Set on a span what the arguments of a call hold."""
    if span.is_recording():
        for reading in readings:
            position = reading.position
            _put(span, reading, args[position] if position < len(args) else kwargs.get(reading.root, reading.default))


def set_results(readings: tuple[Reading, ...], span: Span, result: object) -> None:
    """Set on a span what a returned value holds."""
    if span.is_recording():
        for reading in readings:
            _put(span, reading, result)


def _put(span: Span, reading: Reading, root: object) -> None:
    try:
        value = reading.readers[type(root)](root) if reading.fields else root
        attribute: Any = value if type(value) in PLAIN else reading.clean(value)
    except Exception:  # noqa: BLE001  a property of the service's own that fails is not a reason to fail its call
        return
    if attribute is not None:
        span.set_attribute(reading.key, attribute)


def follow(steps: tuple[Step, ...], message: Any) -> object:  # noqa: ANN401  of any protobuf class
    """Return what is at the end of the steps through a message; none where a field on the way is not set."""
    value = message
    for name, optional, values in steps:
        if optional and not value.HasField(name):
            return None
        value = getattr(value, name)
        if values is not None:
            known = values.get(value)
            value = value if known is None else known.name
    return value
