"""Text of services as HTML: escaped, with what would be invisible made visible, and measures of time."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stacks.show.stored import AttributeValue

_KEPT: Final = frozenset("\n\t ")
_MICROSECOND: Final = 1_000
_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND


def text(value: str) -> str:
    """Return a text as HTML, for the content of an element and for a quoted attribute.

    A character that is not printable is written as its Python escape, because one that changes the direction of writing makes a name look
    like another, and a control character is no valid HTML.
    """
    visible = (one if one.isprintable() or one in _KEPT else one.encode("unicode_escape").decode() for one in value)
    return escape("".join(visible))


def value(attribute: AttributeValue) -> str:
    """Return an attribute's value as HTML: strings as they are, bytes in hexadecimal, every other value as JSON."""
    if isinstance(attribute, str):
        return text(attribute)
    return text(json.dumps(attribute, ensure_ascii=False, default=bytes.hex))


def duration(nanoseconds: int) -> str:
    """Return a duration with three significant digits or more and its unit."""
    if nanoseconds >= _MINUTE:
        return f"{nanoseconds // _MINUTE} min {nanoseconds % _MINUTE / _SECOND:.0f} s"
    for unit, name in ((_SECOND, "s"), (_MILLISECOND, "ms"), (_MICROSECOND, "µs")):
        if nanoseconds >= unit:
            amount = nanoseconds / unit
            return f"{amount:.{0 if amount >= 100 else 1 if amount >= 10 else 2}f} {name}"  # noqa: PLR2004 - digits before the point
    return f"{nanoseconds} ns"
