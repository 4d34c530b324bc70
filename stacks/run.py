"""Running an environment on this machine, and a command against it whose traces are then shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from components.local.signals import stop_on_signals
from stacks.describe import left_out
from stacks.local import deploy
from stacks.units import format_percent

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

    from stacks.local import Running
    from stacks.source import Named

TRACE_WAIT_SECONDS = 30.0
STOP_SECONDS = 10.0


class _Voice:
    """Lines to the person at the terminal, with the time since the start."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def __call__(self, line: str) -> None:
        """Say one line; it may come from any thread."""
        sys.stderr.write(f"{time.monotonic() - self._since:7.1f} s  {line}\n")
        sys.stderr.flush()


def run(named: Named, command: Sequence[str], *, once: bool, state: Path | None = None) -> int:
    """Bring an environment up, run ``command`` against it, show the traces that it made, and stay up until Ctrl-C.

    The command finds the outputs at ``VIRTENGINE_TRACING_OUTPUTS``. When the last line that it prints is a JSON object with
    ``trace_ids`` and ``services``, each of those traces is waited for until all services have a span in it, and shown. Returns the exit
    status: 1 when a trace did not come, that of the command when it failed. With ``once`` it ends there. Raises ``LocalError``.
    """
    say = _Voice()
    say(f"{named.name} from {named.source}, as processes on this machine")
    for what in left_out(named.environment, "local"):
        say(f"without {what}")
    with stop_on_signals(say) as stopping, deploy(named, say=say, stopping=stopping, state=state) as running:
        say(f"outputs in {os.path.relpath(running.outputs_file)}: export VIRTENGINE_TRACING_OUTPUTS={running.outputs_file}")
        if command and (kept := named.environment.sampling.tail.baseline) < 1:
            say(f"{named.name} keeps {format_percent(kept)} of ordinary traces: the one to come may be among those that it drops")
        status = _against(running, command, say, stopping) if command else 0
        if not once and not stopping.is_set():
            say(f"user interface {running.outputs.ui_url}; Ctrl-C stops")
            stopping.wait()
    say("stopped; the traces are kept")
    return status


def _against(running: Running, command: Sequence[str], say: _Voice, stopping: threading.Event) -> int:
    """Run the command and show its traces."""
    say(f"running {' '.join(command)}")
    environment = os.environ | {"VIRTENGINE_TRACING_OUTPUTS": str(running.outputs_file)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        lines = _lines(process, stopping)
    if stopping.is_set():
        return 130  # what a shell reports of a program that Ctrl-C ended
    if process.returncode:
        say(f"{command[0]} ended with status {process.returncode}; what it said is above")
        return process.returncode
    return _show(running, lines[-1] if lines else "", say)


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


def _show(running: Running, last_line: str, say: _Voice) -> int:
    """Show the traces that the last line of a command names, as soon as the backend has them."""
    from stacks.tables import print_trace
    from stacks.trace import QueryError, fetch

    try:
        told = json.loads(last_line)
        wanted, services = list(told["trace_ids"]), list(told["services"])
    except (ValueError, KeyError, TypeError):
        return 0
    for trace_id in wanted:
        say(f"waiting for trace {trace_id} with spans of {', '.join(services)}")
        try:
            trace = fetch(running.outputs, trace_id, wait_seconds=TRACE_WAIT_SECONDS, services=services)
        except QueryError as error:
            say(str(error))
            return 1
        print_trace(running.outputs, trace, running.outputs_file.parent / "pages")
    return 0
