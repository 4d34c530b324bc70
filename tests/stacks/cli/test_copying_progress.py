"""What the verbs that copy traces tell while they work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stacks.cli import copying
from stacks.cli.copying import Told
from stacks.copies.archive import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

HOURS, MINUTE = 8 * 3600, 60


def _told(told: Callable[[Progress], None], size: int = 0) -> None:
    for at in range(MINUTE, HOURS + MINUTE, MINUTE):
        told(Progress({}, at, bytes=size))


def test_an_export_of_empty_hours_tells_of_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    _told(Told(0, HOURS))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == [f"{tenth}0%" for tenth in range(1, 11)]


def test_a_slow_export_tells_of_each_ten_seconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_TOLD_SECONDS", 0.0)
    _told(Told(0, HOURS))
    assert len(capsys.readouterr().err.splitlines()) == HOURS // MINUTE


@pytest.mark.parametrize(("size", "told"), [(0, "0.0 KiB"), (1536, "1.5 KiB"), (2**20, "1.0 MiB"), (3 * 2**29, "1,536.0 MiB")])
def test_less_than_a_mebibyte_is_told_in_kibibytes(size: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    _told(Told(0, HOURS), size)
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"0 traces, {told}")
