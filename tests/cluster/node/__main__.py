"""``python -m tests.cluster.node``: start a node, say where its kubeconfig is, and stop it on SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.cluster.node import control_plane, images, kubelet, network
from tests.cluster.node.dns import NameServer
from tests.cluster.node.processes import Processes, RigError, program
from tests.cluster.node.storage import Storage

CHECK_SECONDS = 2.0


def main() -> int:
    """Run the rig until it is told to stop; the exit code is 1 when something did not start or ended by itself."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.node", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".state/node"), help="where everything is kept (default: .state/node)")
    parser.add_argument("--context", default="virtengine-test", help="the name of the context in the kubeconfig")
    parser.add_argument("--image", action="append", default=[], metavar="PROGRAM", help="make and load the image of this server")
    parser.add_argument("--archive", action="append", default=[], type=Path, help="load this image archive too")
    parser.add_argument("--storage-class", action="append", default=[], help="a storage class to make; the first is the default")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.stderr.write("a node needs root: container runtime, network interfaces, mounts\n")
        return 1
    try:
        return _inside(arguments) if arguments.inside else _outside()
    except RigError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _outside() -> int:
    """Make the network namespace, run the rig in it, and remove it."""
    network.up()
    itself = [sys.executable, "-m", "tests.cluster.node", *sys.argv[1:], "--inside"]
    child = subprocess.Popen([program("nsenter"), f"--net={network.PATH}", *itself], start_new_session=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: child.terminate())
    try:
        return child.wait()
    finally:
        network.down()


def _inside(arguments: argparse.Namespace) -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    folder: Path = arguments.folder.resolve()
    processes = Processes(folder / "logs")
    helpers: list[NameServer | Storage] = []
    network.configure()
    try:
        api = control_plane.start(processes, folder, arguments.context)
        helpers = [NameServer(api, network.NODE_ADDRESS), Storage(api, folder / "volumes", arguments.storage_class or ["standard"])]
        kubelet.start(processes, folder, api, [*images.of_all(arguments.image, folder), *arguments.archive])
        sys.stdout.write(f"ready: KUBECONFIG={folder / 'kubeconfig'}\n")
        sys.stdout.flush()
        while not stop.wait(CHECK_SECONDS):
            if ended := processes.ended():
                raise RigError("\n".join(f"{name} ended by itself:\n{processes.tail(name)}" for name in ended))
    finally:
        kubelet.stop(processes, folder)
        for helper in helpers:
            helper.close()
        processes.stop_all()
    return 0


sys.exit(main())
