"""Edits of a stack on a Docker host by the real engine, beside the restarts that `diff` names."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmarks.ledger.entries import EXACT, Entry
from stacks.environment.model import KEY
from stacks.environment.source import ROOT
from tests.engine.conftest import HOST, Stack, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

EDITS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("sampling", {"head_ratio": "25 %"}),
    ("sampling.tail", {"baseline": "50 %"}),
    ("retention", {"traces": "3d"}),
    ("aggregation", {"flush_interval": "10s"}),
    ("backend.resources", {"memory": "1280Mi"}),
)
"""The section and the settings of each edit."""


def how(_: float) -> str:
    """Sentence on what is done."""
    return "Development on a Docker host, edited and brought up by the real engine; when each container was started tells what restarted."


def unable() -> str:
    """Why the engine cannot be run here; empty where it can."""
    return why_not() or ""


def restarts(say: Callable[[str], None], _part: float) -> Iterator[Entry]:
    """Make the edits one after the other."""
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        stack = _stack(Path(folder))
        try:
            yield _up(stack, "the first `up`", say)
            for section, values in EDITS:
                yield from _edit(stack, section, values, say)
        finally:
            stack("destroy")


def _up(stack: Stack, words: str, say: Callable[[str], None]) -> Entry:
    """The seconds of an `up`, which no command foresees."""
    began = time.monotonic()
    stack("up")
    seconds = time.monotonic() - began
    say(f"{words} took {seconds:.0f} s")
    return Entry("up", "", f"seconds of {words}", "seconds", None, seconds, EXACT)


def _edit(stack: Stack, section: str, values: Mapping[str, object], say: Callable[[str], None]) -> Iterator[Entry]:
    before, running = stack.file.with_suffix(".before.yaml"), stack.started()
    before.write_text(stack.file.read_text())
    stack.set(section, **values)
    command = [sys.executable, "-m", "stacks", "diff", str(before), str(stack.file), "--json"]
    told = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout)
    foreseen = {f"{stack.namespace}-{one['workload']}" for one in told["workloads"] if one["effect"] == "restarts"}
    change = "; ".join(change["sentence"] for change in told["changes"])
    yield _up(stack, f"the `up` of {change}", say)
    after = stack.started()
    restarted = {name for name in running if after.get(name) != running[name]}
    right = sum((name in foreseen) is (name in restarted) for name in running)
    names = ", ".join(sorted(name.removeprefix(f"{stack.namespace}-") for name in foreseen)) or "nothing"
    words = f"{change}: {names} restarts, of {len(running)} workloads"
    yield Entry("diff", "workloads.*.effect", words, "workloads", len(running), right, EXACT)


def _stack(folder: Path) -> Stack:
    namespace = f"ledger-{uuid.uuid4().hex[:8]}"
    document = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    document["config"][KEY] |= {"namespace": namespace, "target": {"kind": "docker", "host": HOST}}
    made = Stack(folder / f"Pulumi.{namespace}.yaml", folder / "state", namespace)
    made.file.write_text(yaml.safe_dump(document, sort_keys=False))
    return made
