"""The verbs that copy: what was broken off is finished by the same wish alone, and no file is lost to a copy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stacks.cli.cli import main
from stacks.copies.export import Wanted, export
from tests.stacks.show.query_server import query_server
from tests.tracing_lib.samples import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stacks.copies.archive import Progress
    from tracing_lib.contract.outputs import Outputs


class BrokenOffError(Exception):
    """Stands for a kill."""


@pytest.fixture
def store() -> Iterator[str]:
    """A Jaeger without traces."""
    with query_server((404, b"{}")) as (url, _):
        yield url


@pytest.fixture
def state(store: str, tmp_path: Path) -> Path:
    """The folder of two environments with two stores each."""
    for name in ("dev", "prod"):
        (tmp_path / name).mkdir()
        also = {"backend": "jaeger", "query_url": f"{store}/also", "ui_url": store, "retention_seconds": 60}
        outputs = mapping(query_url=f"{store}/{name}", ui_url=store, backend="jaeger", also=also, environment=name)
        (tmp_path / name / "outputs.json").write_text(json.dumps(outputs))
    return tmp_path


def break_off(_: Progress) -> None:
    raise BrokenOffError


def broken_off(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """Run a command that is killed when a minute is written."""

    def killed(outputs: Outputs, wanted: Wanted, path: Path, *_: object, **more: bool) -> Progress:
        return export(outputs, wanted, path, break_off, **more)

    with monkeypatch.context() as patched:
        patched.setattr("stacks.copies.export.export", killed)
        with pytest.raises(BrokenOffError):
            main(command)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--hours", "0.04"], "(--hours 0.05; now asked for: --hours 0.04)"),
        (["--hours", "0.05", "--until", "2026-11-26T00:00:00Z"], "now asked for: --hours 0.05 --until 2026-11-26T00:00:00Z)"),
        (["--hours", "0.05", "--service", "nosuch"], "(all services; now asked for: service nosuch)"),
        (["--hours", "0.05", "--also"], "/dev; now asked for: store http://"),
        (["--hours", "0.05", "--query-url", "http://127.0.0.1:1"], "by http://127.0.0.1:1)"),
    ],
)
def test_an_export_is_finished_by_the_same_wish_alone(
    more: list[str], told: str, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = state / "m.gz"
    same = ["export", "dev", str(file), "--state", str(state)]
    broken_off(monkeypatch, [*same, "--hours", "0.05"])
    assert main([*same, *more]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert f"name another file, or begin anew: rm -f {file}.progress {file}.part" in error
    assert main([*same, "--hours", "0.05"]) == 0, "the refusal left the progress as it was"
    assert "goes on with the copy that was broken off" in capsys.readouterr().err


def test_an_export_of_another_environment_does_not_go_on(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = [str(state / "m.gz"), "--hours", "0.05", "--state", str(state)]
    broken_off(monkeypatch, ["export", "dev", *rest])
    assert main(["export", "prod", *rest]) == 2
    assert "now asked for: environment prod, store http://" in capsys.readouterr().err


def test_a_file_that_is_there_is_replaced_when_that_is_asked_for(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = state / "precious.txt"
    file.write_text("precious")
    command = ["export", "dev", str(file), "--hours", "0.02", "--state", str(state)]
    assert main(command) == 2
    assert "precious.txt: is there already; name another file, or give --replace" in capsys.readouterr().err
    assert file.read_text() == "precious"
    assert main([*command, "--replace"]) == 0
    assert file.read_bytes() == b""


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("folder", "is there and is no file"),
        ("null", "is there and is no file"),
        ("none/m.gz", "its folder is not there; make it: mkdir -p "),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_at_once(file: str, told: str, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "folder").mkdir()
    (state / "null").symlink_to("/dev/null")
    assert main(["export", "dev", str(state / file), "--replace", "--state", str(state)]) == 2
    assert told in capsys.readouterr().err
    assert not list(state.glob("*.part"))


def test_a_file_of_somebody_else_beside_the_copy_is_left_alone(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = state / "m.gz.part"
    part.write_text("half a download")
    assert main(["export", "dev", str(state / "m.gz"), "--hours", "0.02", "--state", str(state)]) == 2
    assert "m.gz.part: is there, and belongs to no export" in capsys.readouterr().err
    assert part.read_text() == "half a download"


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (
            ["--since", "2026-11-26T00:00:00Z", "--until", "2026-11-25T00:00:00Z"],
            "begins at 2026-11-26T00:00:00Z and ends at 2026-11-25T00:00:00Z",
        ),
        (["--since", "2199-01-01T00:00:00Z"], "begins at 2199-01-01T00:00:00Z and ends at now, 20"),
        (["--since", "2020-01-01T00:00:00Z", "--until", "2199-01-01T00:00:00Z"], "--until 2199-01-01T00:00:00Z is in the future"),
    ],
)
def test_a_time_that_no_trace_is_of_is_refused(times: list[str], told: str, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "dev", str(state / "m.gz"), *times, "--state", str(state)]) == 2
    assert told in capsys.readouterr().err
    assert not list(state.glob("m.gz*"))


def test_a_time_from_the_begin_of_1970_is_no_default(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = ["--since", "1970-01-01T00:00:00Z", "--until", "1970-01-01T00:01:00Z"]
    assert main(["export", "dev", str(state / "m.gz"), *times, "--state", str(state)]) == 0
    assert "100%  1970-01-01T00:01:00Z" in capsys.readouterr().err


def test_a_rehearsal_does_not_replace_what_it_kept_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept.gz"
    kept.touch()
    assert main(["rehearse", "dev", "dev", "--from", "dev", "--save", str(kept), "--state", str(tmp_path)]) == 2
    assert f"kept.gz: is there already\nthen: read it with --traces {kept}" in capsys.readouterr().err
