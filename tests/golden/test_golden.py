"""A change of any document of the stacks is seen and reviewed."""

from __future__ import annotations

import difflib

import pytest

from tests.golden.documents import BASES, FOLDER, rendered, stored


@pytest.mark.parametrize("base", BASES)
def test_every_document_is_the_one_that_was_reviewed(base: str) -> None:
    was, now = stored(base), rendered(base)
    parts: list[str] = []
    for name in sorted({*was, *now}):
        lines = [side.get(name, "").splitlines(keepends=True) for side in (was, now)]
        parts += difflib.unified_diff(lines[0], lines[1], f"golden/{base}/{name}", f"now/{base}/{name}")
    assert not parts, "documents differ from the reviewed ones; run: make golden, and review the difference\n" + "".join(parts)[:8000]


def test_every_golden_folder_belongs_to_an_environment() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(BASES)
