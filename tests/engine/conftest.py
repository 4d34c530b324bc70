"""The real engine and the real provider, on the Docker daemon of this machine, with state and names of each test's own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml

from components.documents.images import SERVERS, TOOLBOX
from stacks.deploy.docker_api import DaemonError, ping
from stacks.environment.model import KEY
from stacks.environment.source import ROOT
from tests.engine.cluster import placed
from tests.engine.verbs import Verbs
from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["placed"]

HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-resource-docker")
PORTS = (4317, 4318, 5778, 5779, 16686)


def docker(path: str, body: dict[str, Any] | None = None, *, method: str | None = None) -> Any:  # noqa: ANN401 - whatever it answers
    """What the daemon answers to a GET, or to the POST of a body; None when it knows no such thing or has nothing to say."""
    connection = http.client.HTTPConnection("localhost", timeout=STALL_SECONDS)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(HOST.removeprefix("unix://"))
    try:
        head = {"Content-Type": "application/json"}
        connection.request(method or ("GET" if body is None else "POST"), path, None if body is None else json.dumps(body), head)
        answer = connection.getresponse()
        said = answer.read()
        return json.loads(said) if answer.status in {200, 201} else None
    finally:
        connection.close()


@dataclass(frozen=True)
class Stack(Verbs):
    """An environment on this machine's Docker daemon."""

    def started(self) -> dict[str, str]:
        """When each container of the stack was last started, by its name."""
        every = docker("/containers/json") or []
        names = [name.removeprefix("/") for container in every for name in container["Names"]]
        return {name: docker(f"/containers/{name}/json")["State"]["StartedAt"] for name in names if name.startswith(self.namespace)}

    def left(self) -> list[str]:
        """What of the stack is on the host."""
        containers = [name for container in docker("/containers/json?all=true") or [] for name in container["Names"]]
        volumes = [volume["Name"] for volume in docker("/volumes")["Volumes"] or []]
        networks = [network["Name"] for network in docker("/networks") or []]
        return [name for name in (*containers, *volumes, *networks) if self.namespace in name]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Development on this machine's daemon; whatever a failed test leaves is destroyed."""
    if why := why_not():
        pytest.skip(why)
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    document = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    document["config"][KEY] |= {"namespace": namespace, "target": {"kind": "docker", "host": HOST}}
    # A name of its own: copies of stack files lie by name.
    made = Stack(tmp_path / f"Pulumi.{namespace}.yaml", tmp_path / "state", namespace)
    made.file.write_text(yaml.safe_dump(document, sort_keys=False))
    yield made
    if made.left():
        made("recover")
        made("destroy")


def why_not() -> str | None:
    """Why the engine cannot be run here."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"{', '.join(missing)} not on PATH"
    if not HOST.startswith("unix://"):
        return f"DOCKER_HOST is {HOST}; these tests ask the daemon through its socket"
    try:
        ping(HOST)
    except DaemonError as error:
        return str(error).splitlines()[0]
    images = [SERVERS["otelcol-contrib"].image, SERVERS["jaeger"].image, TOOLBOX.image]
    if absent := [image for image in images if docker(f"/images/{quote(image)}/json") is None]:
        return f"the Docker daemon does not have {', '.join(absent)}"
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return f"port {port}, which the backbone publishes, is in use"
    return None
