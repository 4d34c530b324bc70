"""Running an environment from the outside, as a person does; the tutorial's test runs VirtEngine in small against one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stacks.environment.source import ROOT
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from pathlib import Path


def stacks(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "stacks", *arguments]


def descendants(marker: str) -> list[str]:
    """The command lines of processes that have a text in their arguments."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/cmdline", "rb") as line:  # noqa: PTH123 - a process may be gone by now
                    command = line.read().decode(errors="replace")
            except OSError:
                continue
            if marker in command:
                found.append(command)
    return found


@pytest.mark.usefixtures("programs")
def test_it_stays_up_until_sigterm_and_leaves_no_process_behind(tmp_path: Path) -> None:
    outputs = tmp_path / "dev" / "outputs.json"
    running = subprocess.Popen(stacks("run", "dev", "--state", str(tmp_path)), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: outputs.is_file() or running.poll() is not None, "the backbone to run")
        assert json.loads(outputs.read_text())["environment"] == "dev"
        asked = subprocess.run(
            stacks("trace", "0" * 31 + "1", "dev", "--wait", "0", "--state", str(tmp_path)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 1
        assert "has no trace" in asked.stderr
        told = subprocess.run(
            stacks("verify", "dev", "--json", "--state", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stdout + told.stderr
        verdicts = {one["promise"]: one["verdict"] for one in json.loads(told.stdout)["promises"]}
        absent = {"intake", "strategies-access", "login", "certificates"}
        assert {name for name, verdict in verdicts.items() if verdict == "not promised"} == absent
        assert {name for name, verdict in verdicts.items() if verdict == "cannot be told"} == {"share", "alerts"}
        again = subprocess.run(stacks("run", "dev", "--state", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, check=False)
        assert again.returncode == 2
        assert "already running" in again.stderr
        assert outputs.is_file(), "a second start takes nothing away from the first"
    finally:
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=STALL_SECONDS)
    assert running.returncode == 0
    assert "stopped" in said
    assert not outputs.exists()
    assert descendants(str(tmp_path)) == []


@pytest.mark.usefixtures("programs")
def test_a_command_that_fails_gives_its_status_and_stops_the_backbone(tmp_path: Path) -> None:
    command = stacks("run", "dev", "--once", "--state", str(tmp_path), "--", sys.executable, "-c", "raise SystemExit(7)")
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 7
    assert descendants(str(tmp_path)) == []


def test_a_trace_of_an_environment_that_does_not_run_says_how_to_start_it(tmp_path: Path) -> None:
    answer = subprocess.run(
        stacks("trace", "1" * 32, "dev", "--state", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert answer.stderr.strip() == f"dev: does not run on this machine; start it: python -m stacks run dev --state {tmp_path}"
