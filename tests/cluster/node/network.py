"""The rig's network: a namespace of its own, joined to the machine by one pair of interfaces, so that it goes as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.node.processes import run

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "virtengine-node"
NODE_INTERFACE = "vnode0"
NODE_ADDRESS = "10.249.0.1"
MACHINE_ADDRESS = "10.249.0.2"
POD_INTERFACE = "vpods0"
POD_RANGE = "10.248.0.0/24"
SERVICE_RANGE = "10.250.0.0/24"
PLUGIN_FOLDER = "/usr/lib/cni"
API_PORT = 6443
PATH = f"/run/netns/{NAMESPACE}"

KERNEL_SETTINGS: Mapping[str, str] = {
    "net/ipv4/ip_forward": "1",
    # Pod to Service where both ends hang on one bridge: the answer has to pass the translation back.
    "net/bridge/bridge-nf-call-iptables": "1",
}


def up() -> None:
    """Make the namespace; from the machine, pods and Services are reached through the node, as from a neighbour of it."""
    down()
    run("ip", "netns", "add", NAMESPACE)
    inside = ("ip", "-n", NAMESPACE)
    run("ip", "link", "add", NODE_INTERFACE, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
    run("ip", "address", "add", f"{MACHINE_ADDRESS}/24", "dev", NODE_INTERFACE)
    run("ip", "link", "set", NODE_INTERFACE, "up")
    run(*inside, "address", "add", f"{NODE_ADDRESS}/24", "dev", "eth0")
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "link", "set", "eth0", "up")
    run(*inside, "route", "add", "default", "via", MACHINE_ADDRESS)
    for reached in (POD_RANGE, SERVICE_RANGE):
        run("ip", "route", "replace", reached, "via", NODE_ADDRESS, "dev", NODE_INTERFACE)


def down() -> None:
    """Remove the namespace with its interfaces, addresses and firewall rules."""
    run("ip", "netns", "delete", NAMESPACE, check=False)
    run("ip", "link", "delete", NODE_INTERFACE, check=False)


def configure() -> None:
    """Set what forwarding needs; called inside of the namespace, whose settings are its own."""
    for name, value in KERNEL_SETTINGS.items():
        (Path("/proc/sys") / name).write_text(value)


def write_plugins(folder: Path) -> None:
    """The pod network: a bridge with addresses of the node's range."""
    folder.mkdir(parents=True, exist_ok=True)
    bridge = {
        "type": "bridge",
        "bridge": POD_INTERFACE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(folder / "addresses"),
            "ranges": [[{"subnet": POD_RANGE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    document = {"cniVersion": "0.4.0", "name": "node", "plugins": plugins}
    (folder / "10-node.conflist").write_text(json.dumps(document, indent=2))
