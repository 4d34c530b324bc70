"""Stores that are filled on this machine, and what they took: disk, memory and processor time.

Each is what an environment has: Badger within Jaeger, Tempo, and Jaeger before a Cassandra or an OpenSearch of one node.
"""

from __future__ import annotations

import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks.orders import used_bytes
from benchmarks.processes import cpu_seconds, most_resident
from benchmarks.sizing.collectors import environment
from benchmarks.sizing.spans import Way, of_orders, plain, send
from components.documents.ports import BY_WORKLOAD
from components.local.files import hold_folder
from components.local.instances import one_each
from components.local.ports import choose_ports
from components.local.programs import find_programs
from components.local.supervisor import Supervisor
from stacks.environment.source import ROOT, Named
from stacks.plan.addresses import OnThisMachine
from stacks.plan.plan import plan
from tests.servers.stores.running import before, found, running, searched
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

Kind = Literal["badger", "tempo", "cassandra", "opensearch"]
KINDS: tuple[Kind, ...] = ("badger", "tempo", "cassandra", "opensearch")
LOADS = {"orders": of_orders, "plain": plain}
SETTLE_SECONDS, STILL_SECONDS = 5.0, 60.0
SEARCHES, SERVICE = 5, "portal"
_WAYS = {"badger": Way(), "tempo": Way(), "cassandra": Way(200, 40), "opensearch": Way(2_000, 20)}
_FLUSH_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Filled:
    """A store that took so many spans of a load in ``seconds``, with the bytes of the spans in OTLP and those of their resources.

    ``disk_bytes`` is by how much its files grew. ``cpu_seconds`` and ``memory_bytes`` are what each server has used and at most occupied:
    ``store``, and before a store elsewhere ``intake`` and ``query``.
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


@dataclass(frozen=True, slots=True)
class Store:
    """A store that runs: the ``host:port`` where it takes OTLP, its processes, its folder, and how it writes what it holds in memory.

    ``searched`` asks it for traces, where that is another server's work.
    """

    target: str
    pids: dict[str, int]
    folder: Path
    flushed: Callable[[], None]
    searched: Callable[[], None]

    def disk(self) -> int:
        """Bytes of its files, when they have stayed the same for a while."""
        self.flushed()
        seen, since = -1, time.monotonic()
        while (now := used_bytes(self.folder)) != seen and time.monotonic() - since < STILL_SECONDS:
            seen = now
            time.sleep(SETTLE_SECONDS)
        return now


def fill(kind: Kind, load: str, spans: int, say: Callable[[str], None], *, seed: int = 1) -> Filled:
    """Send spans straight to a new store, as fast as it takes them."""
    with tempfile.TemporaryDirectory(prefix="sizing-") as folder, _started(kind, Path(folder), say) as store:
        empty, began = used_bytes(store.folder), time.monotonic()
        at_start = {role: cpu_seconds(pid) for role, pid in store.pids.items()}
        size = send(store.target, LOADS[load](spans, seed=seed), _WAYS[kind], say)
        seconds = time.monotonic() - began
        used = {role: cpu_seconds(pid) - at_start[role] for role, pid in store.pids.items()}
        store.searched()
        memory = {role: most_resident(pid) for role, pid in store.pids.items()}
        return Filled(kind, load, spans, size.spans, size.resources, store.disk() - empty, seconds, used, memory)


def _started(kind: Kind, folder: Path, say: Callable[[str], None]) -> AbstractContextManager[Store]:
    return _elsewhere(kind, folder) if kind in {"cassandra", "opensearch"} else _own(kind, folder, say)


def _nothing() -> None:
    """Do nothing."""


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
            yield Store(target, {"store": supervisor.pid(alone.name)}, Path(workload.volumes[0].path), _nothing, _nothing)


def _tempo() -> Named:
    """One host with Tempo, which takes whatever is sent."""
    limits = {"intake_rate": "1G", "burst": "1G"}
    backend = {"kind": "tempo", "storage": {"kind": "volume", "size": "100Gi"}, "resources": {"memory": "4Gi"}, "limits": limits}
    return samples.named("dev", {"backend": backend, "retention.traces": "1d"}, name="benchmark")


@contextmanager
def _elsewhere(kind: Kind, folder: Path) -> Iterator[Store]:
    """A Jaeger that takes spans and one that shows them, before a store of one node."""
    named = before(kind, backend__replicas=1, backend__query__replicas=1)
    with running(named, folder / "state", found(kind)) as servers:
        supervisor, (takes,), (shows,) = servers.supervisor, servers.takes, servers.shows
        roles = {"store": "store-0", "intake": "jaeger-0", "query": "query-0"}
        data = folder / "state" / "store-0" / "data"

        def flushed() -> None:
            if kind == "cassandra":
                # It writes all that it holds when it ends.
                supervisor.stop("store-0")
            else:
                request = urllib.request.Request(f"http://{servers.store}:9200/_flush", method="POST")
                urllib.request.urlopen(request, timeout=_FLUSH_SECONDS).close()  # noqa: S310 - loopback

        def asked() -> None:
            for _ in range(SEARCHES):
                searched(shows, SERVICE, time.time() - 3600, time.time())

        tables = data / "data" if kind == "cassandra" else data
        yield Store(f"{takes}:4317", {role: supervisor.pid(name) for role, name in roles.items()}, tables, flushed, asked)
