"""A backbone on a Docker host, as its daemon tells of it."""

from __future__ import annotations

import io
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.docker.containers import RESTARTS_WITH, physical_name, published
from stacks.deploy import docker_api
from stacks.deploy.docker_api import DaemonError
from stacks.placement.outputs import outputs
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from stacks.verify.alerts import planned
from stacks.verify.findings import CannotTellError
from stacks.verify.site import Instance, Loaded, Use, Version, Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.workload import Document, Port
    from stacks.environment.model import Environment
    from stacks.environment.source import Named


class Docker:
    """The backbone of ``named`` on the Docker host that its environment names. Raises ``DaemonError`` where there is none."""

    prometheus: str | None = None

    def __init__(self, named: Named) -> None:
        target = named.environment.target
        assert target.kind == "docker"  # noqa: S101 - tells mypy
        self._host = target.host
        self.environment: Environment = named.environment
        self.plan = plan(named.environment, addresses_of(named), name=named.name)
        self.alerts = planned(self.plan)
        self.outputs = outputs(self.plan)
        self.where = f"{named.name} on Docker at {self._host}"
        self.again = f"python -m stacks up {named.name}"
        docker_api.ping(self._host)
        found = {
            workload.name: docker_api.inspected(self._host, physical_name(self.plan, workload.name)) for workload in self.plan.workloads
        }
        self._containers: dict[str, dict[str, Any]] = {name: one for name, one in found.items() if one is not None}
        if not self._containers:
            raise DaemonError(f"{self.where}: nothing is deployed, or the daemon cannot be asked from here\nthen: {self.again}")

    def instances(self) -> Sequence[Instance]:
        """The containers that run."""
        return [
            Instance(one.name, one) for one in self.plan.workloads if self._containers.get(one.name, {}).get("State", {}).get("Running")
        ]

    def troubles(self) -> list[str]:
        """Containers that are missing, ended, or not healthy."""
        told = []
        for workload in self.plan.workloads:
            state = self._containers.get(workload.name, {}).get("State")
            if state is None:
                told.append(f"{workload.name} has no container")
            elif not state["Running"]:
                told.append(f"{workload.name} does not run: {state['Status']}, exit code {state['ExitCode']}")
            elif (health := (state.get("Health") or {}).get("Status", "healthy")) != "healthy":
                told.append(f"{workload.name} is {health}")
        return told

    def version(self, instance: Instance) -> Version:
        """The reference by which the container's image is known."""
        known, planned = docker_api.tags_of(self._host, self._containers[instance.name]["Image"]), instance.workload.server.image
        # The daemon leaves out the host of Docker's own registry.
        short = planned.removeprefix("docker.io/").removeprefix("library/")
        named = next(
            (one for one in known if one in {planned, short} or short.startswith(f"{one}@")), known[0] if known else "an unnamed image"
        )
        return Version(planned if named == short else named, (planned,))

    def loaded(self, instance: Instance, document: Document) -> Loaded:
        """The file in the container, and whether the container was made for it."""
        workload = instance.workload
        archive = docker_api.archived(self._host, physical_name(self.plan, workload.name), f"{workload.documents_path}/{document.name}")
        if archive is None:
            return Loaded(None)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            file = files.extractfile(files.getmembers()[0])
            text = file.read().decode() if file is not None else None
        started_with = (self._containers[instance.name]["Config"].get("Labels") or {}).get(RESTARTS_WITH)
        if text == document.text and document.on_change == "restart" and started_with != workload.restart_checksum:
            return Loaded(text, "the container was made before its document had this text, and runs with an older one")
        return Loaded(text)

    def deviations(self) -> list[str]:
        """Containers whose server has other arguments or variables than planned."""
        told = []
        for instance in self.instances():
            command = [*(self._containers[instance.name]["Config"].get("Cmd") or ())]
            planned = list(instance.workload.arguments)
            if command[-len(planned) :] != planned:
                told.append(f"{instance.name} was started with {' '.join(command)}, planned {' '.join(planned)}")
        return told

    def openings(self) -> tuple[list[str], str]:
        """Ports that are published and not planned, or on another address than loopback."""
        told, count = [], 0
        for instance in self.instances():
            bound = self._containers[instance.name]["HostConfig"].get("PortBindings") or {}
            there = {(one["HostIp"], int(one["HostPort"])) for those in bound.values() for one in those or ()}
            planned = {(port["ip"], port["external"]) for port in published(self.plan, instance.workload)}
            told += [f"{instance.name} publishes {host or '*'}:{port}, which is not planned" for host, port in sorted(there - planned)]
            count += len(there)
        return told, f"{count} ports are published, each of the plan, on loopback"

    @contextmanager
    def reach(self, instance: Instance, port: Port) -> Iterator[Way]:
        """The container's address on its network, where this machine has a way there."""
        networks = self._containers[instance.name]["NetworkSettings"]["Networks"]
        address = next((one["IPAddress"] for one in networks.values() if one.get("IPAddress")), None)
        if address is None or not self._host.startswith("unix:"):
            raise CannotTellError(f"{instance.name}: its own address cannot be reached from here")
        yield Way(address, instance.workload.port(port.name).number, address)

    @contextmanager
    def way(self, url: str) -> Iterator[tuple[str, int]]:
        """The published port."""
        parts = urlsplit(url)
        yield str(parts.hostname), parts.port or 80

    def use(self, instance: Instance, volume: str) -> Use:
        """Not to be had: the daemon counts no bytes of a volume."""
        raise CannotTellError(f"the bytes on volume {volume} of {instance.name} are not counted by a Docker daemon")

    def idle_jobs(self) -> list[str]:
        """Jobs whose container, which runs them again and again, does not run."""
        found = {job.name: docker_api.inspected(self._host, physical_name(self.plan, job.name)) for job in self.plan.jobs}
        return [f"the job {name} does not run" for name, one in found.items() if one is None or not one["State"]["Running"]]

    def logs(self, workload: str) -> str:
        """The log of its container."""
        return f"docker --host {self._host} logs --tail 50 {physical_name(self.plan, workload or 'gateway')}"
