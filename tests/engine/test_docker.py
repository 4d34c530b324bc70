"""A stack on a Docker host from its first preview to its end, with the real engine, provider and servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from stacks.source import ROOT
from tests.two_languages import build_quotes, clean, trace_of_both
from tracing_lib import Outputs, fetch_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.engine.conftest import Stack

pytestmark = pytest.mark.timeout(900)


def _tracked_changes() -> str:
    return subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def _served_ratio() -> float:
    with urllib.request.urlopen("http://127.0.0.1:5778/api/sampling?service=anyone") as answer:
        ratio: float = json.load(answer)["probabilisticSampling"]["samplingRate"]
        return ratio


def _printed(stack: Stack) -> dict[str, Any]:
    """What ``pulumi stack output --json --show-secrets`` prints, asked of Pulumi itself."""
    variables = clean() | {
        "PULUMI_BACKEND_URL": (stack.state / "backend").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(stack.state / "passphrase"),
    }
    command = ["pulumi", "stack", "output", "--json", "--show-secrets", "--stack", stack.namespace]
    printed: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, check=True).stdout)
    return printed


def _settings(stack: Stack, section: str, **values: object) -> None:
    def change(settings: dict[str, Any]) -> None:
        place = settings
        for part in section.split("."):
            place = place[part]
        place |= values

    stack.change(change)


def test_the_life_of_a_stack(stack: Stack, tmp_path: Path) -> None:
    tree = _tracked_changes()
    assert "nothing that could be compared is deployed yet" in stack("preview")
    assert stack.left() == []
    said = stack("up")
    assert "came out: the backbone works" in said
    assert "23 created" in said

    running = stack.started()
    assert set(running) == {f"{stack.namespace}-{name}" for name in ("gateway", "jaeger", "sampling")}
    again = stack("up")
    assert "are the same" in again
    assert "23 unchanged" in again
    assert stack.started() == running

    _two_languages(stack, tmp_path)

    _settings(stack, "sampling", head_ratio="25 %")
    assert "head sampling 100 % → 25 %" in stack("up")
    assert stack.started() == running, "a changed strategy restarts nothing"
    _until(lambda: _served_ratio() == 0.25)

    _settings(stack, "sampling.tail", baseline="50 %")
    stack("up")
    after = stack.started()
    assert {name for name in running if running[name] != after[name]} == {f"{stack.namespace}-gateway"}

    _settings(stack, "retention", traces="3d")
    warned = stack("preview")
    assert "retention 7d → 3d" in warned
    assert "spans already written keep their 7d" in warned
    _settings(stack, "retention", traces="7d")

    assert "WARNING: this deletes the stored traces" in stack("destroy")
    assert stack.left() == []
    assert _tracked_changes() == tree


def _two_languages(stack: Stack, folder: Path) -> None:
    printed = _printed(stack)
    trace_id = trace_of_both(printed, folder, build_quotes(folder))
    trace = fetch_trace(Outputs.parse(printed), trace_id, wait_seconds=30, until=("portal", "quotes"))
    assert trace.services == ("portal", "quotes")


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_an_up_that_was_killed_says_what_to_do_and_then_the_next_one_succeeds(stack: Stack) -> None:
    command = [sys.executable, "-m", "stacks", "up", str(stack.file), "--state", str(stack.state)]
    log = stack.file.with_suffix(".log")
    with log.open("w") as into:
        process = subprocess.Popen(command, cwd=ROOT, env=clean() | {"YES": "1"}, stdout=into, stderr=into, start_new_session=True)
    _until_in(log, "gateway-server creating")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    refused = stack("up", fails=True)
    assert f"python -m stacks recover {stack.namespace}" in refused
    stack("recover")
    assert "came out: the backbone works" in stack("up")


def _until_in(log: Path, text: str) -> None:
    deadline = time.monotonic() + 120
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_a_daemon_that_does_not_answer_is_said_with_the_next_step(stack: Stack) -> None:
    _settings(stack, "target", host="unix:///nowhere.sock")
    said = stack("up", fails=True)
    assert "unix:///nowhere.sock: the Docker daemon does not answer" in said
    assert "then: start it, or correct environment.target.host" in said


def test_protected_traces_are_not_deleted_and_nothing_beside_them(stack: Stack) -> None:
    _settings(stack, "backend", protect=True)
    stack("up")
    running = stack.started()
    refused = stack("destroy", fails=True)
    assert "the stored traces are protected, and nothing was deleted" in refused
    assert stack.started() == running
    _settings(stack, "backend", protect=False)
    stack("up")
    stack("destroy")
    assert stack.left() == []
