"""Reduction of names, paths and URLs to code: the parts that are not code are replaced."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tracing_lib.base.conventions import LONGEST_NAME

if TYPE_CHECKING:
    from tracing_lib.privacy.registry import Registry

MASK: Final = "*"
"""Replacement for an undeclared word of a name."""

HOLE: Final = "{}"
"""Replacement for a segment of a path that looks like a value."""

_METHODS: Final = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "HTTP", "WEBSOCKET"])
_MESSAGING: Final = frozenset({"publish", "send", "receive", "process", "settle", "create", "peek", "ack", "nack"})
_VERBS: Final = _MESSAGING | {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "BEGIN", "COMMIT", "CALL"}
"""Operations that name a span together with a target (semantic conventions, "Messaging spans" and "Database spans")."""

CODE: Final = re.compile(r"[A-Za-z_$</][A-Za-z0-9_.$:/<>\[\]*-]{0,159}")
"""A name from source code or a protocol."""

_IDENTIFYING: Final = re.compile(r"[0-9]{5,}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-|(?=[a-fA-F]*[0-9])[0-9a-fA-F]{12,}")
"""A number, UUID or digest inside a name. Such a name belongs to one object, not to a kind of object."""

_PARAMETER: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_:.*-]{0,39}\}|<[A-Za-z0-9_:]{1,40}>|:[a-z][A-Za-z0-9_]{0,39}|\*{1,2}|\{\}")
_LITERAL: Final = re.compile(r"[a-z][a-z._~-]{0,39}|v[0-9]{1,2}((alpha|beta)[0-9]{1,2})?|[A-Z][A-Za-z]{2,39}(?=:)")
_SHORT_NUMBER: Final = re.compile(r"[0-9]{1,4}")
_WORD: Final = re.compile(r"[a-z]+")


def route(path: str) -> str:
    """Return the template of a route, with ``{}`` for each segment that is neither a parameter nor a lower-case word."""
    return "/".join(_segment(part) for part in path.partition("?")[0].split("/")) or "/"


def _segment(part: str) -> str:
    return part if not part or _PARAMETER.fullmatch(part) or _LITERAL.fullmatch(part) else HOLE


def path(requested: str, registry: Registry) -> str:
    """Return a requested path without query and fragment, with ``{}`` for each segment that is not made of declared words."""
    clean = requested.partition("?")[0].partition("#")[0]
    return "/".join(_known_segment(part, registry) for part in clean.split("/")) or "/"


def _known_segment(part: str, registry: Registry) -> str:
    if not part or _PARAMETER.fullmatch(part):
        return part
    if not _LITERAL.fullmatch(part):
        return HOLE
    version = part[0] == "v" and part[1].isdigit() if len(part) > 1 else False
    return part if version or all(map(registry.knows_word, _WORD.findall(part))) else HOLE


def url(full: str, registry: Registry) -> str | None:
    """Return scheme, host, port and reduced path of a URL, or None for a string that is not a URL."""
    try:
        parts = urlsplit(full)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or not is_host(parts.hostname):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path(parts.path, registry) if parts.path else ''}"


HOST: Final = re.compile(r"([A-Za-z0-9_]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9])?|\[[0-9a-fA-F:.]{2,45}\])(:[0-9]{1,5})?|[0-9a-fA-F:.]{2,45}")
"""A host name or an address, perhaps with a port."""


def is_host(value: str) -> bool:
    """Whether a string is a host name or an address, perhaps with a port."""
    return bool(HOST.fullmatch(value))


def span_name(name: str, registry: Registry) -> str:
    """Return the name of a span or event, reduced to code.

    Declared names, a single name from code, an HTTP method with a route, and an operation with its target are kept. In any other name
    each undeclared word becomes ``*``, because a sentence made at run time can name a customer.
    """
    if registry.knows_name(name):
        return name
    name = name[:LONGEST_NAME]
    head, blank, tail = name.partition(" ")
    if not blank:
        return _code(head, registry)
    if head in _METHODS and tail.startswith("/") and " " not in tail:
        return f"{head} {path(tail, registry) if '{' not in tail and '<' not in tail else route(tail)}"
    if head in _VERBS and " " not in tail:
        return f"{head} {_code(tail, registry)}"
    return phrase(name, registry)


def _code(word: str, registry: Registry) -> str:
    if word.startswith("/") and "." not in word.partition("/")[2].partition("/")[0]:
        return path(word, registry)
    if CODE.fullmatch(word) and not _IDENTIFYING.search(word):
        return word
    return _spoken(word, registry)


def phrase(text: str, registry: Registry) -> str:
    """Return a phrase with ``*`` for every undeclared word."""
    return " ".join(_spoken(word, registry) for word in text.split()) or MASK


def _spoken(word: str, registry: Registry) -> str:
    if word in _METHODS or _SHORT_NUMBER.fullmatch(word):
        return word
    known = word.islower() and word.isascii() and all(registry.knows_word(part) for part in re.split(r"[-_.:/]", word) if part)
    return word if known else MASK
