"""The protobuf wire format, as far as OTLP needs it (protocol buffers documentation, "Encoding").

A message is the concatenation of its fields, and so is a repeated field: what was encoded once is joined, never encoded again.
"""

from __future__ import annotations

import struct
from typing import Final

_ONE_BYTE: Final = 0x80
_TABLE: Final = tuple(bytes((number,)) for number in range(_ONE_BYTE)) + tuple(
    bytes((number & 0x7F | 0x80, number >> 7)) for number in range(_ONE_BYTE, 1 << 14)
)
"""Every varint of one or two bytes: looking one up costs a third of making it."""
_LIMIT: Final = len(_TABLE)
_UNSIGNED: Final = 1 << 64

DOUBLE: Final = struct.Struct("<d").pack
FIXED64: Final = struct.Struct("<Q").pack
FIXED32: Final = struct.Struct("<I").pack


def varint(number: int) -> bytes:
    """Return a number as a base-128 varint; a negative one as its 64-bit two's complement, ten bytes long.

    Raises ``OverflowError`` for a number that no 64-bit integer holds.
    """
    if 0 <= number < _LIMIT:
        return _TABLE[number]
    if number < 0:
        if number < -(_UNSIGNED >> 1):
            raise OverflowError("below the smallest 64-bit integer")
        number += _UNSIGNED
    elif number >= _UNSIGNED >> 1:
        raise OverflowError("above the largest 64-bit integer")
    out = bytearray()
    while number >= _ONE_BYTE:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag: bytes, content: bytes) -> bytes:
    """Return a length-delimited field: tag, length, content."""
    return tag + varint(len(content)) + content


def text(tag: bytes, value: str | None) -> bytes:
    """Return a string field; nothing for an empty one, as proto3 has it. What is no UTF-8 (a lone surrogate) becomes ``?``."""
    return field(tag, utf8(value)) if value else b""


def number(tag: bytes, value: int) -> bytes:
    """Return an unsigned field; nothing for zero, as proto3 has it."""
    return tag + varint(value) if value else b""


def utf8(value: str) -> bytes:
    """Return text as UTF-8. A lone surrogate, which protobuf refuses together with the whole batch, becomes ``?``."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="replace")
