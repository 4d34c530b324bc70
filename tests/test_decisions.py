"""Every decision has the same form, a status, and a line in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "docs/decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
each = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)

FORM = re.compile(
    r"# (?P<number>\d{4})\. (?P<title>\S[^\n]*)\n\n"
    r"Status: (?P<status>(?:accepted|superseded by \[\d{4}\]\()[^\n]*)\n\n"
    r"## Context\n\n(?P<context>.+?)\n\n## Decision\n\n(?P<decision>.+?)\n\n## Consequences\n\n(?P<consequences>.+?)\n",
    re.DOTALL,
)


def parts(record: Path) -> dict[str, str]:
    found = FORM.fullmatch(record.read_text())
    assert found is not None, f"{record.name}: write a title, a status, context, decision and consequences, as in its neighbours"
    return found.groupdict()


@each
def test_a_record_has_status_context_decision_and_consequences(record: Path) -> None:
    found = parts(record)
    assert record.name.startswith(f"{found['number']}-")
    assert all(found[name].strip() for name in ("context", "decision", "consequences"))


@each
def test_a_status_names_records_that_exist(record: Path) -> None:
    status = parts(record)["status"]
    for number, file in re.findall(r"\[(\d{4})\]\(([^)]+)\)", status):
        assert (FOLDER / file).is_file()
        assert file.startswith(f"{number}-")


@each
def test_records_that_a_text_names_by_number_exist(record: Path) -> None:
    known = {other.name[:4] for other in RECORDS}
    assert {number for number in re.findall(r"(?<!U\+)\b(00\d\d)\b", record.read_text()) if number not in known} == set()


def test_the_index_lists_every_record_with_its_title_and_status() -> None:
    rows = [line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("| [")]
    wanted = [
        f"| [{found['number']}]({record.name}) | {found['title']} | {found['status']} |" for record in RECORDS for found in [parts(record)]
    ]
    assert rows == wanted


def test_every_record_is_of_a_number_of_its_own() -> None:
    numbers = [record.name[:4] for record in RECORDS]
    assert len(set(numbers)) == len(numbers) > 20
