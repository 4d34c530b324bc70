"""Stores that are filled on this machine, and what they took: disk, memory and processor time, and what a start of theirs reads.

Each is what an environment has: Badger within Jaeger, Tempo, and Jaeger before a Cassandra or an OpenSearch of one node.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from benchmarks.orders import used_bytes
from benchmarks.processes import anonymous_bytes, cpu_seconds, read_bytes
from benchmarks.sizing.collectors import environment
from benchmarks.sizing.spans import Way, of_orders, paced, plain, send
from components.documents.ports import BY_WORKLOAD
from components.local.files import hold_folder
from components.local.instances import one_each
from components.local.ports import choose_ports
from components.local.programs import find_programs
from components.local.supervisor import Supervisor
from stacks.environment.source import ROOT, Named
from stacks.plan.addresses import OnThisMachine
from stacks.plan.plan import plan
from tests.servers.stores.running import before, found, running
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

Kind = Literal["badger", "tempo", "cassandra", "opensearch"]
KINDS: tuple[Kind, ...] = ("badger", "tempo", "cassandra", "opensearch")
LOADS = {"orders": of_orders, "plain": plain}
SETTLE_SECONDS, STILL_SECONDS = 5.0, 60.0
LOOK_SECONDS = 0.5
_WAYS = {"badger": Way(), "tempo": Way(), "cassandra": Way(200, 40), "opensearch": Way(2_000, 20)}
_FLUSH_SECONDS = 120
_BLOCK_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Start:
    """A start of a filled store with nothing of its files in memory: its seconds, and the bytes that it read."""

    seconds: float
    read_bytes: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A store that took so many spans of a load in ``seconds``, with the bytes of the spans in OTLP and those of their resources.

    ``disk_bytes`` is by how much its files grew. ``cpu_seconds`` and ``memory_bytes`` are what each server has used and at most had of
    its own, which no file backs: ``store``, and ``intake`` before a store elsewhere. ``start`` is None for a store
    elsewhere.
    """

    store: Kind
    load: str
    spans: int
    otlp_bytes: int
    resource_bytes: int
    disk_bytes: int
    seconds: float
    cpu_seconds: dict[str, float]
    memory_bytes: dict[str, int]
    start: Start | None


@dataclass(frozen=True, slots=True)
class Store:
    """A store that runs: the ``host:port`` where it takes OTLP, its processes, and the folder of what it keeps.

    ``flushed`` has it write what it holds in memory, of so many traces. ``restarted`` starts it anew, where that is its own work.
    """

    target: str
    pids: dict[str, int]
    folder: Path
    flushed: Callable[[int], None]
    restarted: Callable[[], Start | None]

    def disk(self, traces: int) -> int:
        """Bytes of its files with so many traces, when they have stayed the same for a while."""
        self.flushed(traces)
        seen, since = -1, time.monotonic()
        while (now := used_bytes(self.folder)) != seen and time.monotonic() - since < STILL_SECONDS:
            seen = now
            time.sleep(SETTLE_SECONDS)
        return now


class Memory:
    """The most memory of each process from now on until the context ends, looked at twice a second."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self.most = dict.fromkeys(pids, 0)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            for role, pid in self._pids.items():
                self.most[role] = max(self.most[role], anonymous_bytes(pid))


def fill(kind: Kind, load: str, spans: int, say: Callable[[str], None], *, seed: int = 1, rate: float | None = None) -> Filled:
    """Send spans straight to a new store, at a rate or as fast as it takes them."""
    with tempfile.TemporaryDirectory(prefix="sizing-") as folder, _started(kind, Path(folder), say) as store:
        empty, began = used_bytes(store.folder), time.monotonic()
        at_start = {role: cpu_seconds(pid) for role, pid in store.pids.items()}
        with Memory(store.pids) as memory:
            size = send(store.target, paced(LOADS[load](spans, seed=seed), rate), _WAYS[kind], say)
            seconds = time.monotonic() - began
            used = {role: cpu_seconds(pid) - at_start[role] for role, pid in store.pids.items()}
        disk = store.disk(size.traces) - empty
        return Filled(kind, load, spans, size.span_bytes, size.resource_bytes, disk, seconds, used, memory.most, store.restarted())


def _started(kind: Kind, folder: Path, say: Callable[[str], None]) -> AbstractContextManager[Store]:
    return _elsewhere(kind, folder) if kind in {"cassandra", "opensearch"} else _own(kind, folder, say)


@contextmanager
def _own(kind: Kind, folder: Path, say: Callable[[str], None]) -> Iterator[Store]:
    """Badger within Jaeger, or Tempo, without collectors before it."""
    named = _tempo() if kind == "tempo" else environment(backend={"sync_writes": False})
    with hold_folder(folder / named.name) as held:
        there = str(held.path)
        names = [workload.name for workload in plan(named.environment, OnThisMachine(there), name=named.name).workloads]
        numbers = choose_ports([(name, port) for name in names for port in BY_WORKLOAD[name]], held.path / "ports.json")
        placed = plan(named.environment, OnThisMachine(there, numbers), name=named.name)
        (workload,) = [one for one in placed.workloads if one.role == "backend"]
        (alone,) = [one for one in one_each(placed) if one.name == workload.name]
        programs = find_programs([workload.server], toolchain=ROOT / "toolchain", say=say)
        with Supervisor([alone], programs, held, say) as supervisor:
            target = f"127.0.0.1:{workload.port('otlp-grpc').number}"
            folder = Path(workload.volumes[0].path)

            def restarted() -> Start:
                supervisor.stop(alone.name)
                _forget(folder)
                began = time.monotonic()
                supervisor.start(alone.name)
                return Start(time.monotonic() - began, read_bytes(supervisor.pid(alone.name)))

            kept, flushed = (
                (folder / "blocks", lambda traces: _in_blocks(folder / "blocks", traces)) if kind == "tempo" else (folder, _nothing)
            )
            yield Store(target, {"store": supervisor.pid(alone.name)}, kept, flushed, restarted)


def _nothing(_traces: int) -> None:
    """Badger has its log among its files."""


def _in_blocks(folder: Path, traces: int) -> None:
    """Wait until Tempo has so many traces in blocks, which it cuts every half minute. Raises TimeoutError."""
    until = time.monotonic() + _BLOCK_SECONDS
    while (there := sum(json.loads(path.read_text())["totalObjects"] for path in folder.rglob("meta.json"))) < traces:
        if time.monotonic() > until:
            raise TimeoutError(f"{folder}: {there:,} of {traces:,} traces are in blocks")
        time.sleep(1.0)


def _forget(folder: Path) -> None:
    """Let nothing of the files in a folder be in memory."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _tempo() -> Named:
    """One host with Tempo, which takes whatever is sent."""
    limits = {"intake_rate": "1G", "burst": "1G"}
    backend = {"kind": "tempo", "storage": {"kind": "volume", "size": "100Gi"}, "resources": {"memory": "4Gi"}, "limits": limits}
    return samples.named("dev", {"backend": backend, "retention.traces": "1d"}, name="benchmark")


@contextmanager
def _elsewhere(kind: Kind, folder: Path) -> Iterator[Store]:
    """A Jaeger that takes spans, before a store of one node."""
    named = before(kind, backend__replicas=1, backend__query__replicas=1)
    with running(named, folder / "state", found(kind)) as servers:
        supervisor, (takes,) = servers.supervisor, servers.takes
        roles = {"store": "store-0", "intake": "jaeger-0"}
        data = folder / "state" / "store-0" / "data"

        def flushed(_traces: int) -> None:
            if kind == "cassandra":
                # It writes all that it holds when it ends.
                supervisor.stop("store-0")
            else:
                request = urllib.request.Request(f"http://{servers.store}:9200/_flush", method="POST")
                urllib.request.urlopen(request, timeout=_FLUSH_SECONDS).close()  # noqa: S310 - loopback

        tables = data / "data" if kind == "cassandra" else data
        yield Store(f"{takes}:4317", {role: supervisor.pid(name) for role, name in roles.items()}, tables, flushed, lambda: None)
