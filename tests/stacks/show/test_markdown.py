"""Markdown of a difference says what is lost, and fits a comment however much changes."""

from __future__ import annotations

from stacks.changes.diff import Change, Difference, WorkloadChange
from stacks.show.markdown import difference


def test_the_markdown_of_a_difference_says_what_a_restart_loses() -> None:
    found = Difference(
        (), (WorkloadChange("agent", "restarts", ("collector.yaml",), "a queue goes"), WorkloadChange("b", "created", ())), ""
    )
    lines = difference(found, "a", "b").splitlines()
    assert "| agent | restarts | collector.yaml | a queue goes |" in lines
    assert "| b | created |  |  |" in lines


def test_the_markdown_of_a_thousand_changes_fits_a_comment_on_github() -> None:
    changes = tuple(Change(f"key.{number}", 1, 2, f"{number} {'@|' * 5_000}", "y" * 5_000) for number in range(1_000))
    text = difference(Difference(changes, (), ""), "a", "b")
    assert len(text) < 65_536
    assert "| 950 more changes |  |" in text
    assert "Nothing restarts." in text
