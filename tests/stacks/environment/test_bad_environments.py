"""Environments that cannot be used are refused in words that help."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacks.cli.cli import main
from stacks.environment.parse import BadEnvironmentError, parse
from stacks.environment.rules import broken_rules
from stacks.environment.sizing import too_small
from stacks.environment.source import ROOT, read
from stacks.plan.plan import plan
from stacks.show.describe import describe
from tests.stacks import samples
from tests.stacks.environment.bad_environments import ALL as MOST
from tests.stacks.environment.bad_moves import MOVES
from tests.stacks.environment.bad_transports import TRANSPORTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stacks.environment.bad import Bad

ALL = [*MOST, *TRANSPORTS, *MOVES]

FOREIGN = re.compile(r"Traceback|Input should|validation error|\btype=|input_value|pydantic|Error\b", re.IGNORECASE)
"""Words of the machinery, which say nothing to the person who wrote the file."""


def refusal(stderr: str, source: str) -> list[str]:
    """The lines of a refusal without its last, which is a command; each begins with the file."""
    *lines, last = stderr.splitlines()
    assert lines, stderr
    assert last.startswith("then: "), stderr
    assert not FOREIGN.search(stderr), stderr
    assert all(line.startswith(f"{source}: ") for line in lines), stderr
    assert all(len(line) < 600 for line in lines), stderr
    return [line.removeprefix(f"{source}: ") for line in lines]


def check(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What ``check`` says of a file that it refuses."""
    status = main(["check", str(path)])
    said = capsys.readouterr()
    assert status == 2
    assert said.out == ""
    assert said.err.endswith(f"then: python -m stacks check {shlex.quote(str(path))}\n")
    return refusal(said.err, str(path))


def test_there_are_more_than_forty_and_each_has_a_name_of_its_own() -> None:
    assert len({bad.id for bad in ALL}) == len(ALL) > 40


@pytest.mark.parametrize("bad", ALL, ids=lambda bad: bad.id)
def test_each_is_refused_with_the_file_the_key_what_is_wrong_and_what_would_be_right(
    bad: Bad, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_bytes(bad.file)
    began = time.process_time()
    (line,) = check(path, capsys)
    assert time.process_time() - began < 3
    if bad.key:
        assert line.startswith(f"{bad.key}: ")
    assert bad.wrong in line
    assert bad.right in line
    assert line.index(bad.wrong) < line.rindex(bad.right)


@pytest.mark.parametrize("id_", ["duration without a unit", "number without end", "not UTF-8"])
def test_a_process_of_its_own_ends_with_2_and_the_same_words(id_: str, tmp_path: Path) -> None:
    bad = next(bad for bad in ALL if bad.id == id_)
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_bytes(bad.file)
    done = subprocess.run([sys.executable, "-m", "stacks", "check", path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = refusal(done.stderr, str(path))
    assert bad.wrong in line
    assert bad.right in line


def test_the_sentence_of_the_requirement_is_said_word_by_word(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(samples.text(samples.settings("prod", {"retention.traces": "30"})))
    with pytest.raises(BadEnvironmentError) as refused:
        read("prod", root=tmp_path)
    first, then = str(refused.value).splitlines()
    assert first == 'Pulumi.prod.yaml: environment.retention.traces: "30" has no unit; write "30d" or "720h"'
    assert then == "then: python -m stacks check prod"


def test_every_problem_of_a_file_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Pulumi.bad.yaml"
    wrong = {"retention.traces": 30, "target.context": samples.ABSENT, "backend.zzz": 1, "sampling.tail.baseline": "5"}
    path.write_text(samples.text(samples.settings("prod", wrong)))
    assert {line.split(": ")[0] for line in check(path, capsys)} == {f"environment.{key}" for key in wrong}


def test_every_broken_rule_of_a_file_is_said_at_once() -> None:
    changes = {"backend.replicas": 2, "collectors.agent.queue": None, "sampling.tail.wait": "90s", "ingest.tls_secret": None}
    with pytest.raises(BadEnvironmentError) as refused:
        samples.named("prod", changes)
    keys = [problem.key for problem in refused.value.problems]
    assert keys == ["environment.backend.replicas", "environment.sampling.tail.wait", "environment.ingest.token_secret"]


def test_the_stack_files_break_no_rule() -> None:
    assert [list(broken_rules(samples.named(base).environment)) for base in samples.FILES] == [[] for _ in samples.FILES]


def test_a_long_value_is_cut_and_still_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_text(samples.text(samples.settings("prod", {"retention.traces": "y" * 5000})))
    (line,) = check(path, capsys)
    assert f'"{"y" * 60}…" is not a duration' in line


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Pulumi.folder.yaml"
    path.mkdir()
    (line,) = check(path, capsys)
    assert line == "cannot be read: Is a directory; check the path and its permissions"


def test_a_file_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    for name in ("dev", "prod"):
        shutil.copy(samples.FILES[name], tmp_path)
    with pytest.raises(BadEnvironmentError, match=r"Pulumi\.stag\.yaml: no such file; .*an environment here: dev, prod\n"):
        read("stag", root=tmp_path)
    with pytest.raises(BadEnvironmentError, match="an environment here: none\n"):
        read("dev", root=tmp_path / "elsewhere")


@pytest.mark.parametrize("wanted", ["a" * 300, "a" * 300 + ".yaml", "a" * 300 + "@HEAD", ".", "/", "stacks"])
def test_a_name_that_no_environment_can_have_is_refused(wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", wanted]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("wanted", ["prod@no-such-revision", "prod@--output=x", "prod@-h", "nowhere@HEAD", "@HEAD"])
def test_a_revision_that_git_does_not_have_is_refused(wanted: str, repository: Path) -> None:
    with pytest.raises(BadEnvironmentError) as refused:
        read(wanted, root=repository)
    name, revision = wanted.split("@")
    (line,) = refusal(str(refused.value), f"Pulumi.{name}.yaml@{revision}")
    assert line.startswith("git does not have it: ")
    assert line.endswith("; name a revision that has the file")
    assert str(refused.value).endswith(f"then: git log --oneline -- Pulumi.{name}.yaml")
    assert not [path.name for path in repository.iterdir() if path.name not in {".git", "Pulumi.prod.yaml"}]


def test_a_bad_file_of_an_old_revision_is_refused_under_its_name(repository: Path) -> None:
    (repository / "Pulumi.prod.yaml").write_bytes(b"config: \xff\n")
    samples.git(repository, "commit", "--quiet", "--all", "--message", "bad")
    with pytest.raises(BadEnvironmentError, match=r"^Pulumi\.prod\.yaml@HEAD: is not UTF-8 at byte 8; .*\nthen: .* check prod@HEAD$"):
        read("prod@HEAD", root=repository)


def leaves(node: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every value of a file that is no mapping, and of every mapping."""
    if path:
        yield path
    if isinstance(node, dict):
        for name, child in node.items():
            yield from leaves(child, (*path, name))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["0 %", "100 %", "0.001 %", "1ms", "1m", "36500d", "1Ki", "4096Ti", "1m ", "1e3", "local", "s3"])
)
JUNK = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6
)


@pytest.mark.parametrize("base", ["prod", "prod-tempo-s3"])
@settings(max_examples=120, derandomize=True, database=None, deadline=None)
@given(data=st.data())
def test_junk_in_any_place_is_accepted_or_refused_and_never_trips(base: str, data: st.DataObject) -> None:
    tree = samples.settings(base)
    path = data.draw(st.sampled_from(list(leaves(tree))))
    tree = samples.settings(base, {path: data.draw(JUNK)})
    try:
        accepted = parse(tree, source="Pulumi.junk.yaml", name="junk")
    except BadEnvironmentError as refused:
        refusal(str(refused), "Pulumi.junk.yaml")
        return
    for _, message in too_small(accepted):
        assert " cannot hold " in message
    assert describe(accepted, plan(accepted, samples.TARGETS["kubernetes"], name="junk"))
