"""The real other sides: a kube-apiserver on etcd, SLURM's daemons, a Waldur-shaped server."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from components.documents.images import TEST_SERVERS
from components.local.errors import MissingProgramError
from components.local.programs import find_program
from stacks.source import ROOT
from tests.tracing_lib.adapters.slurm_site import SlurmSite, running_site
from tests.tracing_lib.adapters.waldur_server import WaldurServer, serving
from tracing_lib.pytest_plugin import traces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["traces"]

_READY_SECONDS: Final = 60.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start a server are marked as such."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and {"api_server", "slurm"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)


@dataclass(frozen=True)
class ApiServer:
    """A running kube-apiserver."""

    url: str
    token: str


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
            time.sleep(0.1)
        else:
            return


def _kube_apiserver() -> Path:
    try:
        return find_program(TEST_SERVERS["kube-apiserver"], toolchain=ROOT / "toolchain", say=print)
    except MissingProgramError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"kube-apiserver is neither on PATH nor can it be built: {error}")


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A kube-apiserver of the tests' own, with an etcd that begins empty."""
    etcd = shutil.which("etcd")
    if etcd is None or shutil.which("openssl") is None:
        pytest.skip("etcd or openssl is not on PATH: apt-get install etcd-server openssl (make debian)")
    program = _kube_apiserver()
    folder = tmp_path_factory.mktemp("kubernetes")
    subprocess.run(["openssl", "genrsa", "-out", folder / "sa.key", "2048"], check=True, capture_output=True)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f'{token},tester,tester,"system:masters"\n')
    client, peer, port = _free_port(), _free_port(), _free_port()
    stored = f"http://127.0.0.1:{client}"
    with ExitStack() as stack:
        command = [etcd, "--data-dir", str(folder / "etcd"), "--listen-client-urls", stored, "--advertise-client-urls", stored]
        command += ["--listen-peer-urls", f"http://127.0.0.1:{peer}", "--unsafe-no-fsync"]
        environment = {**os.environ, "ETCD_UNSUPPORTED_ARCH": "arm64"}
        _wait_for_port(client, stack.enter_context(_running(command, folder / "etcd.log", environment)), folder / "etcd.log")
        server = [
            str(program),
            f"--etcd-servers={stored}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={folder / 'certificates'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder / 'sa.key'}",
            f"--service-account-signing-key-file={folder / 'sa.key'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            f"--token-auth-file={folder / 'tokens.csv'}",
        ]
        log = folder / "kube-apiserver.log"
        _wait_for_port(port, stack.enter_context(_running(server, log)), log)
        _wait_until_ready(ApiServer(f"https://127.0.0.1:{port}", token), log)
        yield ApiServer(f"https://127.0.0.1:{port}", token)


def _wait_until_ready(server: ApiServer, log: Path) -> None:
    import httpx

    deadline = time.monotonic() + _READY_SECONDS
    headers = {"Authorization": f"Bearer {server.token}"}
    # The server's certificate is its own, made at its start.
    with httpx.Client(base_url=server.url, headers=headers, verify=False) as client:  # noqa: S501
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
            time.sleep(0.2)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmSite]:
    """SLURM's controller, node daemon and munge on this machine, under names and ports of the tests' own."""
    missing = [name for name in ("slurmctld", "slurmd", "sbatch", "munged", "mungekey") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not on PATH: apt-get install slurm-wlm munge (make debian)")
    if os.geteuid() != 0:
        pytest.skip("slurmd starts jobs for other users and must be root")
    with running_site(tmp_path_factory.mktemp("slurm")) as site:
        yield site


@pytest.fixture
def waldur() -> Iterator[WaldurServer]:
    with serving() as server:
        yield server
