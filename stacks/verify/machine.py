"""A backbone that runs on this machine, in either shape."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.local.build import RECIPES
from components.local.disks import used
from components.local.health import answers_url
from components.local.instances import read_listing
from stacks.placement.local import STATE
from stacks.placement.outputs import Outputs
from stacks.plan.addresses import OnKubernetes, OnThisMachine
from stacks.plan.plan import plan
from stacks.verify import processes
from stacks.verify.alerts import planned
from stacks.verify.findings import CannotTellError
from stacks.verify.site import Instance, Loaded, Use, Version, Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.local.instances import Listed
    from components.workload import Document, Plan, Port, Workload
    from stacks.environment.model import Environment
    from stacks.environment.source import Named

_CLOCK_SECONDS = 1.0
"""Change of a file after the start of its reader that a corrected clock may feign."""


class Machine:
    """The backbone of ``named`` that runs on this machine. Raises ``NotRunningError`` where none does."""

    def __init__(self, named: Named, state: Path | None) -> None:
        self._folder = (state or STATE).absolute() / named.name
        self._listed: Mapping[str, Listed] = {listed.instance: listed for listed in read_listing(self._folder)}
        self.outputs = Outputs.read(self._folder / "outputs.json", place=f"outputs of {named.name} on this machine")
        clustered = any(listed.workload == "agent" for listed in self._listed.values())
        self.environment: Environment = named.environment
        self.plan: Plan
        self._wanted: Mapping[str, Workload]
        shape = " --shape cluster" if clustered else ""
        self.again = f"end the run with Ctrl-C, and: python -m stacks run {named.name}{shape}"
        self.where = f"{named.name} on this machine" + (", in the shape of a cluster" if clustered else "")
        if clustered:
            from stacks.placement.small import wanted

            # The alerts of this shape are those of a cluster.
            self.alerts = planned(plan(named.environment, OnKubernetes(named.environment.namespace), name=named.name))
            self.plan, self._wanted = wanted(named, self._folder, tuple(self._listed.values()))
        else:
            numbers = {(one.workload, name): number for one in self._listed.values() for name, number in one.ports.items()}
            self.plan = plan(named.environment, OnThisMachine(str(self._folder), numbers), name=named.name)
            self._wanted = {workload.name: workload for workload in self.plan.workloads}
            self.alerts = planned(self.plan)
        self._name = named.name

    @property
    def prometheus(self) -> str | None:
        """The Prometheus beside the cluster in small; one host has none."""
        beside = self._listed.get("prometheus-0")
        return None if beside is None else f"http://{beside.address}:{beside.ports['prometheus']}"

    def instances(self) -> Sequence[Instance]:
        """The processes of the plan that run."""
        running = {name for name, listed in self._listed.items() if listed.pid is not None}
        return [Instance(name, workload) for name, workload in self._wanted.items() if name in running]

    def troubles(self) -> list[str]:
        """Processes that are missing, down, or do not answer on their health path."""
        missing = [f"{name} is planned and not placed" for name in self._wanted if name not in self._listed]
        down = [f"{name} does not run" for name, listed in self._listed.items() if listed.pid is None]
        up = [listed for listed in self._listed.values() if listed.pid is not None]
        return [*missing, *down, *(f"{one.instance} does not answer at {one.health}" for one in up if not answers_url(one.health))]

    def version(self, instance: Instance) -> Version:
        """The version of the file that runs; right are the planned one and the one that this machine builds."""
        server = instance.workload.server
        recipe = RECIPES.get(server.program)
        right = (server.tag, *([recipe.version] if recipe and recipe.version != server.tag else []))
        return Version(processes.version(self._pid(instance), server.program), right)

    def loaded(self, instance: Instance, document: Document) -> Loaded:
        """The file that the process was started with. A file that is changed later was not read."""
        path = Path(instance.workload.documents_path) / document.name
        try:
            text, changed = path.read_text(encoding="utf-8"), path.stat().st_mtime
        except FileNotFoundError:
            return Loaded(None)
        except (OSError, UnicodeDecodeError) as error:
            raise CannotTellError(f"{path}: cannot be read: {error}") from None
        late = changed - processes.started(self._pid(instance))
        if document.on_change == "reload" or late <= _CLOCK_SECONDS:
            return Loaded(text)
        return Loaded(text, f"it was changed {late:,.0f} s after {instance.name} was started, which runs with an older one")

    def deviations(self) -> list[str]:
        """Processes that were started with other arguments than the plan has."""
        told = []
        for instance in self.instances():
            given, right = processes.arguments(self._pid(instance)), instance.workload.arguments
            if given != right:
                told.append(f"{instance.name} was started with {' '.join(given)}, planned {' '.join(right)}")
        return told

    def openings(self) -> tuple[list[str], str]:
        """Sockets on which a process listens, and that neither its ports nor its planned document have."""
        told, sockets = [], 0
        for instance in self.instances():
            address = self._listed[instance.name].address
            planned = {(address, port.number) for port in instance.workload.ports} | _own(instance.workload, address)
            open_ = processes.listening(self._pid(instance))
            sockets += len(open_)
            told += [f"{instance.name} listens on {host}:{port}, which is not planned" for host, port in sorted(open_ - planned)]
        return told, f"{sockets} sockets listen, each of the plan, on loopback"

    @contextmanager
    def reach(self, instance: Instance, port: Port) -> Iterator[Way]:
        """The process's own address."""
        address = self._listed[instance.name].address
        yield Way(address, instance.workload.port(port.name).number, address)

    @contextmanager
    def way(self, url: str) -> Iterator[tuple[str, int]]:
        """The address in the URL itself."""
        parts = urlsplit(url)
        yield str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)

    def use(self, instance: Instance, volume: str) -> Use:
        """Bytes on the volume's own file system, or in its folder, which may grow to the planned size."""
        planned = next(one for one in instance.workload.volumes if one.name == volume)
        folder = Path(planned.path)
        if folder.is_mount():
            return Use(used(folder), planned.size_bytes)
        return Use(_bytes_below(folder), planned.size_bytes)

    def idle_jobs(self) -> list[str]:
        """None: whoever runs the servers runs the jobs."""
        return []

    def logs(self, workload: str) -> str:
        """The files of its instances."""
        return f"less {self._folder / 'logs'}/{workload}*.log"

    def _pid(self, instance: Instance) -> int:
        pid = self._listed[instance.name].pid
        if pid is None:
            raise CannotTellError(f"{instance.name} does not run")
        return pid


def _own(workload: Workload, address: str) -> set[tuple[str, int]]:
    """The sockets of a workload's own that its planned documents name, such as those by which a gateway calls itself."""
    pattern = re.compile(rf"(?<![\d.]){re.escape(address)}:(\d+)\b")
    return {(address, int(number)) for document in workload.documents for number in pattern.findall(document.text)}


def _bytes_below(folder: Path) -> int:
    """Bytes that the files below a folder take on the disk, those that vanish meanwhile left out."""
    total = 0
    for where, _, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(where) / name).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total
