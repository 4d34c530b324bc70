"""A SLURM site of one node: munged, slurmctld and slurmd from Debian, as child processes, on ports and in folders of their own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from components.local.ports import free_ports
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class SlurmSite:
    """A running site."""

    environment: dict[str, str]
    """What SLURM's commands need to find it."""
    folder: Path


_CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/linear
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={daemon} CPUs=1 State=UNKNOWN
PartitionName=main Nodes=node1 Default=YES MaxTime=5 State=UP
"""


@contextmanager
def _daemon(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
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


@contextmanager
def running_site(folder: Path) -> Iterator[SlurmSite]:
    """Run a site until the block ends; skip the test where it cannot run."""
    missing = [name for name in ("slurmctld", "slurmd", "sbatch", "munged", "mungekey") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not on PATH: apt-get install slurm-wlm munge (make debian)")
    if os.geteuid() != 0:
        pytest.skip("slurmd starts jobs for other users and must be root")
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir()
    key = folder / "munge" / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    # munged refuses a key or socket in a folder that others may write to.
    for part in (folder, folder / "munge"):
        part.chmod(0o755)
    configuration = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    controller, daemon = free_ports(2)
    configuration.write_text(_CONFIGURATION.format(host=host, folder=folder, controller=controller, daemon=daemon))
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    munged = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket", "--num-threads=2"]
    munged += [f"--log-file={folder}/munged.log", f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munged.seed"]
    with ExitStack() as stack:
        for command in ([*munged], ["slurmctld", "-D", "-i"], ["slurmd", "-D", "-N", "node1", "-c"]):
            program = shutil.which(command[0]) or command[0]
            stack.enter_context(_daemon([program, *command[1:]], folder / f"{command[0]}.out", environment))
            if command[0] == "munged":
                _wait((folder / "munge.socket").exists, folder)
        _wait(lambda: _idle(environment), folder)
        try:
            yield SlurmSite({"SLURM_CONF": str(configuration)}, folder)
        finally:
            # A job that outlives its daemons keeps a slurmstepd for ever, which has nobody to report to.
            subprocess.run(["scancel", "--partition=main"], env=environment, check=False)
            _wait(lambda: not _told(environment, "squeue", "--noheader"), folder)


def _idle(environment: dict[str, str]) -> bool:
    return _told(environment, "sinfo", "--noheader", "--format=%T") == "idle"


def _told(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


def _wait(ready: Callable[[], bool], folder: Path) -> None:
    def logs() -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in sorted(folder.glob("*.[lo]*")))

    until(ready, lambda: f"SLURM:\n{logs()}", progress=logs, every=0.2)
