"""A real API server with PodSecurity admission, on an etcd that begins empty."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from components.documents.images import TEST_SERVERS
from components.local.errors import MissingProgramError
from components.local.programs import find_program
from stacks.environment.source import ROOT
from tests.cluster.server import ApiServer
from tests.waiting import STALL_SECONDS, cpu_ticks, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _programs() -> tuple[str, str]:
    """The API server and etcd. In CI one that is missing is a failure, elsewhere a skip that says why."""
    strict = os.environ.get("CI") == "true"
    etcd = shutil.which("etcd")
    if etcd is None or shutil.which("openssl") is None:
        message = "etcd or openssl is not on PATH: apt-get install etcd-server openssl"
        if strict:
            raise FileNotFoundError(message)
        pytest.skip(message)
    try:
        return str(find_program(TEST_SERVERS["kube-apiserver"], toolchain=ROOT / "toolchain", say=print)), etcd
    except MissingProgramError as error:
        if strict:
            raise
        pytest.skip(f"kube-apiserver is neither on PATH nor can it be built: {error}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STALL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server of the tests' own, as its one user an administrator; nothing acts on the objects that it keeps."""
    program, etcd = _programs()
    folder = tmp_path_factory.mktemp("cluster")
    subprocess.run(["openssl", "genrsa", "-out", folder / "accounts.key", "2048"], check=True, capture_output=True)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f'{token},tester,tester,"system:masters"\n')
    client, peer, port = _free_port(), _free_port(), _free_port()
    store, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    etcd_command = [etcd, f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync"]
    etcd_command += [f"--listen-client-urls={store}", f"--advertise-client-urls={store}", f"--listen-peer-urls={peers}"]
    etcd_command += [f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}"]
    server_command = [
        program,
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
    ]
    with ExitStack() as stack:
        stack.enter_context(_running(etcd_command, folder / "etcd.log"))
        log = folder / "kube-apiserver.log"
        process = stack.enter_context(_running(server_command, log))
        # The server's certificate is its own, made at its start.
        headers = {"Authorization": f"Bearer {token}"}
        http = stack.enter_context(httpx.Client(base_url=f"https://127.0.0.1:{port}", headers=headers, verify=False, timeout=STALL_SECONDS))  # noqa: S501
        _wait_until_ready(http, process, log)
        yield ApiServer(http)


def _wait_until_ready(http: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    def ready() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            return http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    until(ready, lambda: log.read_text(errors="replace")[-2000:], progress=lambda: cpu_ticks(process.pid), every=0.2)
