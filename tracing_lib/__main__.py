"""``python -m tracing_lib doctor``: the diagnosis of a service's tracing, at a terminal."""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracing_lib.contract.environment import OUTPUTS
from tracing_lib.doctor import run

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_WAIT_SECONDS: Final = 24 * 3600


def _seconds(text: str) -> float:
    """A time to wait. Without a bound nobody is there any more when it ends."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_WAIT_SECONDS:
        right = f"write a number of seconds from 0 on, up to {_LONGEST_WAIT_SECONDS:,}, for example 30"
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no time to wait; {right}")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tracing_lib", description="Ask a VirtEngine tracing stack.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    doctor = verbs.add_parser("doctor", help="find out what is wrong between a service and its tracing stack")
    doctor.add_argument("--outputs", type=Path, metavar="FILE", help=f"JSON file with the stack's outputs (default: ${OUTPUTS})")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.add_argument("--wait", type=_seconds, default=30.0, metavar="SECONDS", help="time to wait for the test span (default: 30)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb. Return 0 for healthy tracing, 1 for a failed check, and 2 for arguments or settings that cannot be used."""
    parsed = _parser().parse_args(arguments)
    environ = {**os.environ, OUTPUTS: str(parsed.outputs)} if parsed.outputs else dict(os.environ)
    return run(environ, as_json=parsed.json, wait_seconds=parsed.wait, say=print)


if __name__ == "__main__":
    sys.exit(main())
