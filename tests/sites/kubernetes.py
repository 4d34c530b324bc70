"""A kube-apiserver of the tests' own, on an etcd that begins empty."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from components.documents.images import TEST_SERVERS
from components.local.errors import MissingProgramError
from components.local.programs import find_program
from stacks.environment.source import ROOT
from tests.waiting import STALL_SECONDS, cpu_ticks, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class ApiServer:
    """A running kube-apiserver."""

    url: str
    token: str
    certificates: Path
    """Its own certificate and that of the authority that signed it, PEM."""


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
            process.wait(STALL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    def listens() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        return False

    until(listens, lambda: log.read_text(errors="replace")[-2000:], progress=lambda: cpu_ticks(process.pid), every=0.1)


def _kube_apiserver() -> Path:
    try:
        return find_program(TEST_SERVERS["kube-apiserver"], toolchain=ROOT / "toolchain", say=print)
    except MissingProgramError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"kube-apiserver is neither on PATH nor can it be built: {error}")


@contextmanager
def running_api_server(folder: Path) -> Iterator[ApiServer]:
    """Run one until the block ends; skip the test where its programs are not to be had."""
    etcd = shutil.which("etcd")
    if etcd is None or shutil.which("openssl") is None:
        pytest.skip("etcd or openssl is not on PATH: apt-get install etcd-server openssl (make debian)")
    program = _kube_apiserver()
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
        started = ApiServer(f"https://127.0.0.1:{port}", token, folder / "certificates" / "apiserver.crt")
        _wait_until_ready(started, log)
        yield started


def _wait_until_ready(server: ApiServer, log: Path) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    # The server's certificate is its own, made at its start.
    with httpx.Client(base_url=server.url, headers=headers, verify=False, timeout=STALL_SECONDS) as client:  # noqa: S501
        until(lambda: client.get("/readyz").status_code == 200, lambda: log.read_text(errors="replace")[-2000:], every=0.2)
