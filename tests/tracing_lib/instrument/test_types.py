"""The public names of the surfaces are typed: right uses have the types that a service expects, and wrong ones are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_type_checker_takes_right_uses_and_finds_every_wrong_one() -> None:
    # With the project's own settings and cache: strict, and an ignore that ignores nothing is an error.
    command = [sys.executable, "-m", "mypy", "tests/tracing_lib/instrument/surface_types.py"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout
