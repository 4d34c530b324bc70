"""etcd, the API server, the controllers and the scheduler."""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING

from tests.cluster.node.api import Api
from tests.cluster.node.network import API_PORT, NODE_ADDRESS, SERVICE_RANGE
from tests.cluster.node.processes import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.node.processes import Processes

ETCD_PORT = 2479
ETCD_PEER_PORT = 2480
START_SECONDS = 90


def start(processes: Processes, folder: Path, context: str) -> Api:
    """Start the control plane and write ``folder/kubeconfig``."""
    keys = folder / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe()
    (keys / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    run("openssl", "genrsa", "-out", str(keys / "accounts.key"), "2048")
    _etcd(processes, folder)
    api = Api(f"https://{NODE_ADDRESS}:{API_PORT}", keys / "apiserver.crt", token)
    _api_server(processes, keys)
    processes.wait_for("API server", lambda: api.certificate.exists() and api.ready(), START_SECONDS)
    api.write_kubeconfig(folder / "kubeconfig", context)
    _controllers(processes, folder)
    return api


def _etcd(processes: Processes, folder: Path) -> None:
    data = folder / "etcd"
    shutil.rmtree(data, ignore_errors=True)  # one left by a killed run: "Too large resource version"
    client, peer = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PEER_PORT}"
    processes.start(
        "etcd",
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    )


def _api_server(processes: Processes, keys: Path) -> None:
    processes.start(
        "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{ETCD_PORT}",
        f"--bind-address={NODE_ADDRESS}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--secure-port={API_PORT}",
        f"--cert-dir={keys}",
        f"--token-auth-file={keys / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--allow-privileged=false",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={keys / 'accounts.key'}",
        f"--service-account-signing-key-file={keys / 'accounts.key'}",
        # The kubelet has one address, and the API server is on the same machine.
        "--kubelet-preferred-address-types=InternalIP",
    )


def _controllers(processes: Processes, folder: Path) -> None:
    kubeconfig = f"--kubeconfig={folder / 'kubeconfig'}"
    shared = (kubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1")
    processes.start(
        "kube-controller-manager",
        *shared,
        f"--root-ca-file={folder / 'keys' / 'apiserver.crt'}",
        f"--service-account-private-key-file={folder / 'keys' / 'accounts.key'}",
    )
    processes.start("kube-scheduler", *shared)
