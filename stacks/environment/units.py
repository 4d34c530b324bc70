"""Values with units, as they are written in an environment file.

Each type parses the text of the file, says what would be right when it is not, and writes itself back in one canonical form. Inside
of the program a duration is a ``timedelta``, a percentage a ratio in 0..1, a quantity of memory or disk an ``int`` of bytes, and a
quantity of CPU an ``int`` of thousandths of a core.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Callable

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_BINARY = ("Ti", "Gi", "Mi", "Ki")

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d)")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")
_QUANTITY = re.compile(r"([0-9]+) ?(Ki|Mi|Gi|Ti|k|M|G|T)")
_CORES = re.compile(r"([0-9]+)m|([0-9]+(?:\.[0-9]{1,3})?)")
LABEL_FORM = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}?|\{\{.*?(?:\}\}|$)|\$\(|%\(\w*\)s|<%.*")
_WILDCARD = re.compile(r"\^?[*.?%]*\*[*.?%]*\$?")
_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_LABEL_NAME}")
_LABEL_VALUE = re.compile(rf"({_LABEL_NAME})?")
_SCOPE = re.compile(r"[!#-\[\]-~]+")

# Above any use, and below what overflows a number here or in a server: the collector counts its memory in 32 bits of MiB.
_LONGEST = timedelta(days=36_500)
MOST_BYTES = 2**52
_MOST_CORES = 10_000

_LINE = 60
"""Longest quotation of a value in an error, in characters; a line of a terminal has room for little more."""


def refuse(message: str) -> PydanticCustomError:
    """The error of a value that cannot be used; ``message`` says what is wrong and what would be right."""
    return PydanticCustomError("unit", "{message}", {"message": message})


def printable(text: str) -> str:
    """Text that stays one line, and that no control character of a file can turn into commands of the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object) -> str:
    """A value as an error quotes it: as the user wrote it, cut where it is long; of a list or a mapping, that it is one."""
    match value:
        case str():
            return f'"{printable(value)}"' if len(value) <= _LINE else f'"{printable(value[:_LINE])}…"'
        case list() | dict():
            return "a list" if isinstance(value, list) else "a mapping"
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
    text = str(value)
    return text if len(text) <= _LINE else text[:_LINE] + "…"


def _text(value: object) -> str:
    """The text of a scalar, and none of a list or a mapping, which anchors of YAML can make longer than memory."""
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def format_duration(value: timedelta) -> str:
    """A duration in the largest unit that it is a whole number of: ``30d``, ``90m``, ``250ms``."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % _MILLISECONDS[unit] == 0:
            return f"{milliseconds // _MILLISECONDS[unit]}{unit}"
    return f"{milliseconds}ms"


def format_percent(ratio: float) -> str:
    """A ratio as a percentage: ``0.05`` is ``5 %``."""
    return f"{ratio * 100:.6g} %"


def format_bytes(value: int) -> str:
    """Bytes in the largest binary unit that they are a whole number of: ``10Gi``."""
    for unit in _BINARY:
        if value and value % _BYTES[unit] == 0:
            return f"{value // _BYTES[unit]}{unit}"
    return str(value)


def approximate_bytes(value: float) -> str:
    """Bytes for reading, in the unit that leaves up to three digits before the point: ``1.4Ti``."""
    for unit in _BINARY:
        if value >= _BYTES[unit]:
            amount = value / _BYTES[unit]
            return f"{amount:.3g}{unit}" if amount < 1000 else f"{amount:,.0f}{unit}"  # noqa: PLR2004 - digits before the point
    return f"{value:.0f}B"


def format_cores(millicores: int) -> str:
    """CPU as Kubernetes writes it: ``2`` or ``500m``."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def _duration(big: str, small: str, minimum: timedelta, maximum: timedelta = _LONGEST) -> Callable[[object], timedelta]:
    """A parser of durations whose advice for a bare number is written in the units ``big`` and ``small``."""

    def parse(value: object) -> timedelta:
        text = _text(value)
        if _NUMBER.fullmatch(text):
            number = float(text)
            rest = number * _MILLISECONDS[big] / _MILLISECONDS[small]
            raise refuse(f'{shown(value)} has no unit; write "{number:.15g}{big}" or "{rest:.15g}{small}"')
        found = _DURATION.fullmatch(text)
        if not isinstance(value, str) or not found:
            raise refuse(f'{shown(value)} is not a duration; write a number and one of ms, s, m, h, d, for example "1{big}"')
        milliseconds = float(found[1]) * _MILLISECONDS[found[2]]
        if milliseconds > maximum.total_seconds() * 1000:
            raise refuse(f'{shown(value)} is too long; write "{format_duration(maximum)}" or less')
        if milliseconds != int(milliseconds):
            near = max(1, round(milliseconds))
            raise refuse(f'{shown(value)} is finer than a millisecond; write whole milliseconds, for example "{near}ms"')
        if (parsed := timedelta(milliseconds=milliseconds)) < minimum:
            raise refuse(f'{shown(value)} is too short; write "{format_duration(minimum)}" or more')
        return parsed

    return parse


def _percent(value: object) -> float:
    """The ratio that a percentage stands for."""
    text = _text(value)
    if _NUMBER.fullmatch(text):
        number = float(text)
        advice = f'write "{number:g} %" or "{number * 100:g} %"' if number <= 1 else f'write "{number:g} %"'
        raise refuse(f"{shown(value)} has no percent sign; {advice}")
    found = _PERCENT.fullmatch(text)
    if not isinstance(value, str) or not found:
        raise refuse(f'{shown(value)} is not a percentage; write a number and a percent sign, for example "5 %"')
    if (number := float(found[1])) > 100:  # noqa: PLR2004 - a hundred percent
        raise refuse(f'{shown(value)} is more than everything; write "100 %" or less')
    return round(number / 100, 10)


def _bytes(value: object) -> int:
    """The number of bytes of a quantity."""
    text = _text(value)
    if _NUMBER.fullmatch(text):
        whole = f"{float(text):.0f}"
        raise refuse(f'{shown(value)} has no unit; write for example "{whole}Gi" or "{whole}Mi"')
    found = _QUANTITY.fullmatch(text)
    if not isinstance(value, str) or not found:
        raise refuse(f'{shown(value)} is not a size; write a whole number and one of Ki, Mi, Gi, Ti, for example "10Gi"')
    if not float(found[1]):
        raise refuse(f'{shown(value)} is no room at all; write for example "1{found[2]}"')
    if float(found[1]) * _BYTES[found[2]] > MOST_BYTES:
        raise refuse(f'{shown(value)} is more than any disk; write "{format_bytes(MOST_BYTES)}" or less')
    return int(found[1]) * _BYTES[found[2]]


def size(text: str) -> int:
    """A quantity such as ``"10Gi"`` as the default of a ``Bytes`` setting."""
    return _bytes(text)


def _cores(value: object) -> int:
    """The thousandths of a core of a CPU quantity."""
    found = _CORES.fullmatch(_text(value))
    if not found:
        raise refuse(f'{shown(value)} is not an amount of CPU; write cores or thousandths of a core, for example "2" or "500m"')
    wanted = float(found[1]) / 1000 if found[1] else float(found[2])
    if wanted > _MOST_CORES:
        raise refuse(f'{shown(value)} is more than any machine has; write "{_MOST_CORES}" or less')
    if not (millicores := round(wanted * 1000)):
        raise refuse(f'{shown(value)} is no CPU at all; write for example "100m"')
    return millicores


def cores(text: str) -> int:
    """An amount such as ``"500m"`` as the default of a ``Cores`` setting."""
    return _cores(text)


def _object(value: str) -> str:
    if len(value) > 253 or not all(LABEL_FORM.fullmatch(part) for part in value.split(".")):  # noqa: PLR2004 - RFC 1123
        right = 'write lower-case letters, digits, "-" and ".", 253 at most'
        raise refuse(f"{shown(value)} is not a name that Kubernetes takes; {right}")
    return value


def trimmed(value: str) -> str:
    """Text without blanks at its ends, and some. Raises what ``refuse`` makes for other text."""
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise refuse(f"{shown(value)} holds half a character; write whole ones")
    if not value.strip():
        raise refuse(f"{shown(value)} is no text; write some, or leave it out")
    if value != value.strip():
        raise refuse(f"{shown(value)} begins or ends with a blank, which nothing else would have; write {shown(value.strip())}")
    return value


def identifier(value: str) -> str:
    """Text that other systems know by heart, in which a placeholder or a control character can only be an accident.

    Raises what ``refuse`` makes for other text.
    """
    if found := _PLACEHOLDER.search(trimmed(value)):
        raise refuse(f'{shown(value)} holds "{found[0]}", which nothing fills in here; write the value itself')
    if not value.isprintable():
        raise refuse(f"{shown(value)} holds a character that cannot be seen; write it without")
    return value


def _wildcard(value: str) -> str:
    if _WILDCARD.fullmatch(trimmed(value)):
        raise refuse(f"{shown(value)} is compared as it stands and is no pattern; write the values themselves")
    return value


def _scope(value: str) -> str:
    if not _SCOPE.fullmatch(value):
        raise refuse(f'{shown(value)} is not a scope of OAuth 2.0; write one without blanks, for example "groups"')
    return value


def _label_key(value: str) -> str:
    if not _LABEL_KEY.fullmatch(value):
        right = 'write letters, digits, "-", "_" and ".", 63 at most, and before a "/" a domain, for example "example.org/team"'
        raise refuse(f"{shown(value)} is not the key of a label; {right}")
    if "/" in value:
        _object(value.split("/", 1)[0])
    return value


def _label_value(value: str) -> str:
    if not _LABEL_VALUE.fullmatch(value):
        raise refuse(f'{shown(value)} is not the value of a label; write letters, digits, "-", "_" and ".", 63 at most')
    return value


def _label(value: str) -> str:
    if not LABEL_FORM.fullmatch(value):
        raise refuse(f'{shown(value)} is not a name that Kubernetes takes; write lower-case letters, digits and "-", 63 at most')
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise refuse(f'{shown(value)} is not a network; write an address and a prefix, for example "10.0.0.0/8"') from None


def _digest(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        raise refuse(f'{shown(value)} is not a digest; write "sha256:" and 64 hexadecimal digits, as `crane digest IMAGE` prints them')
    return value


_DURATION_SCHEMA = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d)$"}

Duration = Annotated[
    timedelta,
    BeforeValidator(_duration("s", "ms", timedelta(milliseconds=1))),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_DURATION_SCHEMA | {"examples": ["10s", "250ms", "15m"]}),
]
"""A length of time: a number and one of ``ms``, ``s``, ``m``, ``h``, ``d``."""

Wait = Annotated[
    timedelta,
    BeforeValidator(_duration("s", "ms", timedelta(milliseconds=1), timedelta(minutes=30))),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_DURATION_SCHEMA | {"examples": ["10s", "1m"]}),
]
"""A ``Duration`` of half an hour at most, for what is held in memory meanwhile."""

Interval = Annotated[
    timedelta,
    BeforeValidator(_duration("s", "ms", timedelta(seconds=1))),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_DURATION_SCHEMA | {"examples": ["15s", "1m"]}),
]
"""A ``Duration`` of a second or more: the interval of a repeated action, or a timeout."""

Age = Annotated[
    timedelta,
    BeforeValidator(_duration("d", "h", timedelta(minutes=1))),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_DURATION_SCHEMA | {"examples": ["30d", "720h"]}),
]
"""A retention of a minute or more: as ``Duration``, with days and hours as the usual units."""

Percent = Annotated[
    float,
    BeforeValidator(_percent),
    PlainSerializer(format_percent, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$", "examples": ["5 %", "100 %"]}),
]
"""A share of a whole: a number from 0 to 100 and a percent sign."""

Bytes = Annotated[
    int,
    BeforeValidator(_bytes),
    PlainSerializer(format_bytes, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+ ?(Ki|Mi|Gi|Ti|k|M|G|T)$", "examples": ["512Mi", "100Gi"]}),
]
"""An amount of memory or disk, as Kubernetes writes it."""

Cores = Annotated[
    int,
    BeforeValidator(_cores),
    PlainSerializer(format_cores, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^[0-9]+(m|\.[0-9]{1,3})?$"}, {"type": "number"}], "examples": ["2", "500m"]}),
]
"""An amount of CPU, as Kubernetes writes it."""

Label = Annotated[str, AfterValidator(_label), WithJsonSchema({"type": "string", "pattern": f"^{LABEL_FORM.pattern}$"})]
"""The name of a Kubernetes object that becomes part of a DNS name (RFC 1123 label)."""

LabelKey = Annotated[str, AfterValidator(_label_key), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL_KEY.pattern}$"})]
"""The key of a label, a taint or an annotation of Kubernetes, with or without a domain before it."""

LabelValue = Annotated[str, AfterValidator(_label_value), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL_VALUE.pattern}$"})]
"""The value of a label or a taint of Kubernetes, which may be empty."""

_TEXT_PATTERN = r"\S([\s\S]*\S)?$"
NO_PLACEHOLDER = r"^(?![\s\S]*(\$\{|\{\{|\$\(|%\(\w*\)s|<%))"

ObjectName = Annotated[
    str, AfterValidator(_object), WithJsonSchema({"type": "string", "pattern": f"^{LABEL_FORM.pattern}(\\.{LABEL_FORM.pattern})*$"})
]
"""The name of a Kubernetes object (RFC 1123 subdomain)."""

Text = Annotated[str, AfterValidator(trimmed), WithJsonSchema({"type": "string", "pattern": f"^{_TEXT_PATTERN}"})]
"""Text that means itself, whatever stands in it; without blanks at its ends."""

Value = Annotated[
    str, AfterValidator(_wildcard), WithJsonSchema({"type": "string", "pattern": rf"^(?!{_WILDCARD.pattern}$){_TEXT_PATTERN}"})
]
"""Text that is compared with another as it stands."""

Identifier = Annotated[
    str,
    AfterValidator(identifier),
    WithJsonSchema({"type": "string", "pattern": rf"{NO_PLACEHOLDER}[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$"}),
]
"""Text by which another system knows something; without blanks at its ends and placeholders."""

Scope = Annotated[str, AfterValidator(_scope), WithJsonSchema({"type": "string", "pattern": f"^{_SCOPE.pattern}$"})]
"""A scope of OAuth 2.0 (RFC 6749, section 3.3)."""

Network = Annotated[
    str,
    AfterValidator(_network),
    WithJsonSchema({"type": "string", "pattern": "^[0-9a-f:.]+/[0-9]+$", "examples": ["10.0.0.0/8", "fd00::/8"]}),
]
"""A network in CIDR notation (RFC 4632)."""


Digest = Annotated[str, AfterValidator(_digest), WithJsonSchema({"type": "string", "pattern": f"^{_DIGEST.pattern}$"})]
"""The digest of a container image."""
