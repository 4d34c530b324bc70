"""The table of requirements is whole, and the tests that it names exist."""

from __future__ import annotations

import re

import pytest

from stacks.environment.source import ROOT

TABLE = ROOT / "docs" / "requirements.md"
SOURCE = ROOT.parent / "shared" / "requirements" / "task-31b-distributed-tracing.md"


def rows() -> dict[str, str]:
    found = re.findall(r"^\| (AC-\d): (.+?) \| (.+) \|$", TABLE.read_text(), re.MULTILINE)
    return {f"{section}: {text}": shown for section, text, shown in found}


def test_every_test_that_the_table_names_exists() -> None:
    named = {path for shown in rows().values() for path in re.findall(r"`(tests/[^`]+)`", shown)}
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_every_requirement_is_shown_by_a_test_or_said_to_be_open() -> None:
    assert [text for text, shown in rows().items() if "`tests/" not in shown and not shown.startswith("Open")] == []


def test_every_checkbox_of_the_source_is_in_the_table() -> None:
    if not SOURCE.is_file():
        pytest.skip("the source requirements are not beside this clone; the table was compared where they are")
    sections = re.split(r"^### (AC-\d): .*$", SOURCE.read_text(), flags=re.MULTILINE)[1:]
    wanted = [
        f"{name}: {text}"
        for name, body in zip(sections[::2], sections[1::2], strict=True)
        for text in re.findall(r"^- \[ \] (.+)$", body, re.MULTILINE)
    ]
    assert len(wanted) == 20
    assert [text for text in wanted if text not in rows()] == []
