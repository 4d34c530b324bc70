"""The pages that people begin with: short, and right about the files, targets and versions that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.documents.images import SERVERS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/decisions").glob("*.md")])
MOST_WORDS = 700

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)")
MAKE = re.compile(r"^\s*(?:\$ )?make ([a-z][a-z-]*)\b", re.MULTILINE)


def code_of(text: str) -> str:
    """All that is written as code: fenced or indented blocks, and code in a line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```|^((?: {4}[^\n]*\n)+)|`([^`\n]+)`", text, re.MULTILINE | re.DOTALL)
    return "\n".join("".join(parts) for parts in blocks)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_readme_has_at_most_seven_hundred_words() -> None:
    assert 300 < len(README.split()) <= MOST_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if not link.startswith(("http://", "https://"))]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    assert set(MAKE.findall(code_of(page.read_text()))) - targets() == set()


def test_links_and_targets_are_found_in_the_readme_at_all() -> None:
    assert len(LINK.findall(README)) > 10
    assert set(MAKE.findall(code_of(README))) >= {"run", "test", "up", "check", "diff", "preview", "render", "outputs"}


def test_the_readme_names_the_versions_of_the_servers_that_are_deployed() -> None:
    table = README[README.index("## Versions that fit together") :]
    assert [program for program, server in SERVERS.items() if server.tag.removeprefix("v") not in table] == []


def test_the_readme_names_the_versions_of_pulumi_that_are_locked() -> None:
    pinned = re.findall(r'"pulumi(?:-docker|-kubernetes)?==([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert len(pinned) == 3
    assert [version for version in pinned if version not in README] == []


def test_every_file_on_the_way_of_a_span_exists() -> None:
    rows = [line for line in (ROOT / "docs" / "architecture.md").read_text().splitlines() if line.startswith("| ")]
    files = {name for row in rows for name in re.findall(r"`([a-z_/]+\.(?:py|h))`", row)}
    assert len({name for name in files if "/" in name}) > 10
    assert {name for name in files if not (ROOT / "tracing_lib" / name).is_file()} == set()
