"""The node proper: containerd, the kubelet and the Service proxy, all below one folder."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.node import images, network
from tests.cluster.node.processes import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.node.api import Api
    from tests.cluster.node.processes import Processes

NAME = "node-1"
START_SECONDS = 120
NAMESPACE = "k8s.io"
NAMESPACES_BEFORE = frozenset(line.split()[0] for line in run("ip", "netns", "list").splitlines())
"""Network namespaces that were there before this rig, which are not its to remove."""


def socket(folder: Path) -> str:
    """Where containerd listens."""
    return str(folder / "containerd.sock")


def start(processes: Processes, folder: Path, api: Api, archives: Sequence[Path]) -> None:
    """Start the node and wait until it is ready for pods."""
    _container_runtime(processes, folder)
    for archive in (images.pause(folder), *archives):
        run("ctr", "--address", socket(folder), "--namespace", NAMESPACE, "images", "import", str(archive))
    network.write_plugins(folder / "network")
    kubeconfig = str(folder / "kubeconfig")
    kubelet = _write(folder / "kubelet.json", _kubelet(folder))
    processes.start(
        "kubelet",
        f"--config={kubelet}",
        f"--kubeconfig={kubeconfig}",
        f"--root-dir={folder / 'kubelet'}",
        f"--hostname-override={NAME}",
        f"--node-ip={network.NODE_ADDRESS}",
    )
    proxy = _write(folder / "kube-proxy.json", _proxy(kubeconfig))
    processes.start("kube-proxy", f"--config={proxy}", f"--hostname-override={NAME}")
    processes.wait_for("ready node", lambda: _ready(api), START_SECONDS)


def stop(processes: Processes, folder: Path) -> None:
    """Stop the node and what runs on it; what cannot be removed any more is left out silently, the machine being reused as it is."""
    processes.stop("kubelet")
    processes.stop("kube-proxy")
    ctr = ("ctr", "--address", socket(folder), "--namespace", NAMESPACE)
    for container in run(*ctr, "tasks", "list", "--quiet", check=False).split():
        run(*ctr, "tasks", "kill", "--signal", str(int(signal.SIGKILL)), "--all", container, check=False)
        run(*ctr, "tasks", "delete", "--force", container, check=False)
    for container in run(*ctr, "containers", "list", "--quiet", check=False).split():
        run(*ctr, "containers", "delete", container, check=False)
    processes.stop("containerd")
    for line in run("ip", "netns", "list").splitlines():
        namespace = line.split()[0]
        if namespace.startswith("cni-") and namespace not in NAMESPACES_BEFORE:
            run("ip", "netns", "delete", namespace, check=False)
    for line in reversed(Path("/proc/mounts").read_text().splitlines()):
        mount = line.split()[1]
        if mount.startswith(f"{folder}/"):
            run("umount", "--lazy", mount, check=False)


def _ready(api: Api) -> bool:
    for node in api.get("/api/v1/nodes")["items"]:
        conditions = {condition["type"]: condition["status"] for condition in node["status"].get("conditions", ())}
        return conditions.get("Ready") == "True" and not node["spec"].get("taints")
    return False


def _write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document, indent=2))
    return path


def _container_runtime(processes: Processes, folder: Path) -> None:
    for state in ("containerd", "containerd-state"):
        shutil.rmtree(folder / state, ignore_errors=True)
    config = folder / "containerd.toml"
    config.write_text(f"""\
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
[grpc]
  address = "{socket(folder)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.PAUSE}"
  # Without it, where raising a score is not allowed: "can't get final child's PID from pipe".
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{network.PLUGIN_FOLDER}"
  conf_dir = "{folder}/network"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/containerd-opt"
""")
    processes.start("containerd", f"--config={config}")
    ready = ("ctr", "--address", socket(folder), "version")
    processes.wait_for("container runtime", lambda: Path(socket(folder)).exists() and bool(run(*ready, check=False)), 30)


def _kubelet(folder: Path) -> dict[str, Any]:
    resolver = folder / "resolv.conf"
    resolver.write_text("")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network.NODE_ADDRESS,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        # Pods ask for ephemeral storage, which a node does not offer without it.
        "localStorageCapacityIsolation": True,
        "containerRuntimeEndpoint": f"unix://{socket(folder)}",
        "clusterDNS": [network.NODE_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(resolver),
        "podLogsDir": str(folder / "logs" / "pods"),
        "staticPodPath": "",
        # The images were made here and cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%", "memory.available": "100Mi"},
        "syncFrequency": "10s",
    }


def _proxy(kubeconfig: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": kubeconfig},
        "clusterCIDR": network.POD_RANGE,
        "conntrack": {"maxPerCore": 0, "min": 0},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{network.NODE_ADDRESS}/32"],
    }
