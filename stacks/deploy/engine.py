"""The Pulumi engine on one stack: running its commands, and reading what it plans and does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stacks.deploy.hints import cancelled, hint, interrupted, killed
from stacks.deploy.output import passed_on
from stacks.environment.model import PROJECT
from stacks.environment.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from stacks.deploy.hints import Place

STACK = "pulumi:pulumi:Stack"
OUTPUTS = "outputs"
"""The operation of the step by which a stack has other outputs, which are no resource."""

_SHELL_SIGNALS = 128


class EngineError(Exception):
    """The engine could not do what it was asked. The text says what it said and the next command; the stack can be tried again.

    ``events`` are the steps that it had planned or done until then.
    """

    def __init__(self, text: str, events: Sequence[Event] = ()) -> None:
        super().__init__(text)
        self.events = tuple(events)


class EngineStoppedError(EngineError):
    """The engine was stopped because what it waited for cannot come to be. The text says what that is and the next command."""


class EngineInterruptedError(EngineError):
    """The user interrupted the engine. ``at_once`` says that it was not given the time to note what it was doing."""

    def __init__(self, text: str, events: Sequence[Event] = (), *, at_once: bool = False) -> None:
        super().__init__(text, events)
        self.at_once = at_once


class Watch(Protocol):
    """A look at the target while the engine works on it."""

    @property
    def verdict(self) -> str | None:
        """The reason why it stopped the engine, and the next command; None when it did not."""

    def beside(self, stop: Callable[[], None]) -> AbstractContextManager[None]:
        """Look at the target for as long as the context lasts; ``stop`` asks the engine to end."""


@dataclass(frozen=True, slots=True)
class Event:
    """A step that the engine plans or has done: what it does to which resource, and the inputs of that before and after.

    ``record`` is the resource as the state would keep it, secrets masked; empty for one that goes. Only ``Engine.planned`` knows of what
    it depends on. ``differing`` are the inputs that differ, as far as the engine tells.
    """

    operation: str
    urn: str
    kind: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    record: Mapping[str, Any] = field(default_factory=dict)
    differing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Engine:
    """A stack of the engine. ``stack_file`` is the copy that the engine reads, in a folder of its own."""

    command: str
    variables: Mapping[str, str]
    place: Place
    stack_file: Path

    @property
    def name(self) -> str:
        """The name of the stack."""
        return self.place.name

    def ask(self, *arguments: str) -> str:
        """The standard output of a command that changes nothing. Raises ``EngineError``."""
        done = self._run(arguments, cwd=self.stack_file.parent)
        if done.returncode:
            raise EngineError(hint(done.stderr or done.stdout, self.place))
        return done.stdout

    def exists(self) -> bool:
        """Whether the stack was ever made."""
        known: list[dict[str, Any]] = json.loads(self.ask("stack", "ls", "--json"))
        return any(stack["name"].rpartition("/")[2] == self.name for stack in known)

    def make(self) -> None:
        """Make the stack where it does not exist. Raises ``EngineError``."""
        if not self.exists():
            self.ask("stack", "init", self.name, "--no-select", "--non-interactive")

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """The stack outputs; empty when nothing is deployed. Secrets are placeholders unless asked for. Raises ``EngineError``."""
        shown = ["--show-secrets"] if show_secrets else []
        found: dict[str, Any] = json.loads(self.ask("stack", "output", "--json", "--stack", self.name, *shown))
        return found

    def state(self) -> dict[str, Any]:
        """The deployment as the engine keeps it, secrets encrypted. Raises ``EngineError``."""
        return self._exported()["deployment"] or {}

    def keep_state(self, deployment: Mapping[str, Any]) -> None:
        """Put a changed deployment in the place of the one that ``state`` gave. Raises ``EngineError``."""
        text = json.dumps(self._exported() | {"deployment": deployment})
        done = self._run(("stack", "import", "--stack", self.name), cwd=self.stack_file.parent, text=text)
        if done.returncode:
            raise EngineError(hint(done.stderr or done.stdout, self.place))

    def _exported(self) -> dict[str, Any]:
        exported: dict[str, Any] = json.loads(self.ask("stack", "export", "--stack", self.name))
        return exported

    def planned(self) -> list[Event]:
        """The steps that an ``up`` would take, none for what stays as it is. Nothing is shown.

        Raises ``EngineError`` with the steps that it had planned until then.
        """
        options = ("--config-file", str(self.stack_file), "--json", "--show-replacement-steps")
        done = self._run(("preview", "--stack", self.name, *options), cwd=ROOT)
        try:
            digest = json.loads(done.stdout)
        except ValueError:
            # It ended before it had anything to tell.
            raise EngineError(hint(done.stderr or done.stdout, self.place)) from None
        steps = [_step(step, "oldState", "newState") for step in digest.get("steps", [])]
        if done.returncode:
            errors = [told["message"] for told in digest.get("diagnostics", []) if told["severity"] == "error"]
            raise EngineError(hint("\n".join([*errors, done.stderr]), self.place), steps)
        return steps

    def operate(self, verb: str, *options: str, watch: Watch | None = None) -> list[Event]:
        """Run a command on the stack, its progress shown as Pulumi shows it, and return its steps.

        ``watch`` looks at the target meanwhile, and may stop the command. Raises ``EngineError``, ``EngineStoppedError`` with what the
        watch has found, and ``EngineInterruptedError`` where the user pressed Ctrl-C meanwhile, whatever came of it.
        """
        log = Path(tempfile.mkdtemp(prefix=f"{verb}-", dir=self.stack_file.parent)) / "events"
        colour = ("--color", "always" if sys.stdout.isatty() else "never")
        arguments = (verb, "--stack", self.name, "--config-file", str(self.stack_file), "--event-log", str(log), *colour, *options)
        try:
            with _interruptions() as heard:
                code, said = self._shown(arguments, watch)
            events = list(_events(log))
        finally:
            log.unlink(missing_ok=True)
            log.parent.rmdir()
        steps = [_step(event["resourcePreEvent"]["metadata"], "old", "new") for event in events if "resourcePreEvent" in event]
        steps += _changed_outputs(events)
        diagnostics = [e["diagnosticEvent"]["message"] for e in events if e.get("diagnosticEvent", {}).get("severity") == "error"]
        if watch is not None and watch.verdict is not None and code and not heard:
            raise EngineStoppedError(watch.verdict, steps)
        self._check(verb, code, "\n".join([*diagnostics, said]), steps, interruptions=len(heard))
        return steps

    def _shown(self, arguments: Sequence[str], watch: Watch | None) -> tuple[int, str]:
        """Run a command with its output passed on; its exit code, and what it wrote to its standard error."""
        tracebacks = self.stack_file.parent / "traceback.txt"
        with subprocess.Popen(
            [self.command, *arguments],
            cwd=ROOT,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            assert process.stderr is not None  # noqa: S101 - it was asked for
            beside = nullcontext() if watch is None else watch.beside(partial(process.send_signal, signal.SIGINT))
            with beside, passed_on({process.stdout: _write, process.stderr: sys.stderr.write}, tracebacks) as said:
                process.wait()
        return process.returncode, "".join(said[process.stderr])

    def _check(self, verb: str, code: int, said: str, steps: Sequence[Event], *, interruptions: int) -> None:
        """Raise what is to be said of a command that ended with ``code``, if anything."""
        ended = ended_by(code)
        # It does not always say that it was: whatever a step says that did not get its answer comes first.
        if interruptions or (code and cancelled(said)):
            at_once = interruptions > 1 or ended is not None
            raise EngineInterruptedError(interrupted(verb, self.name, at_once=at_once), steps, at_once=at_once)
        if ended is not None:
            raise EngineError(killed(ended, self.name), steps)
        if code:
            raise EngineError(hint(said, self.place, shown=True), steps)

    def _run(self, arguments: Sequence[str], *, cwd: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.command, *arguments], cwd=cwd, env=self.variables, input=text or "", capture_output=True, text=True, check=False
        )

    def keep_secret(self, key: str, value: str, file: Path) -> None:
        """Encrypt a value into a stack file, under ``key`` in the project's own name. Raises ``EngineError``."""
        arguments = ("config", "set", "--secret", f"{PROJECT}:{key}", "--stack", self.name, "--config-file", str(file))
        done = self._run(arguments, cwd=ROOT, text=value)
        if done.returncode:
            raise EngineError(hint(done.stderr or done.stdout, self.place))


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """Count each Ctrl-C, which does not end this process.

    The engine has it as well: at the first it finishes the steps at hand and writes its state, at the second it ends.
    """
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


def _events(log: Path) -> Iterator[dict[str, Any]]:
    if log.is_file():
        for line in log.read_text().splitlines(keepends=True):
            # An engine that was killed may have been writing the last one.
            if line.endswith("\n"):
                yield json.loads(line)


def _changed_outputs(events: Sequence[Mapping[str, Any]]) -> list[Event]:
    """The step by which the outputs of the stack become others; none where they stay. They are told again as they become known."""
    told = [event["resOutputsEvent"]["metadata"] for event in events if "resOutputsEvent" in event]
    last = next((one for one in reversed(told) if one["type"] == STACK), None)
    if last is None:
        return []
    old, new = ((last.get(side) or {}).get("outputs") or {} for side in ("old", "new"))
    return [] if old == new else [Event(OUTPUTS, last["urn"], STACK, old, new)]


def _step(told: Mapping[str, Any], before: str, after: str) -> Event:
    """A step, from what is told of it and how the two sides of it are called there."""
    old, new = (told.get(side) or {} for side in (before, after))
    return Event(told["op"], told["urn"], (new or old)["type"], old.get("inputs") or {}, new.get("inputs") or {}, new, _differing(told))


def _differing(told: Mapping[str, Any]) -> frozenset[str]:
    """The inputs that differ: by the detailed difference where there is one, because the other names values that stay the same too."""
    paths = told.get("detailedDiff") or dict.fromkeys(told.get("diffs") or [])
    return frozenset(path.partition(".")[0].partition("[")[0] for path in paths)


def ended_by(code: int) -> str | None:
    """The signal that ended a program, by its exit code: negative as Python tells it, above 128 as a shell does."""
    number = -code if code < 0 else code - _SHELL_SIGNALS
    return signal.Signals(number).name if number in set(signal.Signals) else None
