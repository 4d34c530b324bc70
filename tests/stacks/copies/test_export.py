"""Notes beside a copy that tell no progress of it, and two runs at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stacks.copies.archive import Archive, CopyError, Note, Progress
from stacks.copies.export import Wanted, resumed

if TYPE_CHECKING:
    from pathlib import Path

WANTED: dict[str, Any] = {"since": 10.0, "until": 20.0, "service": None, "environment": "dev", "store": "http://a", "asked": "--hours 1"}
WHOLE: dict[str, Any] = {"wanted": WANTED, "at": 15.0, "bytes": 0, "traces": 0, "spans": 0}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "[" * 200_000,
        "\x00",
        json.dumps({"wanted": 5}),
        json.dumps(WHOLE | {"wanted": 5}),
        json.dumps(WHOLE | {"wanted": {}}),
        json.dumps(WHOLE | {"wanted": WANTED | {"more": 1}}),
        json.dumps(WHOLE | {"wanted": WANTED | {"since": "10"}}),
        json.dumps(WHOLE | {"wanted": WANTED | {"until": [20]}}),
        json.dumps(WHOLE | {"wanted": WANTED | {"until": 10**400}}),
        json.dumps(WHOLE | {"wanted": WANTED | {"until": 1e18}}),
        json.dumps(WHOLE).replace("20.0", "1e400"),
        json.dumps(WHOLE).replace("20.0", "NaN"),
        json.dumps(WHOLE | {"at": 30.0}),
        json.dumps(WHOLE | {"at": True}),
        json.dumps(WHOLE | {"bytes": -1}),
        json.dumps(WHOLE | {"bytes": 1.5}),
        json.dumps(WHOLE | {"traces": "5"}),
        json.dumps(WHOLE | {"more": 1}),
    ],
)
def test_a_note_of_something_else_is_refused_in_words(text: str, tmp_path: Path) -> None:
    (tmp_path / "m.gz.progress").write_text(text)
    with pytest.raises(CopyError, match=r"m\.gz\.progress: is no progress of a copy; look what it is, and begin anew: rm -f .*\.part"):
        resumed(tmp_path / "m.gz", Wanted(**WANTED))


def test_the_note_of_the_same_wish_keeps_its_time(tmp_path: Path) -> None:
    Note(tmp_path / "m.gz.progress").write(Progress(**WHOLE))
    assert resumed(tmp_path / "m.gz", Wanted(**WANTED | {"since": 11.0, "until": 21.0})) == Wanted(**WANTED)


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    first = Archive(tmp_path / "m.gz.part", 0)
    with pytest.raises(CopyError, match="another export writes it just now"):
        Archive(tmp_path / "m.gz.part", 0)
    first.close()
    Archive(tmp_path / "m.gz.part", 0).close()
