"""The Pulumi engine on one stack: where its program, state and passphrase are, and running its commands.

The stack file is never written: Pulumi adds a salt to the one that it is given, so it is given a copy below ``.state/``.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from components.local.files import make_private, write_atomically
from stacks.deploy.hints import cancelled, hint, interrupted, killed
from stacks.environment.model import PROJECT
from stacks.environment.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from stacks.environment.source import Named

STATE = ROOT / ".state" / "pulumi"
"""Default of everything that Pulumi keeps for this project: state, passphrase, copies of the stack files."""

PASSPHRASE = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
_SHELL_SIGNALS = 128
_SALT = ("encryptionsalt", "encryptedkey", "secretsprovider")


class EngineError(Exception):
    """The engine could not do what it was asked. The text says what it said and the next command; the stack can be tried again.

    ``events`` are the steps that it had planned or done until then.
    """

    def __init__(self, text: str, events: Sequence[Event] = ()) -> None:
        super().__init__(text)
        self.events = tuple(events)


class EngineInterruptedError(EngineError):
    """The user interrupted the engine. ``at_once`` says that it was not given the time to note what it was doing."""

    def __init__(self, text: str, events: Sequence[Event] = (), *, at_once: bool = False) -> None:
        super().__init__(text, events)
        self.at_once = at_once


@dataclass(frozen=True, slots=True)
class Event:
    """A step that the engine plans or has done: what it does to which resource, and the inputs of that before and after.

    ``record`` is the resource as the state would keep it, secrets masked; empty for one that goes. Only ``Engine.planned`` knows of what
    it depends on.
    """

    operation: str
    urn: str
    kind: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Engine:
    """One stack. ``stack_file`` is the copy that the engine reads, in a folder of its own."""

    command: str
    variables: Mapping[str, str]
    name: str
    stack_file: Path

    def ask(self, *arguments: str) -> str:
        """The standard output of a command that changes nothing. Raises ``EngineError``."""
        done = self._run(arguments, cwd=self.stack_file.parent)
        if done.returncode:
            raise EngineError(hint(done.stderr or done.stdout, self.name))
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
        if not self.exists():
            return {}
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
            raise EngineError(hint(done.stderr or done.stdout, self.name))

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
            raise EngineError(hint(done.stderr or done.stdout, self.name)) from None
        steps = [_step(step, "oldState", "newState") for step in digest.get("steps", [])]
        if done.returncode:
            errors = [told["message"] for told in digest.get("diagnostics", []) if told["severity"] == "error"]
            raise EngineError(hint("\n".join([*errors, done.stderr]), self.name), steps)
        return steps

    def operate(self, verb: str, *options: str) -> list[Event]:
        """Run a command on the stack, its progress shown as Pulumi shows it, and return its steps.

        Raises ``EngineError``, and ``EngineInterruptedError`` where the user pressed Ctrl-C meanwhile, whatever came of it.
        """
        log = Path(tempfile.mkdtemp(prefix=f"{verb}-", dir=self.stack_file.parent)) / "events"
        arguments = (verb, "--stack", self.name, "--config-file", str(self.stack_file), "--event-log", str(log), *options)
        try:
            with (
                _interruptions() as heard,
                subprocess.Popen(
                    [self.command, *arguments], cwd=ROOT, env=self.variables, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
                ) as process,
            ):
                said = _passed_on(process)
            events = list(_events(log))
        finally:
            log.unlink(missing_ok=True)
            log.parent.rmdir()
        steps = [_step(event["resourcePreEvent"]["metadata"], "old", "new") for event in events if "resourcePreEvent" in event]
        diagnostics = [e["diagnosticEvent"]["message"] for e in events if e.get("diagnosticEvent", {}).get("severity") == "error"]
        self._check(verb, process.returncode, "\n".join([*diagnostics, said]), steps, interruptions=len(heard))
        return steps

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
            raise EngineError(hint(said, self.name, shown=True), steps)

    def _run(self, arguments: Sequence[str], *, cwd: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.command, *arguments], cwd=cwd, env=self.variables, input=text or "", capture_output=True, text=True, check=False
        )

    def keep_secret(self, key: str, value: str, file: Path) -> None:
        """Encrypt a value into a stack file, under ``key`` in the project's own name. Raises ``EngineError``."""
        arguments = ("config", "set", "--secret", f"{PROJECT}:{key}", "--stack", self.name, "--config-file", str(file))
        done = self._run(arguments, cwd=ROOT, text=value)
        if done.returncode:
            raise EngineError(hint(done.stderr or done.stdout, self.name))


def open_engine(named: Named, *, say: Callable[[str], None], state: Path | None = None) -> Engine:
    """The engine on the stack of an environment, which is made when it is missing.

    ``state`` is where everything is kept that has no other place (default ``.state/pulumi``). Raises ``EngineError``: the program is
    missing and cannot be installed, the passphrase is another, the file is none.
    """
    folder = make_private(state or STATE)
    command = _command(say)
    variables = _variables(folder)
    engine = Engine(command, variables, named.name, _copy(named, make_private(folder / "stacks" / named.name)))
    engine.make()
    return engine


def _command(say: Callable[[str], None]) -> str:
    """The CLI on PATH, else one that the SDK's own installer has brought or brings, of the SDK's own version."""
    # The automation package is slow to import, and only this verb needs it.
    from pulumi.automation import PulumiCommand

    try:
        return PulumiCommand().command
    except Exception as error:  # noqa: BLE001 - whatever is on PATH cannot be used
        say(f"no Pulumi that can be used is on PATH ({str(error).splitlines()[0]}); looking for the one of the SDK, or installing it")
    try:
        return PulumiCommand.install().command
    except Exception as error:  # noqa: BLE001 - the installer may fail in any way
        raise EngineError(
            f"pulumi: is neither on PATH nor could it be installed ({str(error).splitlines()[0]})\n"
            "then: install it from https://www.pulumi.com/docs/install, or let this machine reach get.pulumi.com, and try again"
        ) from None


def _variables(folder: Path) -> dict[str, str]:
    """The environment of the engine: a backend of files and a passphrase of its own, unless the user has configured one."""
    variables = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DEBUG_COMMANDS": "true"}
    # What a preview tells as JSON is read whole.
    variables["PULUMI_ENABLE_STREAMING_JSON_PREVIEW"] = "false"
    if not backend_configured(os.environ):
        # Beside each file the backend would keep one of metadata, not written at once: one left empty by a kill hides all of the state.
        variables["PULUMI_BACKEND_URL"] = f"{make_private(folder / 'backend').as_uri()}?metadata=skip"
        if not any(name in os.environ for name in PASSPHRASE):
            variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase(folder / "passphrase"))
    return variables


def backend_configured(environ: Mapping[str, str]) -> bool:
    """Whether the user has said where state is kept: by variable, or by ``pulumi login``."""
    if environ.get("PULUMI_BACKEND_URL") or environ.get("PULUMI_ACCESS_TOKEN"):
        return True
    credentials = Path(environ.get("PULUMI_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".pulumi") / "credentials.json"
    try:
        return bool(json.loads(credentials.read_text())["current"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _passphrase(file: Path) -> Path:
    if not file.exists():
        write_atomically(file, secrets.token_urlsafe(32))
    return file


def _copy(named: Named, folder: Path) -> Path:
    """A copy of the stack file that the engine may write to; a salt that it once wrote there is kept."""
    original, copy = ROOT / named.source, folder / f"Pulumi.{named.name}.yaml"
    if not original.is_file():
        raise EngineError(
            f"{named.source}: is no file, and only a file can be deployed\nthen: git checkout the revision, and name it {named.name}"
        )
    document = yaml.safe_load(original.read_text())
    if copy.is_file():
        kept = yaml.safe_load(copy.read_text())
        document = {key: kept[key] for key in _SALT if key in kept} | document
    write_atomically(copy, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    write_atomically(folder / "Pulumi.yaml", yaml.safe_dump({"name": PROJECT, "runtime": "python"}))
    return copy


def _passed_on(process: subprocess.Popen[str]) -> str:
    """What a process writes to its standard error, shown as it comes."""
    lines: list[str] = []

    def read() -> None:
        assert process.stderr is not None  # noqa: S101 - it was asked for
        for line in process.stderr:
            lines.append(line)
            sys.stderr.write(line)

    reader = threading.Thread(target=read)
    reader.start()
    process.wait()
    reader.join()
    return "".join(lines)


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """Each Ctrl-C meanwhile. It ends nothing here.

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


def _step(told: Mapping[str, Any], before: str, after: str) -> Event:
    """A step, from what is told of it and how the two sides of it are called there."""
    old, new = (told.get(side) or {} for side in (before, after))
    return Event(told["op"], told["urn"], (new or old)["type"], old.get("inputs") or {}, new.get("inputs") or {}, new)


def ended_by(code: int) -> str | None:
    """The signal that ended a program, by its exit code: negative as Python tells it, above 128 as a shell does."""
    number = -code if code < 0 else code - _SHELL_SIGNALS
    return signal.Signals(number).name if number in set(signal.Signals) else None
