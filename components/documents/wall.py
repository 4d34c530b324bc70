"""The collector's wall: processors that every span passes before anything else reads it.

It mends what one sender got wrong and would spoil what all others read, and masks what must not be stored. Out of its reach are values
in bytes, and attributes and trace state of links: the transformation language has no path to either. Values within lists and maps are
masked and not cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.documents.attributes import any_of, patterns
from components.documents.text import ottl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Part = dict[str, Any]

NAMES = ("transform/repair", "redaction", "transform/privacy")
"""The processors in their order."""

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "resource": (),
    "scope": ("scope.name", "scope.version"),
    "span": ("span.name", "span.status.message", "span.trace_state"),
    "spanevent": ("spanevent.name",),
}
"""The text of a span beside its attributes, by the context in which the transformation language reaches it."""

_NO_TEXT = r"[\x{0}\x{FFFD}]"
"""NUL, or a byte that is not UTF-8, which Go's regular expressions read as U+FFFD. A class, since a lone character is searched as bytes."""

_NAME, _UNNAMED = r"[^\s\x{FFFD}]", "unknown_service"
"""Pattern of a service name with a visible character, and OpenTelemetry's name for a service that gives none."""

_KEY = r"[a-z][a-z0-9]{0,18}(_[a-z0-9]{1,9})?"
_PART = r"[A-Za-z][A-Za-z0-9]{0,18}(_[A-Za-z0-9]{1,9})?"
HARMLESS_KEYS = rf'^\[("{_KEY}(\.{_KEY})*",?)*\]$'
"""Keys as a list of JSON, in which no rule finds anything: words of lower case without what each of the rules needs, such as a
blank, a colon, an upper letter, a second underscore, or a run of twenty letters."""

HARMLESS_TEXT = rf"^((GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) )?(/?{_PART}([./]{_PART})*)?$"
"""Names of routes and methods in which, without "eyJ", no rule finds anything, and empty text."""

NO_NUMBERS = r"^(NaN|-?Infinity)$"
"""Numbers for which JSON has no form, as the collector spells them. A backend that answers in JSON fails a whole search for one of them."""

_LONGEST_SPAN = "720h"
"""A span that would be longer has a wrong start, and would spoil the sum of all durations. A job may well take days."""


LONGEST_LABEL = 256
"""Characters of the name of a span or of a service, which become labels of every series: what is over is cut off."""

LONGEST_VALUE = 32_768
"""Bytes of a value, and of the text of a span beside its attributes: what is over is cut off. An exporter drops a span that is larger than
its largest batch, and with it all that the batch has behind it, of other traces as well; the smallest largest batch, of a topic, has room
for 27 such values."""


def processors() -> Part:
    """The processors by name."""
    # One group for each context: in a flat list the statements on spans would run only for spans that have events.
    return {
        "transform/repair": _transform({context: [*_replacing(context, _NO_TEXT, "\ufffd"), *_mending(context)] for context in _TEXTS}),
        "redaction": {
            "allow_all_keys": True,
            "blocked_key_patterns": patterns("key"),
            "blocked_values": [*patterns("value"), NO_NUMBERS],
            "redact_all_types": True,
            # A list of what was redacted would itself tell something.
            "summary": "silent",
        },
        # Cut after masking: no rule would know half of a secret.
        "transform/privacy": _transform({context: [*_masking(context), *_cutting(context)] for context in _TEXTS}),
    }


def _transform(statements: Mapping[str, list[str]]) -> Part:
    groups = [{"context": context, "statements": of_context} for context, of_context in statements.items()]
    return {"error_mode": "propagate", "trace_statements": groups}


def _masking(context: str) -> Iterator[str]:
    """Statements that mask secrets in the keys of a context's attributes and in its other text, where these are not plainly harmless.

    The rules together are too large a pattern for all but the slowest way of Go's regular expressions: 77 µs for a span of four attributes.
    """
    rules, harmless = ottl(any_of("value")), ottl(HARMLESS_KEYS)
    yield f'replace_all_patterns({context}.attributes, "key", {rules}, "****") where not IsMatch(Keys({context}.attributes), {harmless})'
    for text in _TEXTS[context]:
        yield f'replace_pattern({text}, {rules}, "****") where not IsMatch({text}, {ottl(HARMLESS_TEXT)}) or IsMatch({text}, "eyJ")'


def _cutting(context: str) -> Iterator[str]:
    """Statements that cut what becomes a label, and all that may be long, to a length."""
    labels = {"resource": 'resource.attributes["service.name"]', "span": "span.name"}
    if (label := labels.get(context)) is not None:
        pattern = ottl(f"(?s)^(.{{{LONGEST_LABEL}}}).+$")
        yield f'replace_pattern({label}, {pattern}, "$1") where IsString({label}) and Len({label}) > {LONGEST_LABEL}'
    yield f"truncate_all({context}.attributes, {LONGEST_VALUE})"
    for text in _TEXTS[context]:
        if text != label:
            yield f"set({text}, Substring({text}, 0, {LONGEST_VALUE}, true)) where Len({text}) > {LONGEST_VALUE}"


def _replacing(context: str, pattern: str, replacement: str) -> Iterator[str]:
    """Statements that replace a pattern in the keys and values of a context's attributes, and in its other text."""
    for mode in ("key", "value"):
        yield f'replace_all_patterns({context}.attributes, "{mode}", {ottl(pattern)}, {ottl(replacement)})'
    for text in _TEXTS[context]:
        yield f"replace_pattern({text}, {ottl(pattern)}, {ottl(replacement)})"


def _mending(context: str) -> Iterator[str]:
    """Statements that give a service a name, and a span times from which a duration can be told."""
    if context == "resource":
        name = 'resource.attributes["service.name"]'
        yield f"set({name}, String({name})) where {name} != nil and not IsString({name})"
        yield f"set({name}, {ottl(_UNNAMED)}) where not IsMatch({name}, {ottl(_NAME)})"
    elif context == "span":
        start, end = "span.start_time_unix_nano", "span.end_time_unix_nano"
        # A clock that is a day ahead is wrong, while a job may well take days. The end goes first, lest a start be set to a wrong one.
        yield f'set({end}, {start}) where {end} < {start} or span.end_time > Now() + Duration("24h")'
        yield f"set({start}, {end}) where span.end_time - span.start_time > Duration({ottl(_LONGEST_SPAN)})"
