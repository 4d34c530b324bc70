"""What a regular expression needs to find anything: how long the text must be, and characters of which it must have one.

Read from the expression itself, so that it holds for whatever rule a stack adds. Looking for a character costs a twentieth of a search.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST: Final = 4
"""Characters that are worth looking for."""


class Needed(NamedTuple):
    """What a text must have for an expression to find something in it."""

    length: int
    """So many characters at least."""
    one_of: str
    """One of these; any where it is empty."""


def candidates(expressions: Iterable[tuple[Needed, re.Pattern[str]]], text: str) -> list[re.Pattern[str]]:
    """Return those of the expressions that may find something in the text: it has what they need."""
    length, found = len(text), []
    for (least, one_of), pattern in expressions:
        if length < least:
            continue
        for character in one_of:
            if character in text:
                found.append(pattern)
                break
        else:
            if not one_of:
                found.append(pattern)
    return found


def needed(pattern: re.Pattern[str]) -> Needed:
    """Return what an expression needs; where that cannot be told, nothing."""
    try:
        parser: Any = importlib.import_module("re._parser")
        parsed = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
        length = parsed.getwidth()[0]
        found = _of_sequence(parsed, ignoring_case=bool(pattern.flags & re.IGNORECASE))
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError):  # another Python's, of another form
        return Needed(0, "")
    return Needed(length, "".join(sorted(found or "")))


def _of_sequence(parsed: Iterable[tuple[object, Any]], *, ignoring_case: bool) -> frozenset[str] | None:
    """Return the smallest set of which every match has one, of those that the items of a sequence have; None without one."""
    sets = [found for operation, argument in parsed if (found := _of_item(str(operation), argument, ignoring_case)) is not None]
    # Of sets as small the one that plain words and numbers do not have.
    return min(sets, key=lambda found: (len(found), sum(map(str.isalnum, found))), default=None)


def _of_item(operation: str, argument: Any, ignoring_case: bool) -> frozenset[str] | None:  # noqa: ANN401, FBT001  of many forms
    match operation:
        case "LITERAL":
            return _of_characters({chr(argument)}, ignoring_case=ignoring_case)
        case "IN":
            return _of_class(argument, ignoring_case=ignoring_case)
        case "BRANCH":
            sets = [_of_sequence(branch, ignoring_case=ignoring_case) for branch in argument[1]]
            return None if None in sets else _few(frozenset[str]().union(*(found for found in sets if found)))
        case "SUBPATTERN":
            _, added, removed, inner = argument
            ignores = bool(added & re.IGNORECASE) or (ignoring_case and not removed & re.IGNORECASE)
            return _of_sequence(inner, ignoring_case=ignores)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT" if argument[0] > 0:
            return _of_sequence(argument[2], ignoring_case=ignoring_case)
        case _:
            return None


def _of_class(items: list[tuple[object, Any]], *, ignoring_case: bool) -> frozenset[str] | None:
    characters: set[str] = set()
    for operation, argument in items:
        match str(operation):
            case "LITERAL":
                characters.add(chr(argument))
            case "RANGE" if argument[1] - argument[0] < _MOST:
                characters.update(map(chr, range(argument[0], argument[1] + 1)))
            case _:
                return None
    return _of_characters(characters, ignoring_case=ignoring_case)


def _of_characters(characters: set[str], *, ignoring_case: bool) -> frozenset[str] | None:
    # Without regard to case a letter may be found as several others: "s" as U+017F, too.
    if ignoring_case and any(character.lower() != character.upper() for character in characters):
        return None
    return _few(frozenset(characters))


def _few(characters: frozenset[str]) -> frozenset[str] | None:
    return characters if len(characters) <= _MOST else None
