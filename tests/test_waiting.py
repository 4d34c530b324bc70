"""A wait lasts as long as something advances, and no longer."""

from __future__ import annotations

import itertools
import os

import pytest

from tests import waiting
from tests.waiting import cpu_ticks, until


def test_a_wait_outlasts_its_limit_while_something_advances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "STALL_SECONDS", 0.5)
    looks = itertools.count()
    assert until(lambda: next(looks) >= 30, progress=lambda: next(looks), every=0.1)


def test_a_wait_without_progress_fails_and_says_for_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "STALL_SECONDS", 0.05)
    with pytest.raises(AssertionError, match=r"no progress for 0\.05 s while waiting for: two of three spans"):
        until(lambda: False, lambda: "two of three spans", progress=lambda: 2, every=0.01)


def test_a_wait_returns_what_its_condition_found() -> None:
    found = iter(["", "", "job 7"])
    assert until(lambda: next(found), every=0.0) == "job 7"


def test_the_cpu_time_of_a_process_that_ended_is_zero() -> None:
    assert cpu_ticks(os.getpid()) > 0
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    assert cpu_ticks(child) == 0
