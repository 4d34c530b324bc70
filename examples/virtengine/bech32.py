"""Bech32, the spelling of addresses (BIP 173): 32 characters that are hard to mistake, and a checksum that finds what was mistaken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_CHARACTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_GROUP_BYTES: Final = 5
"""Eight characters of five bits each stand for so many bytes."""


def encode(prefix: str, data: bytes) -> str:
    """Spell bytes after a prefix and a 1. Raises ``ValueError`` where they are no multiple of five: nothing here needs padding."""
    if len(data) % _GROUP_BYTES:
        raise ValueError(f"{len(data)} bytes are no multiple of {_GROUP_BYTES}")
    number = int.from_bytes(data)
    values = [number >> shift & 31 for shift in range(8 * len(data) - 5, -1, -5)]
    checked = [*(ord(letter) >> 5 for letter in prefix), 0, *(ord(letter) & 31 for letter in prefix), *values]
    remainder = _polymod([*checked, 0, 0, 0, 0, 0, 0]) ^ 1
    checksum = [remainder >> shift & 31 for shift in range(25, -1, -5)]
    return f"{prefix}1" + "".join(_CHARACTERS[value] for value in (*values, *checksum))


def _polymod(values: Iterable[int]) -> int:
    """Return the remainder of the BCH code."""
    remainder = 1
    for value in values:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(_GENERATOR):
            if top >> bit & 1:
                remainder ^= factor
    return remainder
