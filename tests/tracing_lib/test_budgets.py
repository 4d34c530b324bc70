"""The library stays small: the lines of code that its rooms may have."""

from __future__ import annotations

from pathlib import Path

import tracing_lib

ROOT = Path(tracing_lib.__file__).parent
FAST = ROOT / "fast"
LIBRARY_LINES = 9_900
"""Lines of Python without ``fast``: 9,500 of issue F and 400 of issue H."""
LIBRARY_STUB_LINES = 80
"""Lines of stubs without ``fast``, which list the public names of the rooms."""
FAST_PYTHON_LINES = 700
FAST_C_LINES = 1_700


def lines(paths: set[Path]) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def test_the_library_without_fast_keeps_its_budget() -> None:
    for pattern, most in (("*.py", LIBRARY_LINES), ("*.pyi", LIBRARY_STUB_LINES)):
        found = {path for path in ROOT.rglob(pattern) if not path.is_relative_to(FAST)}
        assert found
        assert lines(found) < most


def test_fast_keeps_its_budgets_of_python_and_of_c() -> None:
    assert lines(set(FAST.rglob("*.py"))) < FAST_PYTHON_LINES
    assert lines({*FAST.rglob("*.c"), *FAST.rglob("*.h")}) < FAST_C_LINES
