"""A newcomer's ten tasks, from the tutorial alone: its files are written, its commands run, and its outputs come."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from stacks.environment.source import ROOT
from tests.waiting import STALL_SECONDS, cpu_ticks, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = ROOT / "docs" / "tutorial.md"
TASK = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
BLOCK = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)
TAKEN = re.compile(r"\b[A-Z]+_ID\b")
"""Name in an output of what a reader takes from there, and uses in a later command."""


def tasks() -> dict[str, list[re.Match[str]]]:
    """The blocks of each task, in the order of the page."""
    parts = TASK.split(PAGE.read_text(encoding="utf-8").partition("## Where to go on")[0])[1:]
    return {title: list(BLOCK.finditer(body)) for title, body in zip(parts[1::3], parts[2::3], strict=True)}


def copied(target: Path) -> Path:
    """A copy of the tree as Git knows it, with the Python packages of this one, so that nothing is written here and no port is shared."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    for module in ROOT.glob("tracing_lib/fast/*.so"):
        shutil.copy2(module, target / module.relative_to(ROOT))
    environment = target / ".venv"
    environment.mkdir()
    for part in ("bin", "lib", "pyvenv.cfg"):
        (environment / part).symlink_to(ROOT / ".venv" / part)
    (environment / "ready").touch()
    return target


def cpu_of_group(group: int) -> int:
    """CPU time that the processes of a group have used, in clock ticks."""
    running = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
    return sum(cpu_ticks(pid) for pid in running if group_of(pid) == group)


def group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


@dataclass
class Newcomer:
    """Two terminals in a folder, and what was taken from their outputs."""

    folder: Path
    log: Path
    taken: dict[str, str] = field(default_factory=dict)
    _second: subprocess.Popen[bytes] | None = None

    def follow(self, blocks: list[re.Match[str]]) -> None:
        """Do what the blocks of a task say, and compare what comes with what they show."""
        said = ""
        for block in blocks:
            match block["language"]:
                case "python":
                    (self.folder / block["title"]).write_text(block["text"], encoding="utf-8")
                case "sh" if block["title"]:
                    self._leave_running(block["text"])
                    said = ""
                case "sh":
                    said = self._run(block["text"])
                case "text" if said:
                    missing = self.missing(block["text"], said)
                    assert missing is None, f"{missing!r} is not in its place in:\n{said}"
                case "text":
                    self._wait_for(block["text"])

    def missing(self, shown: str, said: str) -> str | None:
        """The first line of an example that an output does not have in its place; what has a name is taken from the output."""
        end = 0
        for line in filter(lambda line: line.strip() not in {"", "…"}, shown.splitlines()):
            found = re.compile(self._pattern(line), re.MULTILINE).search(said, end)
            if not found:
                return line
            self.taken |= found.groupdict()
            end = found.end()
        return None

    def _pattern(self, line: str) -> str:
        parts = [".*".join(map(re.escape, re.split(" ?… ?", part))) for part in TAKEN.split(line.rstrip())]
        names = [re.escape(self.taken[name]) if name in self.taken else rf"(?P<{name}>[\w-]+)" for name in TAKEN.findall(line)]
        return "^" + "".join(part + name for part, name in zip(parts, [*names, ""], strict=True)) + r"\s*$"

    def _run(self, commands: str) -> str:
        done = subprocess.run(["bash", "-c", self._script(commands)], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        # An empty output would be taken for that of the other terminal.
        return f"{done.stdout}\n{done.stderr}\n"

    def _leave_running(self, commands: str) -> None:
        with self.log.open("wb") as log:
            command = ["bash", "-c", self._script(commands)]
            self._second = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, process_group=0)

    def _script(self, commands: str) -> str:
        """A script that goes on with the variables which the one before left."""
        kept, named = self.folder / "variables", TAKEN.sub(lambda name: self.taken[name[0]], commands)
        return f"set -euo pipefail\n[ ! -f {kept} ] || . {kept}\n{named}\nexport -p > {kept}\n"

    def _wait_for(self, shown: str) -> None:
        second = self._second
        assert second is not None

        def come() -> bool:
            said = self.log.read_text(errors="replace")
            assert second.poll() is None or self.missing(shown, said) is None, said
            return self.missing(shown, said) is None

        # Between two lines of the log the services start and place orders, which takes minutes on a loaded machine.
        until(come, lambda: self.log.read_text(errors="replace"), progress=lambda: cpu_of_group(second.pid), every=0.5)

    def stop(self) -> None:
        """Press Ctrl-C in the second terminal."""
        if self._second is not None and self._second.poll() is None:
            os.killpg(self._second.pid, signal.SIGINT)
            self._second.wait(timeout=STALL_SECONDS)


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newcomer]:
    ours = ("OTEL_", "VIRTENGINE_TRACING_OUT", "MAKE", "MFLAGS", "ARGS", "VIRTUAL_ENV")
    for name in [name for name in os.environ if name.startswith(ours)]:
        monkeypatch.delenv(name)
    folder = tmp_path / "virtengine"
    folder.mkdir()
    made = Newcomer(copied(folder), tmp_path / "second-terminal")
    yield made
    made.stop()


@pytest.mark.usefixtures("programs", "foreground_signals")
def test_ten_tasks_of_a_newcomer_are_done_by_the_tutorial_alone(newcomer: Newcomer) -> None:
    for title, blocks in tasks().items():
        try:
            newcomer.follow(blocks)
        except AssertionError as error:
            raise AssertionError(f"{title}: {error}") from error
    newcomer.stop()
    said = newcomer.log.read_text()
    for service in ("portal", "chain", "provider-daemon", "waldur"):
        assert re.search(rf"^ {service} +\d+ +\d+ +[\d.]+ ms$", said, re.MULTILINE), "a row of the table by service"
    assert "stopped; the traces are kept" in said
    pages = [page.read_text() for page in newcomer.folder.glob(".state/local/dev/pages/*.html")]
    assert any(page.count('<details class="span') > 20 for page in pages), "the page of the order"


def test_the_tutorial_has_ten_tasks_each_with_a_command() -> None:
    assert len(tasks()) == 10
    assert [title for title, blocks in tasks().items() if not any(block["language"] == "sh" for block in blocks)] == []


def test_an_example_is_compared_line_by_line_in_its_order(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path, tmp_path / "log")
    said = "a 1 ms\nb\nwith id7 in it\nid7 again\n"
    assert newcomer.missing("a … ms\n…\nwith ORDER_ID in it\nORDER_ID again", said) is None
    assert newcomer.taken == {"ORDER_ID": "id7"}
    assert newcomer.missing("b\na … ms", said) == "a … ms"
    assert newcomer.missing("with id7", said) == "with id7"
