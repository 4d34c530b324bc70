"""``python -m tracing_lib doctor``: the diagnosis of a service's tracing, at a terminal."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tracing_lib.contract.environment import OUTPUTS
from tracing_lib.doctor import run

if TYPE_CHECKING:
    from collections.abc import Sequence


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tracing_lib", description="Ask a VirtEngine tracing stack.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    doctor = verbs.add_parser("doctor", help="find out what is wrong between a service and its tracing stack")
    doctor.add_argument("--outputs", type=Path, metavar="FILE", help=f"JSON file with the stack's outputs (default: ${OUTPUTS})")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.add_argument("--wait", type=float, default=30.0, metavar="SECONDS", help="time to wait for the test span (default: 30)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb. Return 0 for healthy tracing, 1 for a failed check, and 2 for arguments or settings that cannot be used."""
    parsed = _parser().parse_args(arguments)
    environ = {**os.environ, OUTPUTS: str(parsed.outputs)} if parsed.outputs else dict(os.environ)
    return run(environ, as_json=parsed.json, wait_seconds=parsed.wait, say=print)


if __name__ == "__main__":
    sys.exit(main())
