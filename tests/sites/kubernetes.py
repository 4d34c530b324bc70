"""A kube-apiserver of the tests' own, on an etcd that begins empty."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from components.documents.images import TEST_SERVERS
from components.local.errors import MissingProgramError
from components.local.ports import free_ports
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

    def client(self) -> httpx.Client:
        """A client that is the administrator."""
        # The server's certificate is its own, made at its start.
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, verify=False, timeout=STALL_SECONDS)  # noqa: S501


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


def _programs() -> tuple[str, str]:
    """The API server and etcd. In CI one that is missing is a failure, elsewhere a skip that says why."""
    strict = os.environ.get("CI") == "true"
    etcd = shutil.which("etcd")
    if etcd is None or shutil.which("openssl") is None:
        message = "etcd or openssl is not on PATH: apt-get install etcd-server openssl (make debian)"
        if strict:
            raise FileNotFoundError(message)
        pytest.skip(message)
    try:
        return str(find_program(TEST_SERVERS["kube-apiserver"], toolchain=ROOT / "toolchain", say=print)), etcd
    except MissingProgramError as error:
        if strict:
            raise
        pytest.skip(f"kube-apiserver is neither on PATH nor can it be built: {error}")


_QUIET = (
    "--watch-cache=false",
    "--enable-priority-and-fairness=false",
    "--etcd-count-metric-poll-period=0",
    "--etcd-db-metric-poll-interval=0",
    "--endpoint-reconciler-type=none",
    "--profiling=false",
)
"""What a server does besides answering, which would take processor time from the tests beside it."""


@contextmanager
def running_api_server(folder: Path) -> Iterator[ApiServer]:
    """Run one until the block ends; skip the test where its programs are not to be had."""
    program, etcd = _programs()
    subprocess.run(["openssl", "genrsa", "-out", folder / "accounts.key", "2048"], check=True, capture_output=True)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f'{token},tester,tester,"system:masters"\n')
    client, peer, port = free_ports(3)
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
        *_QUIET,
    ]
    with ExitStack() as stack:
        stack.enter_context(_running(etcd_command, folder / "etcd.log", {**os.environ, "ETCD_UNSUPPORTED_ARCH": "arm64"}))
        log = folder / "kube-apiserver.log"
        process = stack.enter_context(_running(server_command, log))
        started = ApiServer(f"https://127.0.0.1:{port}", token, folder / "certificates" / "apiserver.crt")
        with started.client() as http:
            _wait_until_ready(http, process, log)
            _make_account(http)
        yield started


def _wait_until_ready(http: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    def ready() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            return http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    until(ready, lambda: log.read_text(errors="replace")[-2000:], progress=lambda: cpu_ticks(process.pid), every=0.2)


def _make_account(http: httpx.Client) -> None:
    """Make the account of the pods of ``default``, which is otherwise a controller's work."""
    account = {"metadata": {"name": "default"}, "automountServiceAccountToken": False}
    until(
        lambda: http.post("/api/v1/namespaces/default/serviceaccounts", json=account).status_code in {201, 409},
        "the namespace default",
        every=0.2,
    )
