"""Running an environment on this machine, and a command against it whose story is then shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.local.instances import command_for, read_listing
from components.local.signals import stop_on_signals
from stacks.environment.units import format_percent
from stacks.placement import local
from stacks.show.describe import left_out
from stacks.show.trace import QueryError, where_to_look

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from stacks.environment.source import Named
    from stacks.placement.local import Running
    from stacks.plan.addresses import Shape

STORY_WAIT_SECONDS = 30.0
STORED_SECONDS = 1.0
"""Seconds until a query finds a trace that tail sampling has decided on."""
STOP_SECONDS = 30.0


class _Voice:
    """Lines to the person at the terminal, with the time since the start."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def __call__(self, line: str) -> None:
        """Say one line; it may come from any thread."""
        sys.stderr.write(f"{time.monotonic() - self._since:7.1f} s  {line}\n")
        sys.stderr.flush()


DEFAULT_NODES = 3
"""Agents in the shape of a cluster where nothing else is said: enough to see one of several fail, few enough for a laptop."""


@dataclass(frozen=True, slots=True)
class Placing:
    """Options of ``run``: the shape, the folder of the state, and for the shape of a cluster the number of agents.

    ``disks`` makes each volume a file system of its own size, in memory.
    """

    shape: Shape = "one-host"
    nodes: int | None = None
    state: Path | None = None
    disks: bool = False


def run(named: Named, command: Sequence[str], placing: Placing, *, once: bool) -> int:
    """Bring an environment up, run ``command`` against it, show the traces that it made, and stay up until Ctrl-C.

    The command finds the outputs at ``VIRTENGINE_TRACING_OUTPUTS``. When the last line that it prints is a JSON object with ``story``
    (key and value of an attribute), ``services`` and ``since`` (seconds since 1970), the traces that have the attribute are waited for
    until all services have a span in them, and shown as one tree. Returns the exit status: 1 when they did not come, that of the command
    when it failed. With ``once`` it ends there. Raises ``LocalError``.
    """
    say = _Voice()
    how = "in the shape of a cluster" if placing.shape == "cluster" else "as processes"
    say(f"{named.name} from {named.source}, {how} on this machine")
    for what in left_out(named.environment, placing.shape):
        say(f"without {what}")
    with stop_on_signals(say) as stopping, _placed(named, placing, say, stopping) as running:
        if placing.shape == "cluster":
            _say_where(running, say)
        say(f"outputs in {os.path.relpath(running.outputs_file)}: export VIRTENGINE_TRACING_OUTPUTS={running.outputs_file}")
        if command and (kept := named.environment.sampling.tail.baseline) < 1:
            say(f"{named.name} keeps {format_percent(kept)} of ordinary traces: the one to come may be among those that it drops")
        status = _against(running, named, command, say, stopping) if command else 0
        if not once and not stopping.is_set():
            read = command_for("trace TRACE_ID", running.outputs_file.parent)
            say(f"{where_to_look(running.outputs, read)}; Ctrl-C stops")
            stopping.wait()
    say("stopped; the traces are kept")
    return status


def _say_where(running: Running, say: _Voice) -> None:
    """Say where everything is."""
    from stacks.show.tables import print_instances

    print_instances(read_listing(running.outputs_file.parent))
    for what, url in running.places.items():
        say(f"{what} {url}")


def _placed(named: Named, placing: Placing, say: _Voice, stopping: threading.Event) -> AbstractContextManager[Running]:
    """The environment in the wanted shape."""
    if placing.shape == "one-host":
        return local.deploy(named, say=say, stopping=stopping, state=placing.state)
    from stacks.placement import small

    wanted = placing.nodes or min(named.environment.load.nodes, DEFAULT_NODES)
    return small.deploy(named, nodes=wanted, say=say, stopping=stopping, state=placing.state, disks=placing.disks)


def _against(running: Running, named: Named, command: Sequence[str], say: _Voice, stopping: threading.Event) -> int:
    """Run the command and show its story."""
    say(f"running {' '.join(command)}")
    environment = os.environ | {"VIRTENGINE_TRACING_OUTPUTS": str(running.outputs_file)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        lines = _lines(process, stopping)
    if stopping.is_set():
        return 130  # what a shell reports of a program that Ctrl-C ended
    if process.returncode:
        say(f"{command[0]} ended with status {process.returncode}; what it said is above")
        return process.returncode
    return _show(running, lines[-1] if lines else "", named, say)


def _lines(process: subprocess.Popen[str], stopping: threading.Event) -> list[str]:
    """The lines that a command prints, until it ends or is to be stopped."""
    while process.poll() is None and not stopping.wait(0.05):
        pass
    if process.poll() is None:
        process.terminate()
    try:
        printed, _ = process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        printed, _ = process.communicate()
    return printed.strip().splitlines()


def _show(running: Running, told: str, named: Named, say: _Voice) -> int:
    """Show the story that the last line of a command names, as soon as the backend has it, and what all services did meanwhile."""
    from stacks.show.story import everything, not_told, wait_for
    from stacks.show.tables import print_story, print_summaries

    try:
        wanted = json.loads(told)
        key, value = wanted["story"]
        services, since = list(wanted["services"]), float(wanted["since"])
    except (ValueError, KeyError, TypeError):
        return 0
    say(f"waiting for the story of {value}, with spans of {', '.join(services)}")
    settled = named.environment.sampling.tail.wait.total_seconds() + STORED_SECONDS
    try:
        story = wait_for(running.outputs, key, value, services, since=since, seconds=STORY_WAIT_SECONDS, settled=settled)
        traces = everything(running.outputs, services, since=since)
    except QueryError as error:
        say(str(error))
        return 1
    if not story.traces:
        say("\n".join([f"no trace of {value} was found within {STORY_WAIT_SECONDS:g} s", *not_told(story.untold)]))
        return 1
    print_story(story, running.outputs_file.parent / "pages")
    print_summaries(f"{len(traces)} traces of this run", traces)
    missing = [name for name in services if name not in story.services]
    if missing:
        say(f"the story has no span of {', '.join(missing)}")
    return 1 if missing else 0
