"""Which attributes OpenTelemetry's SDK takes as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAIN: Final = frozenset({str, int, bool, float})
"""Types of the values that need no cleaning (where their length is not limited)."""


class PlainAttributes(dict[str, "str | int | float | bool"]):
    """Attributes that are known to be plain: those that the surfaces start their spans with. Not to be changed once given."""

    __slots__ = ()


def all_plain(attributes: Mapping[str, object]) -> bool:
    """Whether the SDK would take all of these as they are."""
    if type(attributes) is PlainAttributes:
        return True
    for key, value in attributes.items():  # noqa: SIM110  a generator costs more than all that it looks at
        if type(value) not in PLAIN or type(key) is not str or not key:
            return False
    return True
