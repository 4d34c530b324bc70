"""The shape of a cluster from the outside: up in time, listed, and gone without a trace however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from stacks.environment.source import ROOT
from tests.waiting import STALL_SECONDS, load_per_core, until

if TYPE_CHECKING:
    from pathlib import Path

UP_SECONDS = 30


def stacks(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "stacks", *arguments]


def lives(pid: int) -> bool:
    return subprocess.run(["kill", "-0", str(pid)], capture_output=True, check=False).returncode == 0


@pytest.mark.usefixtures("surroundings", "foreground_signals")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_shape_is_up_in_time_listed_and_leaves_no_process(tmp_path: Path, end: signal.Signals) -> None:
    outputs, since = tmp_path / "prod" / "outputs.json", time.monotonic()
    command = stacks("run", "prod", "--shape", "cluster", "--nodes", "2", "--state", str(tmp_path))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: outputs.is_file() or running.poll() is not None, "the outputs")
        assert time.monotonic() - since < UP_SECONDS * load_per_core()
        listed = subprocess.run(
            stacks("ps", "prod", "--json", "--state", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, check=True
        )
        pids = {one["instance"]: one["pid"] for one in json.loads(listed.stdout)}
        assert {"agent-0", "agent-1", "gateway-0", "gateway-1", "gateway-2", "jaeger-0", "access-0"} <= pids.keys()
        assert all(lives(pid) for pid in pids.values())
        running.send_signal(end)
        running.communicate(timeout=STALL_SECONDS)
        assert running.returncode == (-end if end is signal.SIGKILL else 0)
    until(lambda: not any(lives(pid) for pid in pids.values()), "the end of every server")
    if end is not signal.SIGKILL:
        assert not outputs.exists()
        assert not (tmp_path / "prod" / "secrets").exists()


def test_what_does_not_run_is_told_with_the_command_that_starts_it(tmp_path: Path) -> None:
    for verb in (["ps", "prod"], ["fault", "prod", "kill", "gateway-0"], ["load", "prod"]):
        answer = subprocess.run(stacks(*verb, "--state", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, check=False)
        assert answer.returncode == 2
        assert answer.stderr.strip().endswith(f"start it with: python -m stacks run prod --state {tmp_path}")
