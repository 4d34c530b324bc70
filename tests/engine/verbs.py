"""The verbs on an environment of a test's own, run as a user runs them, and what ends them before their time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from stacks.environment.model import KEY
from stacks.environment.source import ROOT
from tests.two_languages import clean
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    import signal
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Verbs:
    """An environment: its file, its state, and the verbs on it. ``variables`` stand beside those of this process."""

    file: Path
    state: Path
    namespace: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the settings in the file."""
        document = yaml.safe_load(self.file.read_text())
        change(document["config"][KEY])
        self.file.write_text(yaml.safe_dump(document, sort_keys=False))

    def set(self, section: str, **values: object) -> None:
        """Change settings of one section; the path of a deeper one has dots, that of the environment itself is empty."""

        def change(settings: dict[str, Any]) -> None:
            place = settings
            for part in filter(None, section.split(".")):
                place = place[part]
            place |= values

        self.change(change)

    def __call__(self, verb: str, *options: str, fails: bool = False, told: str = "", **variables: str) -> str:
        """Run a verb, with ``told`` on its standard input, and return all that it prints."""
        done = subprocess.run(
            self._command(verb, *options),
            cwd=ROOT,
            env=self._variables() | variables,
            input=told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stdout
        return done.stdout

    def next(self, said: str, **variables: str) -> str:
        """Run the command that a message ends with, and return all that it prints."""
        named = re.match(rf"then: python -m stacks (\w+) {re.escape(self.namespace)}\b", said.splitlines()[-1])
        assert named is not None, said
        return self(named[1], fails=False, told="", **variables)

    def ended(
        self, number: signal.Signals, *, at: str, whom: str, after: float = 0, once: threading.Event | None = None, **variables: str
    ) -> str:
        """Run ``up``, send a signal ``after`` seconds when it says ``at``, or ``once`` something is, and return all that it prints.

        ``whom`` is ``engine``, which alone gets it, or ``all``, as a terminal sends Ctrl-C.
        """
        log = self.file.with_suffix(".log")
        with log.open("w") as into:
            process = subprocess.Popen(
                self._command("up"),
                cwd=ROOT,
                env=self._variables() | variables,
                stdout=into,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _until_in(log, at)
        assert once is None or once.wait(STALL_SECONDS), log.read_text()
        time.sleep(after)
        if whom == "engine":
            for child in _children(process.pid):
                os.kill(child, number)
        else:
            os.killpg(process.pid, number)
        assert process.wait() != 0, log.read_text()
        return log.read_text()

    def pulumi(self, *arguments: str, told: str = "") -> str:
        """Run a command of Pulumi itself on the stack, and return what it prints."""
        variables = self._variables() | {
            "PULUMI_BACKEND_URL": (self.state / "backend").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.state / "passphrase"),
        }
        command = ["pulumi", *arguments, "--stack", self.namespace]
        return subprocess.run(command, cwd=ROOT, env=variables, input=told, capture_output=True, check=True, text=True).stdout

    def _command(self, verb: str, *options: str) -> list[str]:
        return [sys.executable, "-m", "stacks", verb, str(self.file), *options, "--state", str(self.state)]

    def _variables(self) -> dict[str, str]:
        return clean() | {"YES": "1", **self.variables}


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as listed:  # noqa: PTH123 - no file
        return [int(child) for child in listed.read().split()]


def _until_in(log: Path, text: str) -> None:
    until(lambda: text in log.read_text(), lambda: f"{text!r} in:\n{log.read_text()}", progress=log.read_text, every=0.05)
