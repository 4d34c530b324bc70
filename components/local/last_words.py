"""The last words of a server that ended: the line of its log that tells why, on one line and without passwords."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 300
"""Characters of the last words. The middle of longer ones is left out, because a chain of errors ends with its cause."""

_PANIC = re.compile(r"^(panic|fatal error): ")
_ERROR = re.compile(r"\b(error|fatal|panic|failed|failure|cannot|could not|exception|invalid|refused|denied|unable)\b", re.IGNORECASE)
_HARMLESS = re.compile(r'"level": ?"(debug|info)"|\b(level=(debug|info)|(DEBUG|INFO))\b')
_TIME = re.compile(r"^\d{4}[-/]\d\d[-/]\d\d[T ][\d:.,]+(Z|[+-][\d:]+)?\s+")
_USER = re.compile(r"(://)[^/@\s\"']+@")


def last_words(lines: Sequence[str]) -> str | None:
    """The last of a log's lines that looks like an error, or else its last line; None where it has none."""
    written = [line for line in lines if line.strip()]
    # The stack of each thread follows a panic, and any of its lines may look like an error.
    panics = [line for line in written if _PANIC.match(line)]
    errors = panics[-1:] or [line for line in written if _ERROR.search(line) and not _HARMLESS.search(line)]
    chosen = (errors or written)[-1:]
    return _shortened(without_passwords(_message(chosen[0]))) if chosen else None


def without_passwords(line: str) -> str:
    """A line without the user and the password of the URLs in it."""
    return _USER.sub(r"\1***@", line)


def _message(line: str) -> str:
    """The message of a line, with its error where a line in JSON has one."""
    try:
        entry = json.loads(line)
        parts = [str(entry[key]) for key in ("msg", "message", "error") if entry.get(key)]
    except (ValueError, AttributeError):
        parts = []
    return " ".join((": ".join(parts) or _TIME.sub("", line)).split())


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    half = (LONGEST - 3) // 2
    return f"{text[:half]} … {text[-half:]}"
