"""Which queue files are set aside: what is named, else one in doubt after the other, and what proves to be whole is put back."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from components.damage import COUNT, FOLDER, MOST_DOUBTED, named_file, tells_of_damage
from components.local.aside import Queues

if TYPE_CHECKING:
    from pathlib import Path

ERROR = '{"level":"error","msg":"Failed to start component","error":"invalid database","type":"Exporter","id":"otlp_http/gateway-1"}'


def files(folder: Path, count: int) -> list[Path]:
    """As many queue files, all of which were written to long ago."""
    made = [folder / f"exporter_otlp_http_gateway-{number}_traces" for number in range(count)]
    for path in made:
        path.write_text(path.name)
        os.utime(path, (1, 1))
    return made


def blamed(queues: Queues, damaged: Path, order: list[Path]) -> int:
    """Run a collector that opens its queues in an order and panics at the damaged one, until it starts; the number of its starts."""
    for starts in range(1, 100):
        since = time.time_ns()
        for path in order:
            if path == damaged and path.exists() and path.read_text() == path.name:
                break
            path.touch()
            os.utime(path, ns=(since + 1, since + 1))
        else:
            return starts
        assert queues.blame(None, since=since) is not None
    raise AssertionError("it never starts")


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_of_several_files_the_damaged_one_alone_is_set_aside_wherever_it_is_opened(tmp_path: Path, count: int) -> None:
    for turn in range(count):
        folder = tmp_path / str(turn)
        folder.mkdir()
        made, queues = files(folder, count), Queues([folder])
        order = made[turn:] + made[:turn]
        assert blamed(queues, made[0], order) <= count + 1
        (kept,) = (folder / FOLDER).iterdir()
        assert kept.read_text() == made[0].name
        assert [path.read_text() for path in made] == ["", *(path.name for path in made[1:])]
        assert queues.variables() == {COUNT: "1"}


def test_the_file_that_a_collector_names_is_set_aside_at_once(tmp_path: Path) -> None:
    made, queues = files(tmp_path, 3), Queues([tmp_path])
    aside = queues.blame(named_file(["noise", ERROR]), since=time.time_ns())
    assert aside is not None
    assert [path.name.startswith(made[1].name) for path in aside.files] == [True]
    assert (made[0].exists(), made[1].exists(), made[2].exists()) == (True, False, True)


def test_after_many_in_doubt_all_that_are_left_are_set_aside(tmp_path: Path) -> None:
    made, queues = files(tmp_path, MOST_DOUBTED + 4), Queues([tmp_path])
    for _ in range(MOST_DOUBTED):
        assert queues.blame(None, since=time.time_ns()) is not None
    last = queues.blame(None, since=time.time_ns())
    assert last is not None
    assert [path.name.partition("_traces")[0] for path in last.files] == sorted(
        path.name.removesuffix("_traces") for path in set(made) - set(sorted(made)[:MOST_DOUBTED])
    )


def test_damage_that_shows_after_all_files_were_opened_sets_all_aside(tmp_path: Path) -> None:
    made, queues = files(tmp_path, 3), Queues([tmp_path])
    aside = queues.blame(None, since=0)
    assert aside is not None
    assert len(aside.files) == len(made)


def test_without_a_file_there_is_nothing_to_blame(tmp_path: Path) -> None:
    assert Queues([tmp_path]).blame(None, since=time.time_ns()) is None
    assert Queues([]).variables() == {}


@pytest.mark.parametrize(
    ("line", "name", "tells"),
    [
        (ERROR, "exporter_otlp_http_gateway-1_traces", True),
        (ERROR.replace("otlp_http/gateway-1", "otlp_grpc"), "exporter_otlp_grpc__traces", True),
        (ERROR.replace("invalid database", "open /q/x: is a directory"), "exporter_otlp_http_gateway-1_traces", True),
        (ERROR.replace("invalid database", "address already in use"), None, False),
        (ERROR.replace("Failed to start", "Started"), None, False),
        ("Error: Failed to start component: invalid database", None, True),
        ('Failed to start component "invalid database', None, True),
        ("go.etcd.io/bbolt.(*DB).Open", None, True),
    ],
)
def test_the_file_that_could_not_be_opened_is_known_by_the_line_that_says_so(line: str, name: str | None, tells: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert named_file([line]) == name
    assert tells_of_damage([line]) is tells
