"""Plans of small real servers, each test in a folder and on ports of its own."""

from __future__ import annotations

import json
import sys
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from components.local.files import hold_folder
from components.local.instances import one_each
from components.local.ports import FIRST_REPLACEMENT, choose_ports
from components.local.supervisor import Supervisor
from components.monitoring import Monitoring
from components.workload import (
    Document,
    Edge,
    Endpoints,
    HeadSampling,
    Health,
    Identity,
    Plan,
    Port,
    Quota,
    Resources,
    Server,
    Store,
    Volume,
    Workload,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FAKE_SERVER = Path(__file__).with_name("fake_server.py")
PYTHON = {"fake": Path(sys.executable)}


def server(program: str, tag: str = "1.0.0") -> Server:
    return Server(program=program, repository=f"example.org/{program}", tag=tag)


def plan_of(workloads: Iterable[Workload], edges: Iterable[Edge] = ()) -> Plan:
    return Plan(
        environment="test",
        target="local",
        namespace="test",
        stores=(Store("jaeger", "jaeger", "otlp_grpc", "", "", 60),),
        workloads=tuple(workloads),
        edges=tuple(edges),
        endpoints=Endpoints("", "", "", ""),
        head_sampling=HeadSampling(1.0, (), 1.0),
        privacy=(),
        outside={},
        quota=Quota(pods=0, cpu_millicores=0, memory_bytes=0, storage_bytes=0, claims=0),
        monitoring=Monitoring(),
        toolbox=server("busybox"),
    )


@dataclass
class Stage:
    """A folder, the workloads put on it, and what was said."""

    folder: Path
    said: list[str] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def add(
        self,
        name: str,
        *,
        calls: Iterable[str] = (),
        start_seconds: int = 120,
        grace_seconds: int = 60,
        alive_seconds: int = 120,
        **behaviour: object,
    ) -> Workload:
        """Put a server on the stage; ``behaviour`` goes into its document."""
        port = Port("health", self._number(name), "http")
        documents = self.folder / name / "documents"
        content = {"name": name, "port": port.number, "journal": str(self.folder / "journal"), **behaviour}
        workload = Workload(
            name=name,
            role="backend",
            server=server("fake"),
            arguments=("-I", "-S", str(FAKE_SERVER), str(documents / "server.json")),
            documents=(Document("server.json", json.dumps(content)),),
            documents_path=str(documents),
            ports=(port,),
            volumes=(Volume("data", str(self.folder / name / "data"), 1, "scratch", "workload"),),
            health=Health("health", "/status", start_seconds, alive_seconds),
            resources=Resources(1, 1),
            grace_seconds=grace_seconds,
            identity=Identity(1),
            environment={"GIVEN": name},
        )
        self.workloads.append(workload)
        self.edges += [Edge(name, destination, port) for destination in calls]
        return workload

    @property
    def plan(self) -> Plan:
        return plan_of(self.workloads, self.edges)

    @property
    def journal(self) -> list[str]:
        path = self.folder / "journal"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    @contextmanager
    def running(self) -> Iterator[Supervisor]:
        """Everything on the stage, running."""
        with hold_folder(self.folder / "state") as held, Supervisor(one_each(self.plan), PYTHON, held, self.said.append) as supervisor:
            yield supervisor

    def _number(self, name: str) -> int:
        # The first guess differs between tests; the choice sees to it that it is free and nobody else's.
        guess = FIRST_REPLACEMENT + zlib.crc32(f"{self.folder} {name}".encode()) % 10_000
        return choose_ports([(name, Port("health", guess, "http"))], self.folder / "ports.json")[name, "health"]


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
