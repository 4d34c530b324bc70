"""A stack on a Docker host from its first preview to its end, with the real engine, provider and servers."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from typing import TYPE_CHECKING

from stacks.environment.source import ROOT
from stacks.show.query import fetch_trace
from tests.engine.conftest import HOST, docker
from tests.two_languages import build_quotes, trace_of_both
from tests.waiting import STALL_SECONDS, until
from tracing_lib import Outputs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.conftest import Stack


RESOURCES = 24
"""Resources of development on a Docker host, with the stack, its provider and the components `TracingBackbone` and `DockerHost`."""


def _tracked_changes() -> str:
    return subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def _served_ratio() -> float:
    with urllib.request.urlopen("http://127.0.0.1:5778/api/sampling?service=anyone") as answer:
        ratio: float = json.load(answer)["probabilisticSampling"]["samplingRate"]
        return ratio


def test_the_life_of_a_stack(stack: Stack, tmp_path: Path) -> None:
    tree = _tracked_changes()
    assert "nothing that could be compared is deployed yet" in stack("preview")
    assert stack.left() == []
    said = stack("up")
    assert "came out: the backbone works" in said
    assert f"{RESOURCES} created" in said

    running = stack.started()
    assert set(running) == {f"{stack.namespace}-{name}" for name in ("gateway", "jaeger", "sampling")}
    again = stack("up")
    assert "are the same" in again
    assert f"{RESOURCES} unchanged" in again
    assert stack.started() == running

    _two_languages(stack, tmp_path)

    stack.set("sampling", head_ratio="25 %")
    assert "head sampling 100 % → 25 %" in stack("up")
    assert stack.started() == running, "a changed strategy restarts nothing"
    until(lambda: _served_ratio() == 0.25)

    stack.set("sampling.tail", baseline="50 %")
    stack("up")
    after = stack.started()
    assert {name for name in running if running[name] != after[name]} == {f"{stack.namespace}-gateway"}

    stack.set("retention", traces="3d")
    warned = stack("preview")
    assert "retention 7d → 3d" in warned
    assert "spans already written keep their 7d" in warned
    stack.set("retention", traces="7d")

    assert "WARNING: this deletes the stored traces" in stack("destroy")
    assert stack.left() == []
    assert _tracked_changes() == tree


def _two_languages(stack: Stack, folder: Path) -> None:
    printed = json.loads(stack.pulumi("stack", "output", "--json", "--show-secrets"))
    trace_id = trace_of_both(printed, folder, build_quotes(folder))
    trace = fetch_trace(Outputs.parse(printed), trace_id, wait_seconds=STALL_SECONDS, until=("portal", "quotes"))
    assert trace.services == ("portal", "quotes")


def test_an_up_killed_with_its_engine_says_what_to_do_and_the_next_succeeds(stack: Stack) -> None:
    stack.ended(signal.SIGKILL, at="gateway-server creating", whom="all")
    refused = stack("up", fails=True)
    assert f"python -m stacks recover {stack.namespace}" in refused
    stack("recover")
    assert "came out: the backbone works" in stack("up")


def test_an_engine_killed_alone_is_told_by_its_signal_and_recovered_from(stack: Stack) -> None:
    said = stack.ended(signal.SIGKILL, at="jaeger-server creating", whom="engine", after=1)
    assert "the engine was ended by SIGKILL" in said
    assert f"then: python -m stacks recover {stack.namespace}" in said
    recovered = stack("recover")
    assert f"removed: Container {stack.namespace}-jaeger" in recovered
    assert "came out: the backbone works" in stack("up")
    assert f"{RESOURCES} unchanged" in stack("up")


def test_an_up_that_was_interrupted_by_its_user_goes_on_from_there(stack: Stack) -> None:
    said = stack.ended(signal.SIGINT, at="jaeger-server creating", whom="all")
    assert f"{stack.namespace}: `up` was interrupted" in said
    while "came out: the backbone works" not in said:
        said = stack.next(said)


def test_a_network_that_is_not_ours_is_said_and_left_alone(stack: Stack) -> None:
    docker("/networks/create", {"Name": stack.namespace, "CheckDuplicate": True})
    try:
        assert f"then: python -m stacks recover {stack.namespace}" in stack("up", fails=True)
        assert f"Network {stack.namespace}: there, not made by this stack" in stack("recover", fails=True)
        assert docker(f"/networks/{stack.namespace}") is not None
    finally:
        docker(f"/networks/{stack.namespace}", method="DELETE")
    stack("recover")
    assert "came out: the backbone works" in stack("up")


def test_a_daemon_that_does_not_answer_is_said_with_the_next_step(stack: Stack) -> None:
    stack.set("target", host="unix:///nowhere.sock")
    said = stack("up", fails=True)
    assert "unix:///nowhere.sock: the Docker daemon does not answer" in said
    assert "then: start it, or correct environment.target.host" in said
    stack.set("target", host=HOST)
    assert "came out: the backbone works" in stack("up")


def test_protected_traces_are_not_deleted_and_nothing_beside_them(stack: Stack) -> None:
    stack.set("backend", protect=True)
    stack("up")
    running = stack.started()
    refused = stack("destroy", fails=True)
    assert "the stored traces are protected, and nothing was deleted" in refused
    assert stack.started() == running
    stack.set("backend", protect=False)
    stack("up")
    stack("destroy")
    assert stack.left() == []
