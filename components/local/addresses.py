"""Blocks of loopback addresses, each held by one run, so that many servers use the same port on this machine."""

from __future__ import annotations

import socket
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.local.errors import AddressesError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECOND_BYTES = range(64, 128)
"""Blocks are 127.64.0.0/24 to 127.127.255.0/24: away from 127.0.0.1 and from 127.0.0.53, which resolvers use."""

SIZE = 254


@dataclass(frozen=True, slots=True)
class Block:
    """The addresses ``prefix.1`` to ``prefix.254``, held by this process alone. Only ``hold_block`` makes one."""

    prefix: str

    def __getitem__(self, number: int) -> str:
        """The address of that number.

        Raises AddressesError for one that the block does not have.
        """
        if not 1 <= number <= SIZE:
            raise AddressesError(f"{self.prefix}.0/24 has no address {number}: run fewer than {SIZE} instances, for example with --nodes 1")
        return f"{self.prefix}.{number}"


@contextmanager
def hold_block(folder: Path) -> Iterator[Block]:
    """Hold a block of addresses: the same for the same ``folder``, unless another run has it.

    Raises AddressesError when none can be had. Outside of Linux only 127.0.0.1 is there by itself.
    """
    count = len(SECOND_BYTES) * 256
    start = zlib.crc32(str(folder.absolute()).encode())
    for step in range(count):
        number = (start + step) % count
        prefix = f"127.{SECOND_BYTES[number // 256]}.{number % 256}"
        claim = _claim(prefix)
        if claim is not None:
            with claim:
                yield Block(prefix)
            return
    raise AddressesError(
        f"no block of loopback addresses can be had between 127.{SECOND_BYTES[0]}.0.0 and 127.{SECOND_BYTES[-1]}.255.0; "
        "on another system than Linux add addresses first (ifconfig lo0 alias), or leave out --shape cluster"
    )


def _claim(prefix: str) -> socket.socket | None:
    """A socket that nobody else on this network can have while it is open, or None when somebody has it.

    Abstract sockets of Linux belong to a network namespace, as loopback addresses do, and end with their process.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0virtengine-tracing {prefix}.0/24")
    except OSError:
        claim.close()
        return None
    return claim
