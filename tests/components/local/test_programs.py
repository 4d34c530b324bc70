"""Programs are found on PATH, else built once, else named with every way to get them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from components.local import build
from components.local.errors import BuildError, InterruptedStartError, MissingProgramError
from components.local.files import locked, make_private
from components.local.programs import find_program, find_programs
from tests.components.local.stage import Stage, plan_of, server
from tests.waiting import STALL_SECONDS, until

ROOT = Path(__file__).parents[3]
GO = shutil.which("go")
needs_go = pytest.mark.skipif(GO is None, reason="no `go` on PATH: building from toolchain/ cannot be shown")
HELLO = 'package main\n\nfunc main() { println("hello") }\n'


@pytest.fixture
def only_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds Go, if this machine has it, and nothing else; more can be put there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if GO is not None:
        (folder / "go").symlink_to(GO)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def toolchain(tmp_path: Path) -> Path:
    """A toolchain whose collector says hello and whose Jaeger tells its version, both real Go modules."""
    folder = tmp_path / "toolchain"
    jaeger = folder / "jaeger"
    for path, text in {
        folder / "collector" / "go.mod": "module example.org/hello\n\ngo 1.21\n",
        folder / "collector" / "main.go": HELLO,
        jaeger / "go.mod": "module github.com/jaegertracing/jaeger\n\ngo 1.21\n",
        jaeger
        / "internal/version/version.go": "package version\n\nvar latestVersion string\n\nfunc Get() string { return latestVersion }\n",
        jaeger / "cmd/jaeger/main.go": (
            'package main\n\nimport "github.com/jaegertracing/jaeger/internal/version"\n\nfunc main() { println(version.Get()) }\n'
        ),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def run(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stderr.strip()


def silent(_line: str) -> None:
    pass


def leftovers(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.glob("*/*"))


def test_a_program_on_path_is_taken_and_nothing_is_built(only_go: Path, cache: Path, tmp_path: Path) -> None:
    jaeger = executable(only_go / "jaeger")
    said: list[str] = []
    assert find_program(server("jaeger"), toolchain=tmp_path / "toolchain", say=said.append) == jaeger
    assert said == []
    assert leftovers(cache) == []


def test_a_missing_program_is_named_with_its_version_and_the_three_ways_to_get_it(only_go: Path, toolchain: Path, cache: Path) -> None:
    (only_go / "go").unlink(missing_ok=True)
    with pytest.raises(MissingProgramError) as caught:
        find_program(server("jaeger", "2.20.0"), toolchain=toolchain, say=silent)
    message = str(caught.value)
    assert message.startswith("jaeger 2.13.0 to 2.20.0 is not on PATH, and there is no `go` on PATH")
    assert "PATH: put the program `jaeger`" in message
    assert "Go: install Go 1.21 or later" in message
    assert "toolchain/jaeger builds it" in message
    assert "docker or kubernetes target, which pulls example.org/jaeger:2.20.0" in message
    assert leftovers(cache) == []


@needs_go
def test_all_missing_programs_of_a_plan_are_named_before_anything_is_built(
    only_go: Path, toolchain: Path, cache: Path, stage: Stage
) -> None:
    assert only_go.exists()
    programs = ("otelcol-contrib", "tempo", "grafana")
    plan = plan_of([replace(stage.add(program), server=server(program)) for program in programs])
    with pytest.raises(MissingProgramError) as caught:
        find_programs([w.server for w in plan.workloads], toolchain=toolchain, say=silent)
    assert "tempo 1.0.0 is not on PATH" in str(caught.value)
    assert "grafana 1.0.0 is not on PATH" in str(caught.value)
    assert "otelcol-contrib" not in str(caught.value)
    assert leftovers(cache) == []


@needs_go
def test_a_go_that_is_too_old_is_told_both_versions(only_go: Path, toolchain: Path) -> None:
    assert only_go.exists()
    (toolchain / "collector" / "go.mod").write_text("module example.org/hello\n\ngo 1.999.3\n", encoding="utf-8")
    with pytest.raises(MissingProgramError, match=r"go is 1\.\d+\.\d+, too old to build it(.|\n)*install Go 1\.999\.3 or later"):
        find_program(server("otelcol-contrib"), toolchain=toolchain, say=silent)


@needs_go
def test_programs_are_built_from_their_modules_and_a_second_time_come_from_the_cache(
    only_go: Path, toolchain: Path, cache: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTENGINE_TRACING_CACHE", str(cache.parent))
    monkeypatch.setattr(build, "PROGRESS_SECONDS", 0.1)
    assert only_go.exists()
    programs = ("jaeger", "otelcol-contrib", "jaeger")
    plan = plan_of([replace(stage.add(f"{i}"), server=server(program)) for i, program in enumerate(programs)])
    said: list[str] = []
    found = find_programs([w.server for w in plan.workloads], toolchain=toolchain, say=said.append)
    assert {name: run(path) for name, path in found.items()} == {"jaeger": "2.13.0", "otelcol-contrib": "hello"}
    assert said[0] == "building jaeger 2.13.0 from toolchain/jaeger (about 5 min on 2 cores, once)"
    assert any(re.search(r"packages compiled, \d+s \(about", line) for line in said)
    assert sum(line.startswith("built jaeger 2.13.0 from toolchain/jaeger in ") for line in said) == 1

    said.clear()
    assert find_programs([w.server for w in plan.workloads], toolchain=toolchain, say=said.append) == found
    assert said == []
    assert leftovers(cache) == ["jaeger", "lock", "lock", "otelcol-contrib"]


@needs_go
def test_a_changed_source_is_built_anew_and_a_changed_note_is_not(only_go: Path, toolchain: Path) -> None:
    assert only_go.exists()
    first = find_program(server("otelcol-contrib"), toolchain=toolchain, say=silent)
    (toolchain / "collector" / "builder.yaml").write_text("# a note\n", encoding="utf-8")
    assert find_program(server("otelcol-contrib"), toolchain=toolchain, say=silent) == first
    (toolchain / "collector" / "main.go").write_text(HELLO.replace("hello", "changed"), encoding="utf-8")
    second = find_program(server("otelcol-contrib"), toolchain=toolchain, say=silent)
    assert (run(first), run(second)) == ("hello", "changed")


@needs_go
def test_processes_that_want_the_same_program_at_the_same_time_build_it_once(only_go: Path, toolchain: Path, cache: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from components.local.programs import find_program; from components.workload import Server\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "find_program(Server('otelcol-contrib', 'o', 't'), toolchain=Path(sys.argv[1]), say=lambda line: print(line, flush=True))"
    )
    command = [sys.executable, "-c", program, str(toolchain)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": str(only_go)}
    pipe = subprocess.PIPE
    builders = [subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for builder in builders:
        assert builder.stdout is not None
        assert builder.stdout.readline() == "ready\n"
    for builder in builders:
        assert builder.stdin is not None
        builder.stdin.write("\n")
        builder.stdin.flush()
    said = "".join(builder.communicate()[0] for builder in builders)
    assert [builder.returncode for builder in builders] == [0, 0, 0]
    assert said.count("built otelcol-contrib") == 1
    assert leftovers(cache) == ["lock", "otelcol-contrib"]


@needs_go
def test_who_waits_for_the_build_of_another_says_so_and_takes_its_result(only_go: Path, toolchain: Path) -> None:
    assert only_go.exists()
    go = build.find_go()
    assert go is not None
    wanted = build.GoBuild("otelcol-contrib", build.RECIPES["otelcol-contrib"], toolchain / "collector", go)
    said: list[str] = []
    found: list[Path] = []
    waiter = threading.Thread(
        target=lambda: found.append(find_program(server("otelcol-contrib"), toolchain=toolchain, say=said.append)), daemon=True
    )
    with locked(make_private(wanted.path.parent) / "lock", on_wait=lambda _holder, _seconds: None):
        waiter.start()
        until(lambda: said != [])
        executable(wanted.path)
    waiter.join(STALL_SECONDS)
    waiting = f"waiting for process {os.getpid()}, which builds otelcol-contrib 0.159.0 from toolchain/collector: "
    assert {line.rstrip("s0123456789") for line in said} == {waiting}
    assert found == [wanted.path]


@needs_go
def test_a_failing_build_shows_what_the_compiler_says_and_leaves_nothing(only_go: Path, toolchain: Path, cache: Path) -> None:
    assert only_go.exists()
    (toolchain / "collector" / "main.go").write_text("package main\n\nfunc main() { nowhere() }\n", encoding="utf-8")
    with pytest.raises(BuildError) as caught:
        find_program(server("otelcol-contrib"), toolchain=toolchain, say=silent)
    assert "building otelcol-contrib 0.159.0 from toolchain/collector failed (exit status 1)" in str(caught.value)
    assert "undefined: nowhere" in str(caught.value)
    assert f"cd {toolchain}/collector && CGO_ENABLED=0" in str(caught.value)
    assert leftovers(cache) == ["lock"]


@pytest.fixture
def endless_build(toolchain: Path, only_go: Path) -> None:
    """A collector that takes Go minutes to build."""
    assert only_go.exists()
    types = "".join(
        f"func f{i}(x int) int {{ switch x {{ {' '.join(f'case {j}: x += f{(i + 1) % 400}({j});' for j in range(200))} }}; return x }}\n"
        for i in range(400)
    )
    (toolchain / "collector" / "main.go").write_text(f"package main\n\nfunc main() {{ println(f0(1)) }}\n{types}", encoding="utf-8")


@needs_go
@pytest.mark.usefixtures("endless_build")
def test_a_build_that_is_interrupted_ends_at_once_and_leaves_nothing(toolchain: Path, cache: Path) -> None:
    stopping = threading.Event()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        threading.Timer(0.5, stopping.set).start()

    with pytest.raises(InterruptedStartError, match="stopped while building otelcol-contrib"):
        find_program(server("otelcol-contrib"), toolchain=toolchain, say=say, stopping=stopping)
    assert said
    assert leftovers(cache) == ["lock"]
