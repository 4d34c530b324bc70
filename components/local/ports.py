"""Port numbers of an environment on this machine: the same over restarts, and never those of another environment.

A number outlives the server that listens on it (a killed server is started again on the same one), hence two rules. Numbers are
reserved for as long as the choosing process lives, because "nobody listens" does not yet mean free. And replacements come from below
the range of ephemeral ports: there, any outgoing connection could take the number while its server is down, even a client that
retries that very number and ends up connected to itself.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import zlib
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from components.local.errors import PortsError
from components.local.files import cache_folder, lives, locked, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from components.workload import Port

FIRST_REPLACEMENT, LAST_REPLACEMENT = 20_000, 29_999  # above are Kubernetes' node ports (30000) and Linux's ephemeral ports (32768)

_STOP_ONE = "stop what listens there (see: ss -tlnp), then run the same command again"

Key: TypeAlias = "tuple[str, str]"


def choose_ports(wanted: Sequence[tuple[str, Port]], memory: Path) -> Mapping[Key, int]:
    """A number for each (workload, port name): what ``memory`` remembers, else the port's well-known number, else a replacement.

    Each is free on this machine, differs from the others, and is reserved for ``memory`` while this process lives. The choice is
    written to ``memory`` (JSON: workload, port name, number); what it says of other workloads is kept. Call it while holding the
    environment's folder: a running environment's own ports are not free.

    Raises PortsError when ``memory`` holds anything else, or no number is left.
    """
    with _registry() as registry:
        remembered = _read_memory(memory)
        reserved = _live_reservations(registry, memory)
        chosen = _choose(wanted, remembered, set(reserved), memory)
        _reserve(chosen.values(), registry, reserved, str(memory.absolute()))
        for (workload, port), number in chosen.items():
            remembered.setdefault(workload, {})[port] = number
        write_atomically(memory, json.dumps(remembered, indent=2, sort_keys=True) + "\n")
    return chosen


def free_ports(count: int) -> tuple[int, ...]:
    """Numbers for servers that live no longer than this process: each is free on this machine, and reserved while the process lives.

    Raises PortsError when fewer are left.
    """
    with _registry() as registry:
        reserved = _live_reservations(registry)
        found = tuple(islice((n for n in _replacements(str(os.getpid())) if str(n) not in reserved and is_free(n)), count))
        if len(found) < count:
            raise PortsError(f"fewer than {count} of the ports {FIRST_REPLACEMENT} to {LAST_REPLACEMENT} are free; {_STOP_ONE}")
        # Of no environment, so that no later choice of one gives them up.
        _reserve(found, registry, reserved, "")
    return found


def is_free(number: int, address: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this TCP port of a loopback address and nobody listens on it for all addresses."""
    # Linux refuses an address while somebody listens for all; elsewhere that is asked by itself, and refused for what listens on any.
    everywhere = () if sys.platform == "linux" else ("0.0.0.0",)  # noqa: S104 - bound for a moment and never listening
    for bound in (address, *everywhere):
        with socket.socket(socket.AF_INET6 if ":" in bound else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((bound, number))
            except OSError as error:
                if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                    return False
                raise
    return True


def _choose(
    wanted: Sequence[tuple[str, Port]], remembered: Mapping[str, Mapping[str, int]], reserved: set[str], memory: Path
) -> dict[Key, int]:
    chosen: dict[Key, int] = {}

    def take(key: Key, candidates: Iterator[int]) -> None:
        number = next((n for n in candidates if n not in chosen.values() and str(n) not in reserved and is_free(n)), None)
        if number is not None:
            chosen[key] = number

    # All that is remembered comes first: a port that is new must not take the number of one that services already know.
    for workload, port in wanted:
        take((workload, port.name), iter([n for n in [remembered.get(workload, {}).get(port.name)] if n is not None]))
    for workload, port in wanted:
        if (workload, port.name) not in chosen:
            take((workload, port.name), _candidates(workload, port, memory))
        if (workload, port.name) not in chosen:
            raise PortsError(
                f"{workload}: no free port for {port.name!r}: {port.number} and {FIRST_REPLACEMENT} to {LAST_REPLACEMENT} are all taken; "
                f"{_STOP_ONE}"
            )
    return {(workload, port.name): chosen[workload, port.name] for workload, port in wanted}


def _candidates(workload: str, port: Port, memory: Path) -> Iterator[int]:
    yield port.number
    # Each environment looks from a place of its own, so that even without its memory it mostly finds the same numbers again.
    yield from _replacements(f"{memory.absolute()} {workload} {port.name}")


def _replacements(place: str) -> Iterator[int]:
    count = LAST_REPLACEMENT - FIRST_REPLACEMENT + 1
    start = zlib.crc32(place.encode())
    for step in range(count):
        yield FIRST_REPLACEMENT + (start + step) % count


def _read_memory(memory: Path) -> dict[str, dict[str, int]]:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise _bad_memory(memory) from error
    if not isinstance(content, dict) or not all(isinstance(ports, dict) for ports in content.values()):
        raise _bad_memory(memory)
    if not all(type(number) is int and 0 < number < 2**16 for ports in content.values() for number in ports.values()):
        raise _bad_memory(memory)
    return content


def _bad_memory(memory: Path) -> PortsError:
    return PortsError(
        f"{memory}: not a memory of ports; it should hold workloads, port names and numbers from 1 to 65535, as in "
        f'{{"gateway": {{"otlp-grpc": 4317}}}}. Remove it to choose anew: rm {memory}'
    )


@contextmanager
def _registry() -> Iterator[Path]:
    """The file of reserved numbers, held by this process alone."""
    registry = cache_folder() / "ports.json"
    with locked(registry.with_suffix(".lock"), on_wait=lambda _holder, _seconds: None):
        yield registry


def _reserve(numbers: Iterable[int], registry: Path, reserved: Mapping[str, dict[str, object]], memory: str) -> None:
    mine = {"memory": memory, "pid": os.getpid()}
    write_atomically(registry, json.dumps({**reserved, **{str(number): mine for number in numbers}}, indent=1))


def _live_reservations(registry: Path, memory: Path | None = None) -> dict[str, dict[str, object]]:
    """Reservations of other environments than that of ``memory``, without those of processes that have ended."""
    own = None if memory is None else str(memory.absolute())
    try:
        content = json.loads(registry.read_text(encoding="utf-8"))
        return {
            number: {"memory": holder["memory"], "pid": holder["pid"]}
            for number, holder in content.items()
            if holder["memory"] != own and lives(holder["pid"])
        }
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        # A cache that cannot be read is an empty one: a listening server is noticed anyway.
        return {}
