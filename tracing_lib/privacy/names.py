"""Reduction of names, paths and URLs to code: the parts that are not code are replaced."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby, pairwise
from string import punctuation
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tracing_lib.base.conventions import LONGEST_NAME

if TYPE_CHECKING:
    from tracing_lib.privacy.registry import Registry

MASK: Final = "*"
"""Replacement for an identifier, and for a word that may be a person's name, in a name."""
HOLE: Final = "{}"
"""Replacement for a segment of a path that looks like a value."""
_METHODS: Final = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "HTTP", "WEBSOCKET"])
_MESSAGING: Final = frozenset({"publish", "send", "receive", "process", "settle", "create", "peek", "ack", "nack"})
_VERBS: Final = _MESSAGING | {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "BEGIN", "COMMIT", "CALL"}
"""Operations that name a span together with a target (semantic conventions, "Messaging spans" and "Database spans")."""
CODE: Final = re.compile(r"[A-Za-z_$</][A-Za-z0-9_.$:/<>\[\]*-]{0,159}")
"""A name from source code or a protocol."""
IDENTIFYING: Final = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){1,3}(-[0-9a-fA-F]{1,12})?"  # a UUID, or its beginning
    r"|[a-z]{1,83}1[02-9ac-hj-np-z]{20,}"  # an address in bech32 (BIP 173)
    r"|(0x)?(?=[a-fA-F]*[0-9])[0-9a-fA-F]{12,}"  # a digest
    r"|[A-Za-z]*([0-9]+[A-Za-z]+){2,}[0-9]+[A-Za-z0-9]*"  # letters and digits in turn, as in base 32, 58 and 64
    r"|(?<![A-Za-z0-9/+])(?=[A-Za-z/+]*[0-9])(?![A-Za-z0-9/+]{0,32}[a-z]{8})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"  # 30 bytes in base 64
    r"|([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}"  # the address of a network interface
    r"|[0-9]{5,}"
)
"""An identifier inside a name. A name that has one belongs to one object, not to a kind of object."""
ID: Final = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
"""An identifier made by a program."""
_PARAMETER: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_:.*-]{0,39}\}|<[A-Za-z0-9_:]{1,40}>|:[a-z][A-Za-z0-9_]{0,39}|\*{1,2}|\{\}")
_LITERAL: Final = re.compile(r"[a-z][a-z._~-]{0,39}|v[0-9]{1,2}((alpha|beta)[0-9]{1,2})?|[A-Z][A-Za-z]{2,39}(?=:)")
_PLAIN: Final = re.compile(r"[\w.~$:,()*-]*|@?([a-z_.~$:,()*+;=!'&|-]|%[0-9A-F]{2})*")
"""A segment of a route beside its parameters. Beside a rare sign (``/it's``) a capital or a digit may be of a person or a password."""
_QUERY: Final = re.compile(r"(?<!\()\?")  # not in a group of a route that is a regular expression
_SHORT_NUMBER: Final = re.compile(r"[0-9]{1,4}")
_WORD: Final = re.compile(r"[a-z]+")
_COMPOUND: Final = re.compile(r"[A-Z][a-z]+([A-Z][a-z]*)+|[a-z]+([A-Z][a-z]*)+|[A-Z]{1,4}")
"""A name of several words in one, as code has them (``PlaceOrder``, ``placeOrder``), or an abbreviation (``GPU``)."""
_NUMBERED: Final = re.compile(r"[a-z]{1,24}[0-9]{1,3}[a-z]?|[0-9]{1,3}[a-z]{0,3}")
"""A number, perhaps with a word or a unit, such as ``h264``, ``k8s``, ``30s`` and ``1st``."""
_FEW_NUMBERS: Final = re.compile(r"(?=([^0-9]*[0-9]){0,4}[^0-9]*$)[^0-9]*([0-9]+[^0-9]*){0,3}|v[0-9]{1,3}(\.[0-9]{1,3}){0,3}")
"""A word with at most three numbers, of four digits together, or a version. An IP address and a date have more."""
_DIGITS: Final = re.compile(r"[^\w\s]*[0-9][0-9\W]*")
_LONGEST_WORD: Final = 24
_AROUND: Final = "()[]\"'`"
_SIGNS: Final = frozenset(punctuation) - {MASK}
_BETWEEN: Final = re.compile(r"[-_.:/+#%~<>]")
_AFTER: Final = ",.;:!?…"
_KEPT: Final = frozenset(["Lo", "Lm", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So"])
"""Categories of Unicode: letters without capitals, punctuation and signs. Others are cased letters, digits, and controls."""
_JOINERS: Final = "\u200c\u200d"
"""Stand between letters of Persian and Hindi, and between the parts of an emoji."""


def route(path: str) -> str:
    """Return the template of a route, with ``{}`` for each segment that holds an identifier or what no route is written with."""
    return "/".join(_segment(part) for part in _QUERY.split(path)[0].split("/")) or "/"


def _segment(part: str) -> str:
    literal = _PARAMETER.sub("", part)
    return part if _PLAIN.fullmatch(literal) and not IDENTIFYING.search(literal) else HOLE


def path(requested: str, registry: Registry) -> str:
    """Return a requested path without query and fragment, with ``{}`` for each segment that is not made of declared words."""
    clean = requested.partition("?")[0].partition("#")[0]
    return "/".join(_known_segment(part, registry) for part in clean.split("/")) or "/"


def _known_segment(part: str, registry: Registry) -> str:
    literal = _LITERAL.fullmatch(part) and (part[1:2].isdigit() or all(map(registry.knows_word, _WORD.findall(part))))
    return part if literal or not part or _PARAMETER.fullmatch(part) else HOLE


def url(full: str, registry: Registry) -> str | None:
    """Return scheme, host, port and reduced path of a URL, or None for a string that is not a URL."""
    try:
        parts = urlsplit(full)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or not HOST.fullmatch(parts.hostname):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path(parts.path, registry) if parts.path else ''}"


HOST: Final = re.compile(r"([A-Za-z0-9_]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9])?|\[[0-9a-fA-F:.]{2,45}\])(:[0-9]{1,5})?|[0-9a-fA-F:.]{2,45}")
"""A host name or an address, perhaps with a port."""


def span_name(name: str, registry: Registry) -> str:
    """Return the name of a span or event, without what looks like an identifier in it.

    Declared names, a single name from code, an HTTP method with a route, and an operation with its target are kept. Of a phrase every
    lower-case word is kept, and its first one with a capital. Any other word with a capital becomes ``*`` unless it is declared, because a
    sentence made at run time can name a customer.
    """
    if registry.knows_name(name):
        return name
    words = unicodedata.normalize("NFC", name)[:LONGEST_NAME].split()
    if len(words) == 1:
        return _code(words[0], registry)
    if len(words) == 2 and words[0] in _METHODS and words[1].startswith("/"):  # noqa: PLR2004  a method and its path
        return f"{words[0]} {_path(words[1], registry)}"
    if len(words) == 2 and words[0] in _VERBS:  # noqa: PLR2004
        return f"{words[0]} {_code(words[1], registry)}"
    kept = [_worded(word, registry) for word in words]
    for at, pair in enumerate(pairwise(words)):
        if all(map(_DIGITS.fullmatch, pair)):  # one number that is written in groups, such as a telephone's
            kept[at : at + 2] = MASK, MASK
    if words and _begins_a_sentence(*words[:2]):
        kept[0] = words[0]
    return " ".join(kept) or MASK


def _begins_a_sentence(first: str, second: str = "") -> bool:
    return first.istitle() and first.rstrip(_AFTER).isalpha() and not second.lstrip(_AROUND)[:1].isupper()  # as of a full name


def _path(asked: str, registry: Registry) -> str:
    template = route(asked)
    return template if "{" in asked or "<" in asked or registry.knows_route(template) else path(asked, registry)


def _code(word: str, registry: Registry) -> str:
    if word.startswith("/") and "." not in word.partition("/")[2].partition("/")[0]:
        return _path(word, registry)
    if CODE.fullmatch(word):
        clean = IDENTIFYING.sub(MASK, word)
        return clean if CODE.fullmatch(clean) else MASK
    return _worded(word, registry)


def _worded(word: str, registry: Registry) -> str:
    """Return a word of a phrase as it is if all of its parts are words that code is written with, else ``*``.

    Of a word in a script without capitals, which may be a whole sentence, each run of other characters is such a word.
    """
    if word in _METHODS or (word and set(word) <= _SIGNS):
        return word
    if word.startswith("/"):
        return _path(word, registry)
    if word.isascii():
        return word if _is_code(word, registry) else MASK
    runs = (("".join(run), kept) for kept, run in groupby(word, _Kept()))
    return "".join(run if kept or _is_code(run, registry) else MASK for run, kept in runs)


class _Kept:
    """Test of the characters of a word in turn: letters of scripts without capitals, signs and emoji stay, and marks with their letter."""

    _last = True

    def __call__(self, character: str) -> bool:
        category = unicodedata.category(character)
        if category[0] != "M":
            self._last = not character.isascii() and (category in _KEPT or character in _JOINERS)
        return self._last


def _is_code(word: str, registry: Registry) -> bool:
    letters = word if word.isascii() else "".join(each for each in word if unicodedata.category(each)[0] != "M")
    bare = letters.strip(_AROUND).rstrip(_AFTER).strip(_AROUND)
    parts = [part for part in _BETWEEN.split(bare) if part]
    return bool(parts and _FEW_NUMBERS.fullmatch(bare)) and not IDENTIFYING.search(bare) and all(_is_word(part, registry) for part in parts)


def _is_word(part: str, registry: Registry) -> bool:
    if part.replace("'", "").isalpha():
        short = len(part) <= _LONGEST_WORD
        return short and (part == part.lower() != part.upper() or bool(_COMPOUND.fullmatch(part)) or registry.knows_word(part.lower()))
    return bool(_NUMBERED.fullmatch(part))


def phrase(text: str, registry: Registry) -> str:
    """Return a phrase with ``*`` for every undeclared word."""
    return " ".join(_spoken(word, registry) for word in text.split()) or MASK


def _spoken(word: str, registry: Registry) -> str:
    if word in _METHODS or _SHORT_NUMBER.fullmatch(word):
        return word
    known = word.islower() and word.isascii() and all(registry.knows_word(part) for part in re.split(r"[-_.:/]", word) if part)
    return word if known else MASK
