"""Container images made on this machine from static programs on PATH, under the names that the bundle pins.

Each is one layer: the program where the official image has it, a folder for temporary files, no shell. ``docker load`` and
``ctr images import`` both take the archives.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.documents.images import SERVERS, TOOLBOX
from tests.cluster.node.processes import RigError, program, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.workload import Server

PAUSE = "virtengine.local/pause:1"
PAUSE_SOURCE = """
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void stop(int signal) { _exit(0); }
static void reap(int signal) { while (waitpid(-1, NULL, WNOHANG) > 0); }
int main(void) {
    signal(SIGINT, stop); signal(SIGTERM, stop); signal(SIGCHLD, reap);
    for (;;) pause();
}
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """How an official image runs its program: where it lies, its default arguments and its user.

    ``links`` are other names of the program beside it.
    """

    path: str
    user: str
    arguments: Sequence[str] = ()
    links: Sequence[str] = ()


LAYOUTS: Mapping[str, Layout] = {
    "otelcol-contrib": Layout("/otelcol-contrib", "10001:10001", ("--config", "/etc/otelcol-contrib/config.yaml")),
    "jaeger": Layout("/cmd/jaeger/jaeger-linux", "10001:10001"),
    "tempo": Layout("/tempo", "10001:10001"),
    "oauth2-proxy": Layout("/bin/oauth2-proxy", "65532:65532"),
    # Linked with musl: the name lookup of a static glibc dies where it finds no libraries.
    "busybox": Layout("/bin/busybox", "0:0", links=("chown", "cp", "env", "sh", "sleep", "true", "wget")),
}


def of(server: Server, folder: Path) -> Path:
    """An archive with the image of a server whose program is on PATH.

    Raises RigError when the program needs libraries, which an image of one file does not have.
    """
    found = Path(program(server.program)).resolve()
    layout = LAYOUTS[server.program]
    if b"/lib64/ld-linux" in found.read_bytes()[:4096]:
        raise RigError(f"{found} is linked dynamically; build it with CGO_ENABLED=0")
    return write(folder / f"{server.program}.tar", server.image, found, layout)


def of_all(programs: Sequence[str], folder: Path) -> Sequence[Path]:
    """An archive for each of the programs."""
    known = {**SERVERS, TOOLBOX.program: TOOLBOX}
    return [of(known[name], folder) for name in programs]


def pause(folder: Path) -> Path:
    """The image that holds a pod's namespaces: a C program that waits."""
    target = folder / "pause"
    run("gcc", "-Os", "-static", "-x", "c", "-o", str(target), "-", text=PAUSE_SOURCE)
    return write(folder / "pause.tar", PAUSE, target, Layout("/pause", "65535:65535"))


def write(archive: Path, reference: str, binary: Path, layout: Layout) -> Path:
    """An archive in Docker's format whose one layer holds the binary."""
    layer = archive.with_suffix(".layer")
    _write_layer(layer, binary, layout)
    digest = _sha256(layer)
    settings = {"Entrypoint": [layout.path], "Cmd": list(layout.arguments), "User": layout.user, "Env": ["PATH=/bin:/"], "WorkingDir": "/"}
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created_by": "tests/cluster/node/images.py"}],
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": [f"{digest}/layer.tar"]}]).encode()
    with tarfile.open(archive, "w") as tar:
        _add(tar, name, config)
        tar.add(layer, f"{digest}/layer.tar")
        _add(tar, "manifest.json", manifest)
    layer.unlink()
    return archive


def _write_layer(layer: Path, binary: Path, layout: Layout) -> None:
    path = Path(layout.path)
    with tarfile.open(layer, "w") as tar:
        parents = [str(parent).lstrip("/") for parent in reversed(path.parents)]
        for parent in [name for name in parents if name]:
            _add_folder(tar, parent, 0o755)
        _add_folder(tar, "tmp", 0o1777)
        info = tar.gettarinfo(str(binary), layout.path.lstrip("/"))
        info.mode, info.uid, info.gid, info.uname, info.gname, info.mtime = 0o755, 0, 0, "", "", 0
        with binary.open("rb") as content:
            tar.addfile(info, content)
        for link in layout.links:
            other = tarfile.TarInfo(str(path.with_name(link)).lstrip("/"))
            other.type, other.linkname = tarfile.SYMTYPE, path.name
            tar.addfile(other)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    tar.addfile(info)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
